"""The channel at work: streams on one side, sockets on the other. The same loop runs on the host and in the guest.

Each end says two things: which sockets it listens on, and with which target a stream is opened for each caller; and
what to do with the targets that the other end asks for. Everything between is copying, in a single thread with
selectors: asyncio would be nicer to read, but its import alone takes a second in an emulated guest.

A socket is read only while its stream has room and the channel is not clogged, so a slow reader at one end slows the
writer at the other, and nothing piles up between.

One thing is more than copying. The Docker SDK reads the head of an answer through a buffer, and what follows, for a
connection that becomes a plain stream, past it: what comes in one piece with the head it loses. So the engine waits
until the head has been taken, and as here that only means that it is in the channel, this end must wait once more.
"""

import contextlib
import fcntl
import selectors
import socket
import struct
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from labkit.microvm.channel import Channel
from labkit.microvm.mux import PIECE, Acknowledged, Ended, Event, Mux, Opened, Received, Reset

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
CLOGGED = 1 << 17  # bytes that wait for the channel; beyond it no socket is read
HEAD_SECONDS, TICK = (
    0.5,
    0.0005,
)  # how long what follows a head waits for it to be taken, and how often that is looked at

HeadLength = Callable[[bytes], int]
"""Given a piece for a socket: how many of its first bytes the reader must have taken before the rest is sent; or 0."""

OnOpen = Callable[[str], socket.socket | None]
"""Given the target that the other end asks for: the socket to connect it with, or None to refuse."""


@dataclass(eq=False)
class _Local:
    """A socket here that a stream is connected with."""

    sock: socket.socket
    stream: int
    waiting: bytearray = field(default_factory=bytearray)  # for the socket; bounded by the stream's credit
    read_all: bool = False  # the socket has ended, and the stream was told
    ended: bool = False  # the stream has ended; the socket is told when `waiting` is empty
    closed: bool = False
    head_length: HeadLength = lambda piece: 0
    held_until: float = 0.0  # what waits stays here until the head has been taken, or this moment


