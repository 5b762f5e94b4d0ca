"""What carries a published port: it listens on the host, and passes everything on to the container, both ways.

It lives in the API process. Where the container is, it asks anew for each connection, so a container may change its
networks meanwhile. The container sees the bridge's address as the one that speaks to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

Address = tuple[Any, ...]
"""An IP address and a port, and what else socket(7) has for the family."""

Target = Callable[[], str]
"""The container's address now; empty while it has none."""

CONNECT_SECONDS = 10
PIECE = 65536  # bytes
MOST_CONNECTIONS = 1024
REST_SECONDS = 1.0
IDLE_SECONDS = 90
"""How long an unanswered UDP client is remembered (docker-proxy's figure)."""

BURST = 64
"""How many packets are read before others have their turn."""


def _address(target: Target) -> str:
    """The container's address. OSError while it has none: an empty one would mean this machine itself."""
    if ip := target():
        return ip
    raise OSError(errno.EHOSTUNREACH, "the container is on no network with a way to it")


class TcpProxy:
    """Passes connections on. `sock` listens already."""

    def __init__(self, sock: socket.socket, port: int, target: Target) -> None:
        self._sock, self._port, self._target = sock, port, target
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._listen()

    def _listen(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.add_reader(self._sock.fileno(), self._connected)

    def close(self) -> None:
        """Stop listening and drop all connections."""
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        for task in self._tasks:
            task.cancel()

    def _connected(self) -> None:
        try:
            client, _ = self._sock.accept()
        except BlockingIOError:  # it has left already
            return
        except OSError as full:  # out of descriptors or memory: to ask again at once would only burn time
            log.warning("a client of a published port has to wait: %s", full)
            self._loop.remove_reader(self._sock.fileno())
            self._loop.call_later(REST_SECONDS, self._listen)
            return
        if len(self._tasks) >= MOST_CONNECTIONS:
            client.close()
            return
        task = self._loop.create_task(self._carry(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, client: socket.socket) -> None:
        with contextlib.closing(client):
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # who vanished is noticed one day
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    inside = await asyncio.open_connection(_address(self._target), self._port)
            except (OSError, TimeoutError) as refused:
                log.debug("port %d of the container: %s", self._port, refused)
                return
            try:
                await relay(await asyncio.open_connection(sock=client), inside)
            finally:
                inside[1].close()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def relay(one: Stream, other: Stream) -> None:
    """Copy both ways until both sides have ended. The end of one direction is passed on, the other goes on."""
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_copy(one[0], other[1]))
            both.create_task(_copy(other[0], one[1]))
    except* OSError as broken:
        log.debug("a connection broke: %s", broken.exceptions[0])
    finally:
        one[1].close()
        other[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()  # a slow reader slows the writer, not our memory
    if writer.can_write_eof():
        writer.write_eof()


class UdpProxy:
    """Passes packets on. Each client gets a socket of its own towards the container, by which answers find back."""

    def __init__(self, sock: socket.socket, port: int, target: Target) -> None:
        self._sock, self._port, self._target = sock, port, target
        self._clients: OrderedDict[Address, tuple[socket.socket, float]] = OrderedDict()
        """The client's address -> its socket, and when it was last used; the longest unused first."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._readable)

    def close(self) -> None:
        """Stop listening and forget all clients."""
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        while self._clients:
            self._forget(next(iter(self._clients)))

    def _readable(self) -> None:
        for _ in range(BURST):
            try:
                data, client = self._sock.recvfrom(PIECE)
            except OSError:
                return
            with contextlib.suppress(OSError):  # nobody there: as on any network, a packet is lost
                self._socket_of(client).send(data)

    def _socket_of(self, client: Address) -> socket.socket:
        now = self._loop.time()
        found = self._clients.pop(client, None)
        sock = found[0] if found else self._open(client)
        self._clients[client] = (sock, now)
        while len(self._clients) > MOST_CONNECTIONS or self._oldest() < now - IDLE_SECONDS:
            self._forget(next(iter(self._clients)))
        return sock

    def _oldest(self) -> float:
        return next(iter(self._clients.values()))[1]

    def _open(self, client: Address) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.connect((_address(self._target), self._port))
        except OSError:
            sock.close()
            raise
        self._loop.add_reader(sock.fileno(), self._answered, sock, client)
        return sock

    def _answered(self, sock: socket.socket, client: Address) -> None:
        for _ in range(BURST):
            try:
                data = sock.recv(PIECE)
            except OSError:
                return
            with contextlib.suppress(OSError):
                self._sock.sendto(data, client)

    def _forget(self, client: Address) -> None:
        sock, _ = self._clients.pop(client)
        self._loop.remove_reader(sock.fileno())
        sock.close()
