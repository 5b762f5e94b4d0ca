"""Many streams of bytes over one: the rules of the channel between a guest and its host, without any socket.

A guest has no network device. All that leads out of it is one channel, so the Docker API, each attached terminal and
each published port share it. The channel carries frames: a header, and for some kinds a payload. A stream is opened
with a *target*, a word that the other side understands; then both directions run and end apart, as TCP's do.

What a side may send is bounded by *credit*: so many bytes as the receiver has promised to keep. Without it one slow
reader would fill the memory of the other side, or stop all other streams. The same idea is in HTTP/2 (RFC 9113, 5.2).

Values in, values out: `receive` takes what was read from the channel and returns events, `outgoing` returns what is to
be written. Whatever the other side sends, the worst that comes of it is ProtocolError: a guest is not to be trusted.
"""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

MAGIC = b"\nlabkit channel 1\n"
"""What each side sends first. The guest's kernel may have written before it on the same line; the host skips that."""

HEADER = struct.Struct(">BIH")
"""A frame's kind, its stream, and the length of its payload in bytes."""

PIECE = 1 << 15
"""The longest payload, in bytes."""

WINDOW = 1 << 18
"""The credit that a new stream begins with, in bytes, in each direction."""

MOUTHFUL = 1 << 18
"""How much is written to the channel at once, at most, in bytes."""

MOST_STREAMS = 4096
_CREDIT = struct.Struct(">I")


class Kind(IntEnum):
    """What a frame means for its stream."""

    OPEN = 1  # payload: the target
    DATA = 2
    END = 3  # no more data in this direction
    CREDIT = 4  # payload: how many more bytes may be sent; on stream 0, which is never opened: `acknowledge`
    RESET = 5  # the stream is over in both directions, what is under way is lost


class ProtocolError(Exception):
    """The other side broke the rules: nothing that it sends can be trusted from here on."""


@dataclass(frozen=True)
class Opened:
    stream: int
    target: str


@dataclass(frozen=True)
class Received:
    stream: int
    data: bytes


@dataclass(frozen=True)
class Ended:
    stream: int


@dataclass(frozen=True)
class Reset:
    stream: int


@dataclass(frozen=True)
class Acknowledged:
    count: int


Event = Opened | Received | Ended | Reset | Acknowledged


@dataclass
class _Stream:
    room: int = WINDOW  # what we may still send
    promised: int = WINDOW  # what the other side may still send
    eaten: int = 0  # received and used up, credit for it not given yet
    sent_end: bool = False
    got_end: bool = False