class Relay:
    """One end of the channel with its sockets."""

    def __init__(self, channel: Channel, *, host: bool, on_open: OnOpen) -> None:
        self.mux = Mux(host)
        self.events = 0
        """How many descriptors have been served; as long as it stays the same, nothing comes or goes."""
        self._channel, self._on_open = channel, on_open
        self._locals: dict[int, _Local] = {}
        self._held: list[_Local] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel.fd, READ, self._channel_ready)

    # --- what an end is made of --------------------------------------------------------------------------------

    def listen(self, listener: socket.socket, target: str, head_length: HeadLength = lambda piece: 0) -> None:
        """Open a stream with `target` for everybody who connects to a listening socket."""
        listener.setblocking(False)
        self.watch(listener.fileno(), lambda: self._accept(listener, target, head_length))

    def ignore(self, fd: int) -> None:
        """Undo `listen` or `watch`, before the descriptor is closed."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)

    def watch(self, fd: int, on_readable: Callable[[], None]) -> None:
        """Call a function whenever a descriptor can be read."""
        self._selector.register(fd, READ, lambda events: on_readable())

    def connect(self, sock: socket.socket, target: str, head_length: HeadLength = lambda piece: 0) -> None:
        """Open a stream with `target` for a connected socket, which the relay then owns."""
        self._adopt(sock, self.mux.open(target)).head_length = head_length

    def tell(self, target: str) -> None:
        """Send one word: a stream that is opened and ended at once."""
        self.mux.end(self.mux.open(target))

    @property
    def busy(self) -> int:
        """How many streams there are now."""
        return len(self._locals)

    # --- the loop ----------------------------------------------------------------------------------------------

    def turn(self, seconds: float | None = None) -> None:
        """Wait for the next events, at most so many seconds, and do what they ask for. Raises ChannelClosed."""
        self._flush()
        self._set_interests()
        for key, events in self._selector.select(TICK if self._held else seconds):
            if key.fd in self._selector.get_map():  # else an event before this one has closed it
                self.events += 1
                key.data(events)
        for local in [local for local in self._held if _may_go_on(local)]:
            self._held.remove(local)
            self._write_local(local)

    def _set_interests(self) -> None:
        clogged = self.mux.waiting >= CLOGGED
        writes = self.mux.waiting and self.mux.greeted and not self._channel.full()
        self._interest(self._channel.fd, READ | (WRITE if writes else 0))
        for local in self._locals.values():
            readable = not local.read_all and not clogged and self.mux.room(local.stream) > 0
            self._interest(
                local.sock.fileno(),
                (READ if readable else 0) | (WRITE if local.waiting and local not in self._held else 0),
                local,
            )

    def _interest(self, fd: int, events: int, local: _Local | None = None) -> None:
        """selectors knows no "nothing": a socket without interest is taken out, and put back later."""
        key = self._selector.get_map().get(fd)
        if key is None and events and local:
            self._selector.register(fd, events, lambda happened: self._local_ready(local, happened))
        elif key is not None and not events:
            self._selector.unregister(fd)
        elif key is not None and key.events != events:
            self._selector.modify(fd, events, key.data)

    # --- the channel -------------------------------------------------------------------------------------------

    def _channel_ready(self, events: int) -> None:
        if events & READ:
            for event in self.mux.receive(self._channel.read()):
                self._happened(event)
            if owed := self._channel.owed():
                self.mux.acknowledge(owed)
        if events & WRITE:
            self._flush()

    def _flush(self) -> None:
        while outgoing := self.mux.outgoing():
            count = self._channel.write(outgoing)
            self.mux.wrote(count)
            if not count:
                break

    def _happened(self, event: Event) -> None:
        if isinstance(event, Opened):
            sock = self._on_open(event.target)
            if sock is None:
                self.mux.reset(event.stream)
            else:
                self._adopt(sock, event.stream)
        elif isinstance(event, Acknowledged):
            self._channel.acknowledged(event.count)
        elif local := self._locals.get(event.stream):
            self._happened_to(local, event)

    def _happened_to(self, local: _Local, event: Event) -> None:
        if isinstance(event, Received):
            self._pass_on(local, event.data)
        elif isinstance(event, Ended):
            local.ended = True
            self._settle(local)
        elif isinstance(event, Reset):
            self._close(local)

    # --- the sockets -------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket, target: str, head_length: HeadLength) -> None:
        with contextlib.suppress(OSError):  # the caller has left already, or we have no descriptor for it
            self.connect(listener.accept()[0], target, head_length)

    def _adopt(self, sock: socket.socket, stream: int) -> _Local:
        sock.setblocking(False)
        self._locals[stream] = local = _Local(sock, stream)
        return local

    def _pass_on(self, local: _Local, data: bytes) -> None:
        head = local.head_length(data)
        local.waiting += data[: head or len(data)]
        if local not in self._held:
            self._write_local(local)
        if head and not local.closed:
            local.waiting += data[head:]
            local.held_until = time.monotonic() + HEAD_SECONDS
            self._held.append(local)

    def _local_ready(self, local: _Local, events: int) -> None:
        if events & WRITE:
            self._write_local(local)
        if events & READ and not local.closed:
            self._read_local(local)

    def _read_local(self, local: _Local) -> None:
        room = min(self.mux.room(local.stream), PIECE)
        if not room:
            return
        try:
            data = local.sock.recv(room)
        except BlockingIOError:
            return
        except OSError:
            self._give_up(local)
            return
        if data:
            self.mux.send(local.stream, data)
        else:
            local.read_all = True
            self.mux.end(local.stream)
            self._settle(local)

    def _write_local(self, local: _Local) -> None:
        try:
            while local.waiting:
                count = local.sock.send(local.waiting[:PIECE])
                del local.waiting[:count]
                self.mux.used(local.stream, count)
        except BlockingIOError:
            return
        except OSError:
            self._give_up(local)
            return
        self._settle(local)

    def _settle(self, local: _Local) -> None:
        """Pass an end on when nothing waits before it; close when both directions have ended."""
        if local.ended and not local.waiting and not local.closed and local not in self._held:
            with contextlib.suppress(OSError):
                local.sock.shutdown(socket.SHUT_WR)
            if local.read_all:
                self._close(local)

    def _give_up(self, local: _Local) -> None:
        self.mux.reset(local.stream)
        self._close(local)

    def _close(self, local: _Local) -> None:
        if local.closed:
            return
        local.closed = True
        if local in self._held:
            self._held.remove(local)
        self.ignore(local.sock.fileno())
        local.sock.close()
        self._locals.pop(local.stream, None)


def _may_go_on(local: _Local) -> bool:
    """Whether the reader has taken what it was sent: SIOCOUTQ, which unix(7) sockets know too, is then 0."""
    (unread,) = struct.unpack("i", fcntl.ioctl(local.sock, termios.TIOCOUTQ, bytes(4)))
    return unread == 0 or time.monotonic() > local.held_until
