"""Publishing: listening sockets on the host for a container's ports, and a proxy behind each.

As root the engine stands in the machine's own network, and rootless its sockets are made there for it (outside.py).
The proxies end with the API process; the next one takes the same ports again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.engine.errors import ServerError
from labkit.engine.networks.bindings import Binding
from labkit.engine.networks.proxy import Target, TcpProxy, UdpProxy
from labkit.engine.networks.upstream import MakeSocket

Json = dict[str, Any]

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
PROXIES: dict[str, type[TcpProxy] | type[UdpProxy]] = {"tcp": TcpProxy, "udp": UdpProxy}
TRIES = 16
"""How often another random port is tried, where one that is free for IPv4 is taken for IPv6."""

WITHOUT_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class CannotPublish(ServerError):
    """500: in Docker's words, without the container's name."""


@dataclass
class Published:
    """What one container publishes."""

    ports: dict[str, list[Json]] = field(default_factory=dict)
    """`80/tcp` -> [{"HostIp", "HostPort"}]"""
    proxies: list[TcpProxy | UdpProxy] = field(default_factory=list)

    def close(self) -> None:
        for proxy in self.proxies:
            proxy.close()


class Publisher:
    """The published ports of one engine, by container id."""

    def __init__(self, outside: MakeSocket = socket.socket) -> None:
        self._outside = outside
        self._published: dict[str, Published] = {}

    def publish(self, container_id: str, bindings: Sequence[Binding], target: Target) -> dict[str, list[Json]]:
        """Open all ports, or none. Returns `NetworkSettings.Ports`, only the published ones. Raises CannotPublish."""
        made = Published()
        try:
            for binding in bindings:
                socks = self._sockets(binding)
                made.proxies += [PROXIES[binding.protocol](sock, binding.port, target) for sock in socks]
                made.ports.setdefault(binding.key, []).extend(map(_place, socks))
        except CannotPublish:
            made.close()
            raise
        self._published[container_id] = made
        return made.ports

    def withdraw(self, container_id: str) -> None:
        """Close the ports of a container, and drop who is connected."""
        if made := self._published.pop(container_id, None):
            made.close()

    def has(self, container_id: str) -> bool:
        return container_id in self._published

    # --- sockets -------------------------------------------------------------------------------------------------
    def _sockets(self, binding: Binding) -> list[socket.socket]:
        """A socket for each of the host's addresses, all with the same port."""
        failed: OSError | None = None
        numbers = binding.numbers if binding.numbers[0] else [0] * TRIES
        for number in numbers:
            try:
                return self._all_at(binding, number)
            except OSError as taken:
                failed = taken
                if taken.errno not in (errno.EADDRINUSE, *WITHOUT_IPV6):
                    break
        raise CannotPublish(self._why(binding, failed))

    def _all_at(self, binding: Binding, number: int) -> list[socket.socket]:
        with contextlib.ExitStack() as undo:
            socks: list[socket.socket] = []
            for address in binding.addresses:
                try:
                    sock = self._listen(binding.protocol, address, number)
                except OSError as refused:
                    if socks and refused.errno in WITHOUT_IPV6:
                        continue  # a machine without IPv6: the other address is all there is
                    raise OSError(refused.errno, os.strerror(refused.errno or 0), f"{address}:{number}") from refused
                undo.callback(sock.close)
                number = sock.getsockname()[1]
                socks.append(sock)
            undo.pop_all()
            return socks

    def _listen(self, protocol: str, address: str, number: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = self._outside(family, KINDS[protocol])
        try:
            sock.setblocking(False)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if protocol == "tcp":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a port rests a minute after its use
            sock.bind((address, number))
            if protocol == "tcp":
                sock.listen(128)
        except OSError:
            sock.close()
            raise
        return sock

    def _why(self, binding: Binding, failed: OSError | None) -> str:
        where = str(failed.filename) if failed and failed.filename else f"{binding.addresses[0]}:{binding.numbers[0]}"
        address, _, number = where.rpartition(":")
        if failed and failed.errno == errno.EADDRINUSE and (binding.protocol, number) in self._taken():
            return f"Bind for {where} failed: port is already allocated"
        network = f"{binding.protocol}{6 if ':' in address else 4}"
        reason = ((failed and failed.strerror) or "no port is free").lower()
        if failed and failed.errno == errno.EACCES:
            reason += ": ports below 1024 are root's; publish a higher one"
        return f"Error starting userland proxy: listen {network} {where}: bind: {reason}"

    def _taken(self) -> Iterator[tuple[str, str]]:
        for made in self._published.values():
            for key, places in made.ports.items():
                yield from ((key.partition("/")[2], place["HostPort"]) for place in places)


def _place(sock: socket.socket) -> Json:
    address, port = sock.getsockname()[:2]
    return {"HostIp": address, "HostPort": str(port)}