@dataclass
class Mux:
    """One end of the channel. The host's streams have odd numbers, the guest's even ones: so both may open any time."""

    host: bool
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _incoming: bytearray = field(default_factory=bytearray)
    _outgoing: bytearray = field(default_factory=bytearray)
    _greeted: bool = False
    _last: int = 0

    def __post_init__(self) -> None:
        self._last = -1 if self.host else 0
        if not self.host:
            self._outgoing += MAGIC  # the guest begins: before that nobody listens there

    @property
    def greeted(self) -> bool:
        """Whether the other side has been heard."""
        return self._greeted

    # --- what we do --------------------------------------------------------------------------------------------

    def open(self, target: str) -> int:
        """Begin a stream; returns its number."""
        self._last += 2
        self._streams[self._last] = _Stream()
        self._frame(Kind.OPEN, self._last, target.encode())
        return self._last

    def is_open(self, stream: int) -> bool:
        """Whether a stream has not ended in both directions."""
        return stream in self._streams

    def room(self, stream: int) -> int:
        """How many bytes `send` takes now; 0 for a stream that is over."""
        found = self._streams.get(stream)
        return found.room if found and not found.sent_end else 0

    def send(self, stream: int, data: bytes) -> None:
        """Send some bytes, at most `room`."""
        if len(data) > self.room(stream):
            raise ValueError(f"stream {stream} has room for {self.room(stream)} bytes, not for {len(data)}")
        self._streams[stream].room -= len(data)
        for start in range(0, len(data), PIECE):
            self._frame(Kind.DATA, stream, data[start : start + PIECE])

    def end(self, stream: int) -> None:
        """Say that no more data comes from us."""
        found = self._streams.get(stream)
        if found and not found.sent_end:
            found.sent_end = True
            self._frame(Kind.END, stream)
            self._forget_if_over(stream)

    def reset(self, stream: int) -> None:
        """Give a stream up at once."""
        if self._streams.pop(stream, None):
            self._frame(Kind.RESET, stream)

    def used(self, stream: int, count: int) -> None:
        """`count` bytes that were received need no room any more: the other side may send as many again."""
        found = self._streams.get(stream)
        if found is None or found.got_end:
            return
        found.eaten += count
        if found.eaten >= WINDOW // 4:  # not for every few bytes
            found.promised += found.eaten
            self._frame(Kind.CREDIT, stream, _CREDIT.pack(found.eaten))
            found.eaten = 0

    @property
    def waiting(self) -> int:
        """How many bytes wait to be written to the channel."""
        return len(self._outgoing)

    def outgoing(self) -> bytes:
        """What may be written to the channel now; tell `wrote` how much of it was.

        Nothing before the guest has been heard: until it sets its end up, a terminal there would echo what we send.
        """
        return bytes(self._outgoing[:MOUTHFUL]) if self._greeted or not self.host else b""

    def wrote(self, count: int) -> None:
        """So many bytes of `outgoing` are in the channel."""
        del self._outgoing[:count]

    def acknowledge(self, count: int) -> None:
        """Say that `count` bytes have been taken out of the channel: for one that can't tell itself how full it is."""
        self._frame(Kind.CREDIT, 0, _CREDIT.pack(count))

    # --- what the other side did -------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes that were read from the channel, in pieces of any size; what happened, in order."""
        self._incoming += data
        if not self._greeted and not self._greet():
            return []
        events: list[Event] = []
        start = 0
        while len(self._incoming) - start >= HEADER.size:
            kind, stream, length = HEADER.unpack_from(self._incoming, start)
            if length > PIECE:
                raise ProtocolError(f"a frame of {length} bytes")
            end = start + HEADER.size + length
            if len(self._incoming) < end:
                break
            events += self._obey(kind, stream, bytes(self._incoming[start + HEADER.size : end]))
            start = end
        del self._incoming[:start]
        return events

    def _greet(self) -> bool:
        place = self._incoming.find(MAGIC)
        if place < 0:
            del self._incoming[: max(0, len(self._incoming) - len(MAGIC))]
            return False
        del self._incoming[: place + len(MAGIC)]
        self._greeted = True
        if self.host:
            self._outgoing[:0] = MAGIC  # before the frames of streams that were opened already
        return True

    def _obey(self, kind: int, stream: int, payload: bytes) -> list[Event]:
        if kind == Kind.OPEN:
            return [self._opened(stream, payload)]
        if stream == 0 and kind == Kind.CREDIT and len(payload) == _CREDIT.size:
            return [Acknowledged(_CREDIT.unpack(payload)[0])]
        found = self._streams.get(stream)
        if found is None:
            self._refuse_unknown(kind, stream)
            return []  # it was on its way when we gave the stream up
        if kind == Kind.DATA:
            return [self._received(found, stream, payload)]
        if kind == Kind.END:
            return [self._ended(found, stream)]
        if kind == Kind.CREDIT and len(payload) == _CREDIT.size:
            found.room += _CREDIT.unpack(payload)[0]
            return []
        if kind == Kind.RESET:
            del self._streams[stream]
            return [Reset(stream)]
        raise ProtocolError(f"a frame of kind {kind} with {len(payload)} bytes")

    def _refuse_unknown(self, kind: int, stream: int) -> None:
        """A frame for a stream that nobody ever opened, or of no known kind."""
        ours = stream % 2 == (1 if self.host else 0)
        if kind not in Kind._value2member_map_ or (ours and stream > self._last):
            raise ProtocolError(f"a frame of kind {kind} for stream {stream}, which was never opened")

    def _opened(self, stream: int, payload: bytes) -> Opened:
        ours = stream % 2 == (1 if self.host else 0)
        if ours or stream == 0 or stream in self._streams or len(self._streams) >= MOST_STREAMS:
            raise ProtocolError(f"it may not open stream {stream}")
        self._streams[stream] = _Stream()
        return Opened(stream, payload.decode(errors="replace"))

    def _received(self, found: _Stream, stream: int, payload: bytes) -> Received:
        found.promised -= len(payload)
        if found.promised < 0 or found.got_end:
            raise ProtocolError(f"more data on stream {stream} than was allowed")
        return Received(stream, payload)

    def _ended(self, found: _Stream, stream: int) -> Ended:
        if found.got_end:
            raise ProtocolError(f"stream {stream} ended twice")
        found.got_end = True
        self._forget_if_over(stream)
        return Ended(stream)

    # --- both --------------------------------------------------------------------------------------------------

    def _frame(self, kind: Kind, stream: int, payload: bytes = b"") -> None:
        self._outgoing += HEADER.pack(kind, stream, len(payload)) + payload

    def _forget_if_over(self, stream: int) -> None:
        found = self._streams[stream]
        if found.sent_end and found.got_end:
            del self._streams[stream]
