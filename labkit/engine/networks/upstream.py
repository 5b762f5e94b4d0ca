"""The resolvers of this machine, asked for the names that are not ours.

Each question goes out with a number and a port of its own, so that a stranger's answer would have to guess both; who
asks from inside a container learns neither. Every wait has an end.

Left out: a cache. The resolvers asked have one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable, Sequence

MakeSocket = Callable[[int, int], socket.socket]

PORT = 53
SECONDS = 1.5
"""How long a resolver may take; a client of ours asks again after 5, resolv.conf(5)."""

MOST_SERVERS = 3
BIGGEST = 65535


def servers(resolv_conf: str, asked: Sequence[str] = ()) -> list[str]:
    """The resolvers to ask: those that the container wants (`--dns`), else the machine's own."""
    rows = (line.split() for line in resolv_conf.splitlines())
    found = list(asked) or [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver"]
    return [address for address in found if _is_address(address)][:MOST_SERVERS]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


async def ask(query: bytes, where: Sequence[str], outside: MakeSocket, *, stream: bool = False) -> bytes | None:
    """The first answer that a resolver gives; None where none does in time."""
    for server in where:
        try:
            async with asyncio.timeout(SECONDS):
                return await (_over_tcp if stream else _over_udp)(query, server, outside)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            continue
    return None


def _open(server: str, kind: int, outside: MakeSocket) -> socket.socket:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    sock = outside(family, kind)
    sock.setblocking(False)
    return sock


async def _over_udp(query: bytes, server: str, outside: MakeSocket) -> bytes:
    loop, number = asyncio.get_running_loop(), os.urandom(2)
    with _open(server, socket.SOCK_DGRAM, outside) as sock:
        await loop.sock_connect(sock, (server, PORT))  # now only this server's packets come in
        await loop.sock_sendall(sock, number + query[2:])
        while True:
            said = await loop.sock_recv(sock, BIGGEST)
            if said[:2] == number and len(said) >= 12:
                return query[:2] + said[2:]


async def _over_tcp(query: bytes, server: str, outside: MakeSocket) -> bytes:
    loop = asyncio.get_running_loop()
    sock = _open(server, socket.SOCK_STREAM, outside)
    try:
        await loop.sock_connect(sock, (server, PORT))
        reader, writer = await asyncio.open_connection(sock=sock)
    except BaseException:
        sock.close()
        raise
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)
    finally:
        writer.close()
