"""A connection taken over, for attach and exec.

A **hijacked** connection starts as HTTP and becomes two plain byte streams (Docker Engine API, "Attach to a
container", Hijacking). The client asks with `Upgrade: tcp`, the engine answers `101 UPGRADED`, and from then on
each side may close its own half and still listen to the other's.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import select
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any, Literal, cast

from aiohttp import web

from labkit.engine.api.detach import DetachKeys
from labkit.engine.api.request import Request
from labkit.engine.api.responses import error_response

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"

CHUNK = 64 * 1024
HEAD_SECONDS, TICK = 0.5, 0.0005
"""How long the first byte after the head of a hijacked answer waits for the client to take the head, at most; and how
often that is looked at. The SDK for Python reads the head through a buffer and the rest past it: what comes in one
piece with the head it loses."""

SIOCOUTQ = termios.TIOCOUTQ
"""ioctl(2): how much of what was sent the other end of a unix socket has not taken yet."""

End = Literal["end", "detached", "gone"]
"""How a relay ended: the container's output did, the client pressed the detach keys, or the client left."""


def content_type(api_version: tuple[int, int], tty: bool) -> str:
    """The media type of a container's output. Up to 1.41 Docker called framed output raw too."""
    return RAW if tty or api_version < (1, 42) else MULTIPLEXED


class Connection(web.RequestHandler):
    """aiohttp's side of one client; `gone` is set when the client has left."""

    __slots__ = ("gone",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.gone = asyncio.Event()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.gone.set()
        super().connection_lost(exc)

    def handle_error(self, request: web.BaseRequest, status: int = 500, *rest: Any, **named: Any) -> web.StreamResponse:
        """Docker's shape also for what no handler sees, such as a request line that is too long."""
        plain = super().handle_error(request, status, *rest, **named)
        answer = error_response(status, getattr(plain, "text", None) or "this is not HTTP")
        answer.force_close()
        return answer


class _Hijacker(asyncio.StreamReaderProtocol):
    """Reads a hijacked connection, and tells aiohttp, which still has it on its books, when it is lost."""

    def __init__(self, reader: asyncio.StreamReader, before: Connection) -> None:
        super().__init__(reader)
        self._before = before

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._before.connection_lost(exc)


class _Sent(web.StreamResponse):
    """Stands for an answer that went out by hand, so that aiohttp adds nothing."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None

    @property
    def keep_alive(self) -> bool | None:
        return False


class Duplex:
    """A hijacked connection: what the client types is read, what it must see is written."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._head_taken = False
        self.response: web.StreamResponse = _Sent()
        """What the handler returns when it is done."""

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting while the client does not take them. ConnectionError when it has left."""
        if not self._head_taken:
            await self._wait_for_head()
        self._writer.write(data)
        await self._writer.drain()

    async def _wait_for_head(self) -> None:
        connection = self._writer.get_extra_info("socket")
        deadline = asyncio.get_running_loop().time() + HEAD_SECONDS
        while _unread(connection) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(TICK)
        self._head_taken = True

    async def relay(
        self,
        sock: socket.socket,
        *,
        stdin: bool = True,
        detach: DetachKeys | None = None,
        wrap: Callable[[bytes], bytes] = bytes,
    ) -> End:
        """Carry bytes between the client and one end of a socket pair, until the other end closes it.

        What the client types is read even where there is no `stdin`, and thrown away. The client's half-close
        becomes shutdown(SHUT_WR) on the socket. Both the socket and the connection are closed in the end. `wrap` is
        what happens to each piece of output on its way.
        """
        sock.setblocking(False)
        typed = asyncio.create_task(self._from_client(sock, stdin, detach))
        output = asyncio.create_task(self._to_client(sock, wrap))
        left = asyncio.create_task(self._client_gone(typed))
        watched = {typed, output, left}
        try:
            return await _first_end(watched)
        finally:
            for task in watched:
                task.cancel()
            await asyncio.gather(*watched, return_exceptions=True)
            sock.close()
            self.close()

    async def _to_client(self, sock: socket.socket, wrap: Callable[[bytes], bytes]) -> End | None:
        """None when the client takes nothing more: what it has typed may still be on its way."""
        loop = asyncio.get_running_loop()
        while data := await _received(loop, sock):
            try:
                await self.write(wrap(data))
            except ConnectionError:
                return None
        return "end"

    async def _from_client(self, sock: socket.socket, stdin: bool, detach: DetachKeys | None) -> End | None:
        """None when the client has nothing more to type: that alone does not end the relay."""
        loop = asyncio.get_running_loop()
        # the container may close its stdin, or end, while somebody still types: not an error
        with contextlib.suppress(OSError):
            while data := await self._reader.read(CHUNK):
                if detach is not None:
                    data = detach.feed(data)
                if stdin and data:
                    await loop.sock_sendall(sock, data)
                if detach is not None and detach.found:
                    return "detached"
            if stdin:
                sock.shutdown(socket.SHUT_WR)
        return None

    async def _client_gone(self, typed: asyncio.Task[End | None]) -> End | None:
        """Returns when the client has closed both halves and what it typed is delivered.

        To read, a half-close and a close look the same. EPOLLHUP (epoll_ctl(2)) comes only with the second, and is
        always reported, so an epoll that asks for nothing else becomes readable when the client is gone.
        """
        loop = asyncio.get_running_loop()
        left = asyncio.Event()
        # a duplicate, as asyncio closes its own descriptor at the first write that fails
        with select.epoll() as epoll, self._writer.get_extra_info("socket").dup() as connection:
            epoll.register(connection, 0)
            loop.add_reader(epoll.fileno(), left.set)
            try:
                await left.wait()
            finally:
                loop.remove_reader(epoll.fileno())
        await asyncio.wait({typed})
        return "gone"

    def close(self) -> None:
        """Send what is waiting and close the connection."""
        self._writer.close()


def _unread(connection: socket.socket) -> int:
    """Bytes, and the kernel's own around them, that the other end has not read; 0 where nobody can tell."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(connection.fileno(), SIOCOUTQ, bytes(4)))[0])
    except OSError:
        return 0


async def _received(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bytes:
    """What the container's side sent; nothing when it is closed, or was cut."""
    try:
        return await loop.sock_recv(sock, CHUNK)
    except ConnectionError:
        return b""


async def _first_end(tasks: set[asyncio.Task[End | None]]) -> End:
    """The first result of the tasks that is an end."""
    for task in asyncio.as_completed(tasks):
        if end := await task:
            return end
    return "end"


async def hijack(request: Request, tty: bool) -> Duplex:
    """Answer `101 UPGRADED` and take the connection over; `200 OK` to a client that did not ask for an upgrade.

    After this an error can no longer become an HTTP answer. The handler returns `duplex.response`. A client types
    only when it has the answer, as all of Docker's do; what it sent before is lost in aiohttp's parser.
    """
    connection, transport = cast(Connection, request.http.protocol), request.http.transport
    if transport is None:
        raise ConnectionResetError("the client left before its connection was taken over")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=CHUNK, loop=loop)
    protocol = _Hijacker(reader, connection)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    writer.write(_head(request, tty))
    duplex = Duplex(reader, writer)
    request.answering = duplex.response
    return duplex


def _head(request: Request, tty: bool) -> bytes:
    upgrade = "upgrade" in request.http.headers.get("Connection", "").lower()
    lines = ["HTTP/1.1 101 UPGRADED" if upgrade else "HTTP/1.1 200 OK"]
    lines.append(f"Content-Type: {content_type(request.api_version, tty) if upgrade else RAW}")
    if upgrade:
        lines += ["Connection: Upgrade", "Upgrade: tcp"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
