"""From a process's output to its log and to whoever is attached; and from them to its input.

What is attached is one end of a socketpair that the engine handed over. It gets output as it goes over the wire:
raw bytes from a terminal, else Docker's frames, an 8-byte header and a payload, one frame a read: Docker API,
"Attach to a container". Whoever does not read makes the process wait in the end, as with dockerd.
"""

import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from labkit.engine.shim.jsonlog import JsonLog
from labkit.engine.shim.loop import GONE, READ, WRITE, Loop

CHUNK = 32 * 1024
HIGH_WATER = 1 << 20  # bytes waiting for one reader at which the process is made to wait


@dataclass(eq=False)
class Reader:
    """Somebody attached: which streams they want, what still waits to be sent to them."""

    sock: socket.socket
    stdin: bool
    streams: frozenset[int]
    waiting: bytearray = field(default_factory=bytearray)


class Streams:
    """The three streams of one process. `drained` is called when no more output can come.

    Its owner then calls `finish`, and, when the process's end has been told, `release`: whoever sees the end of the
    output can then ask for the exit status and get it.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        raw: bool,
        log: JsonLog | None,
        stdin_once: bool,
        drained: Callable[[], None],
    ) -> None:
        self.loop, self.raw, self.log, self.stdin_once, self.drained = loop, raw, log, stdin_once, drained
        self.sources: dict[int, int] = {}  # descriptor -> 1 stdout, 2 stderr
        self.stdin: int | None = None
        self.pending_input = bytearray()
        self.input_ends = False
        self.readers: list[Reader] = []
        self.closed = False
        self.released = False

    # --- output ---------------------------------------------------------------------------------------------------
    def add_source(self, fd: int, stream: int) -> None:
        """Read a pipe's or a pty's end from now on."""
        os.set_blocking(fd, False)
        self.sources[fd] = stream
        self._resume()

    def _resume(self) -> None:
        """Read only while nobody attached lags too far behind."""
        events = 0 if any(len(r.waiting) > HIGH_WATER for r in self.readers) else READ
        for fd in self.sources:
            self.loop.watch(fd, events, lambda events, fd=fd: self._readable(fd, events))  # type: ignore[misc]

    def _readable(self, fd: int, events: int) -> None:
        if not self._read_once(fd) and not self.sources:
            self.drained()

    def _read_once(self, fd: int) -> bool:
        """Read and pass on one chunk; False at the stream's end (a pty ends with EIO)."""
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            self._drop_source(fd)
            return False
        self._spread(self.sources[fd], data)
        return True

    def _drop_source(self, fd: int) -> None:
        del self.sources[fd]
        self.loop.forget(fd)
        os.close(fd)
        if fd == self.stdin:  # a pty's one descriptor serves both ways
            self.stdin = None

    def _spread(self, stream: int, data: bytes) -> None:
        if self.log:
            self.log.write(stream, data)
        frame = data if self.raw else struct.pack(">BxxxI", stream, len(data)) + data
        for reader in list(self.readers):
            if stream in reader.streams:
                reader.waiting += frame
                self._flush(reader)

    def finish(self) -> None:
        """No more output will come, or nobody waits for it any longer: take what is there, and end the log."""
        if self.closed:
            return
        for fd in list(self.sources):
            while self._has_more(fd):
                pass
            self._drop_source(fd)
        self.closed = True
        self._close_stdin()
        if self.log:
            self.log.close()

    def release(self) -> None:
        """Let the readers go, each when it has got all."""
        self.released = True
        for reader in list(self.readers):
            self._flush(reader)

    def _has_more(self, fd: int) -> bool:
        try:
            data = os.read(fd, CHUNK)
        except OSError:
            return False
        if data:
            self._spread(self.sources[fd], data)
        return bool(data)

    # --- readers --------------------------------------------------------------------------------------------------
    def attach(self, reader: Reader) -> None:
        """Let somebody read what comes from now on, and write to the input if they asked for that."""
        reader.sock.setblocking(False)
        self.readers.append(reader)
        self._watch(reader)
        if self.released:
            self._flush(reader)

    def _watch(self, reader: Reader) -> None:
        wants_input = reader.stdin and not self.pending_input and not self.closed
        events = (READ if wants_input else 0) | (WRITE if reader.waiting else 0)
        self.loop.watch(reader.sock.fileno(), events, lambda events: self._ready(reader, events))

    def _ready(self, reader: Reader, events: int) -> None:
        if events & WRITE:
            self._flush(reader)
        if reader in self.readers and events & READ and reader.stdin:
            self._take_input(reader, events)
        elif events & GONE and reader in self.readers:
            self._detach(reader)

    def _flush(self, reader: Reader) -> None:
        """Send what waits; a reader who is gone is forgotten, one who has got all after the end is let go."""
        lagged = len(reader.waiting) > HIGH_WATER
        try:
            while reader.waiting:
                del reader.waiting[: reader.sock.send(reader.waiting)]
        except BlockingIOError:
            pass
        except OSError:
            self._detach(reader)
            return
        if self.released and not reader.waiting:
            self._detach(reader)
            return
        self._watch(reader)
        if lagged or len(reader.waiting) > HIGH_WATER:
            self._resume()

    def _detach(self, reader: Reader) -> None:
        self.readers.remove(reader)
        self.loop.forget(reader.sock.fileno())
        reader.sock.close()
        self._resume()

    # --- input ----------------------------------------------------------------------------------------------------
    def _take_input(self, reader: Reader, events: int) -> None:
        try:
            data = reader.sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.pending_input += data
            self._feed()
        elif events & GONE:  # they are gone altogether: their leaving is not an end of input
            self._detach(reader)
            return
        else:  # they said that no more input comes, and still read
            reader.stdin = False
            self.input_ends = self.stdin_once and not self.raw
            self._feed()
        if reader in self.readers:
            self._watch(reader)

    def _feed(self) -> None:
        """Give waiting input to the process, as much as it takes."""
        if self.stdin is None:
            self.pending_input.clear()
            return
        try:
            while self.pending_input:
                del self.pending_input[: os.write(self.stdin, self.pending_input)]
        except BlockingIOError:
            self._wait_for_room(self.stdin)
            return
        except OSError:  # the process has closed its input
            self.pending_input.clear()
            self.input_ends = True
        if self.input_ends:
            self._close_stdin()

    def _wait_for_room(self, fd: int) -> None:
        if self.raw:  # the pty's descriptor is already watched for output: look again soon
            self.loop.later(0.01, self._feed_again)
        else:
            self.loop.watch(fd, WRITE, lambda events: self._feed_again())

    def _feed_again(self) -> None:
        if self.stdin is not None:
            if not self.raw:
                self.loop.forget(self.stdin)
            self._feed()
        for reader in self.readers:
            self._watch(reader)

    def _close_stdin(self) -> None:
        if self.stdin is not None and self.stdin not in self.sources:
            self.loop.forget(self.stdin)
            with suppress(OSError):
                os.close(self.stdin)
        self.stdin = None
