"""The resolver of user-defined networks: a DNS server at 127.0.0.11 in each container that is on one.

Its sockets are born inside the container's network namespace and stay there; who serves them is this process, here.
So a container reaches its resolver by its own loopback, and needs no way to us.

Left out: Docker hides the port by a rule of the packet filter, so that a container may have a DNS server of its own
at port 53 of every address; here such a server must leave 127.0.0.11 alone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from labkit import linux
from labkit.engine.networks import upstream
from labkit.engine.networks.names import View
from labkit.engine.networks.upstream import MakeSocket

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.11"
PORT = 53
OPTIONS = "ndots:0"
"""In resolv.conf: a name without a dot is a container's, and asked as it is before anything is appended to it."""

AT_ONCE = 32
"""How many packets are read before others have their turn."""

MOST_WAITING = 128
"""How many questions of one container may be with others; what comes beyond gets no answer, and is asked again."""

STREAM_SECONDS, REST_SECONDS = 10.0, 1.0


def sockets(pid: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a listening TCP socket in the network namespace of `pid`. Raises OSError."""
    with linux.in_namespace(pid, "net", linux.CLONE_NEWNET):
        packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        streams = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        for sock in (packets, streams):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((ADDRESS, PORT))
        streams.listen(16)
    except OSError:
        packets.close()
        streams.close()
        raise
    return packets, streams


class Resolver:
    """Answers one container. `views` tells what it sees now, `servers` who is asked for all other names."""

    def __init__(
        self,
        ends: tuple[socket.socket, socket.socket],
        views: Callable[[], Sequence[View]],
        servers: Callable[[], Sequence[str]],
        outside: MakeSocket = socket.socket,
    ) -> None:
        self._packets, self._streams = ends
        self._views, self._servers, self._outside = views, servers, outside
        self._waiting: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._packets.fileno(), self._readable)
        self._listen()

    def close(self) -> None:
        """Stop answering. Nothing happens the second time."""
        for sock in (self._packets, self._streams):
            if sock.fileno() >= 0:
                self._loop.remove_reader(sock.fileno())
                sock.close()
        for task in list(self._waiting):
            task.cancel()

    # --- UDP -----------------------------------------------------------------------------------------------------
    def _readable(self) -> None:
        for _ in range(AT_ONCE):
            try:
                query, client = self._packets.recvfrom(upstream.BIGGEST)
            except OSError:  # no more for now
                return
            said = self._own(query)
            if said is None:
                self._later(self._pass_on(query, client))
            else:
                self._send(said, client)

    def _own(self, query: bytes, *, stream: bool = False) -> bytes | None:
        from labkit.engine.networks import dns  # here: only who asks for a name pays for the import

        try:
            return dns.answer(query, self._views, stream=stream)
        except Exception:  # whatever a container sends, the others go on being served
            log.exception("a DNS query of %d bytes could not be answered", len(query))
            return dns.failure(query)

    def _send(self, said: bytes, client: tuple[str, int]) -> None:
        if said and self._packets.fileno() >= 0:
            try:
                self._packets.sendto(said, client)
            except OSError as refused:  # the container is on its way out, or its buffers are full: it asks again
                log.debug("a DNS answer was not sent: %s", refused)

    async def _pass_on(self, query: bytes, client: tuple[str, int]) -> None:
        self._send(await self._others(query), client)

    async def _others(self, query: bytes, *, stream: bool = False) -> bytes:
        from labkit.engine.networks import dns

        said = await upstream.ask(query, self._servers(), self._outside, stream=stream)
        return dns.failure(query) if said is None else said

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._waiting) >= MOST_WAITING:
            work.close()
            return
        task = self._loop.create_task(work)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    # --- TCP -----------------------------------------------------------------------------------------------------
    def _listen(self) -> None:
        if self._streams.fileno() >= 0:
            self._loop.add_reader(self._streams.fileno(), self._connected)

    def _connected(self) -> None:
        try:
            client, _ = self._streams.accept()
        except BlockingIOError:
            return
        except OSError as full:  # out of descriptors or memory: to ask again at once would only burn time
            log.warning("a DNS client has to wait: %s", full)
            self._loop.remove_reader(self._streams.fileno())
            self._loop.call_later(REST_SECONDS, self._listen)
            return
        client.setblocking(False)
        if len(self._waiting) >= MOST_WAITING:
            client.close()
        else:
            self._later(self._converse(client))

    async def _converse(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client)
        try:
            async with asyncio.timeout(STREAM_SECONDS):
                while size := int.from_bytes(await reader.readexactly(2), "big"):
                    query = await reader.readexactly(size)
                    said = self._own(query, stream=True)
                    if said is None:
                        said = await self._others(query, stream=True)
                    if not said:  # noise: there is nothing more to talk about
                        return
                    writer.write(len(said).to_bytes(2, "big") + said)
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as ended:
            log.debug("a DNS conversation ended: %r", ended)
        finally:
            writer.close()
