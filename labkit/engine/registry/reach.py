"""How a connection reaches a registry: from the network of this machine, even where the engine is not in it.

A rootless engine lives in a network namespace of its own, where nothing but its containers answers. There each socket
comes from the helper that stayed outside (networks/outside.py), and names are looked up through such sockets too: in
/etc/hosts, then at the machine's resolvers. As root the engine stands in the machine's network, and all this is left
to the system.

Left out: nsswitch.conf(5), and the search list of resolv.conf(5); names of registries are written out.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

from labkit.engine.networks import upstream
from labkit.engine.networks.upstream import MakeSocket

HOSTS, RESOLV_CONF = Path("/etc/hosts"), Path("/etc/resolv.conf")

KINDS = {socket.AF_INET: dns.rdatatype.A, socket.AF_INET6: dns.rdatatype.AAAA}

_outside: MakeSocket | None = None


def through(outside: MakeSocket) -> None:
    """From now on sockets come from `outside`: called once, when a rootless engine starts."""
    global _outside
    _outside = outside


def connector() -> aiohttp.TCPConnector:
    """What a session of aiohttp connects with."""
    outside = _outside
    if outside is None:
        return aiohttp.TCPConnector()

    def make(address: AddrInfoType) -> socket.socket:
        made = outside(*address[:2])
        made.setblocking(False)
        return made

    return aiohttp.TCPConnector(resolver=Resolver(outside), socket_factory=make)


class Resolver(AbstractResolver):
    """Looks names up from outside."""

    def __init__(self, outside: MakeSocket) -> None:
        self.outside = outside

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name, those of IPv4 first. Raises OSError where it has none."""
        families = [one for one in KINDS if family in (one, socket.AF_UNSPEC)]
        found = [(each, one) for one in families for each in in_hosts(HOSTS.read_text(), host, one)]
        if not found:
            found = [(each, one) for one in families for each in await self._asked(host, one)]
        if not found:
            raise OSError(None, f"no such host: {host}")
        return [_result(host, port, address, one) for address, one in found]

    async def _asked(self, host: str, family: int) -> list[str]:
        query = dns.message.make_query(f"{host.rstrip('.')}.", KINDS[socket.AddressFamily(family)])
        where = upstream.servers(RESOLV_CONF.read_text())
        for stream in (False, True):
            said = await upstream.ask(query.to_wire(), where, self.outside, stream=stream)
            if said is None:
                return []
            try:
                answer = dns.message.from_wire(said)
            except dns.exception.DNSException as wrong:
                raise OSError(None, f"the resolver's answer for {host} makes no sense: {wrong}") from wrong
            if not answer.flags & dns.flags.TC:  # cut: ask again over TCP
                return list(addresses(answer, family))
        return []

    async def close(self) -> None:
        """Nothing is held."""


def in_hosts(text: str, name: str, family: int) -> list[str]:
    """The addresses that a file like hosts(5) gives a name."""
    rows = (line.partition("#")[0].split() for line in text.splitlines())
    colon = family == socket.AF_INET6
    return [row[0] for row in rows if name.lower() in map(str.lower, row[1:]) and (":" in row[0]) == colon]


def addresses(answer: dns.message.Message, family: int) -> Iterator[str]:
    """The addresses in an answer; what is only another name (CNAME) is passed over, its address stands there too."""
    kind = KINDS[socket.AddressFamily(family)]
    for records in answer.answer:
        if records.rdtype == kind:
            yield from (record.to_text() for record in records)


def _result(host: str, port: int, address: str, family: int) -> ResolveResult:
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=numeric)
