"""What a container printed, read back from its json-file log: the last lines, a span of time, or as it comes.

The shim writes `log.json`, and renames it to `log.json.1` when it is full. Each line is one object:
`{"log": "text\\n", "stream": "stdout", "time": "2026-01-31T12:00:00.123456789Z"}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import struct
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from labkit import linux
from labkit.engine.containers import timestamps

INLINE = 256 << 10
"""Bytes of log that are parsed in the event loop at once, about 3 ms; more of them are parsed in a thread."""

BATCH = 64 << 10
"""Bytes that are read, and sent, at a time."""

STREAMS = {"stdout": 1, "stderr": 2}
IN_CREATE = 0x100


@dataclass(frozen=True)
class Wanted:
    """Which lines, and how they are sent. Times are seconds since 1970; `tail` None means all."""

    stdout: bool = True
    stderr: bool = True
    tail: int | None = None
    since: float | None = None
    until: float | None = None
    timestamps: bool = False
    raw: bool = False
    """As bytes (for a terminal), not in frames."""

    def packer(self) -> Callable[[bytes], bytes]:
        """A function from one line of the log to what the client gets of it."""
        streams = {name for name, on in (("stdout", self.stdout), ("stderr", self.stderr)) if on}
        first = timestamps.rfc3339(int(self.since * 1e9)) if self.since else ""
        last = timestamps.rfc3339(int(self.until * 1e9)) if self.until else ""
        broken = dict.fromkeys(STREAMS, False)  # whether the last piece of a stream had no line end

        def pack(line: bytes) -> bytes:
            entry = _parse(line)
            if entry is None:
                return b""
            stream, when = entry["stream"], entry["time"]
            goes_on, broken[stream] = broken[stream], not entry["log"].endswith("\n")
            # these times all have one form, so their texts compare as they do
            if stream not in streams or when < first or (last and when > last):
                return b""
            text = entry["log"].encode()
            if self.timestamps and not goes_on:
                text = f"{when} ".encode() + text
            return text if self.raw else frame(STREAMS[stream], text)

        return pack


def _parse(line: bytes) -> dict[str, Any] | None:
    """One entry; None for half a line, as a full disk leaves behind."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    known = isinstance(entry, dict) and entry.get("stream") in STREAMS and {"log", "time"} <= entry.keys()
    return entry if known else None


def frame(stream: int, payload: bytes) -> bytes:
    """Docker's multiplexed stream: one byte for the stream, three of nothing, four for the length, the payload."""
    return struct.pack(">BxxxI", stream, len(payload)) + payload


# --- what is there -----------------------------------------------------------------------------------------------


def files(path: str) -> list[str]:
    """The log and those that it has pushed aside, oldest first."""
    found = []
    number = 1
    while os.path.exists(f"{path}.{number}"):
        found.append(f"{path}.{number}")
        number += 1
    return [*reversed(found), *([path] if os.path.exists(path) else [])]


class Log:
    """One reader's way through a log: first what is there, then what comes."""

    def __init__(self, path: str, wanted: Wanted) -> None:
        self.path = path
        self._wanted = wanted
        self._pack = wanted.packer()
        self._rest = b""
        self._file: Any = None

    def past(self) -> Iterator[bytes]:
        """All that is there now, in batches; blocking."""
        lines = self._lines()
        if self._wanted.tail is not None:
            lines = iter(deque(lines, self._wanted.tail))
        yield from _batches(map(self._pack, lines))

    def _lines(self) -> Iterator[bytes]:
        for path in files(self.path):
            self._open(path)
            yield from self._whole_lines()

    def _open(self, path: str) -> None:
        self.close()
        with contextlib.suppress(FileNotFoundError):  # pushed out just now
            self._file = open(path, "rb")  # noqa: SIM115, it is kept open to be followed

    def _whole_lines(self) -> Iterator[bytes]:
        while self._file and (data := self._file.read(BATCH)):
            *lines, self._rest = (self._rest + data).split(b"\n")
            yield from lines

    def more(self) -> bytes:
        """What came since: the rest of this file, and of the one that took its place."""
        found = [*map(self._pack, self._whole_lines())]
        if self._replaced():
            self._open(self.path)
            found += map(self._pack, self._whole_lines())
        return b"".join(found)

    def _replaced(self) -> bool:
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return self._file is None or os.fstat(self._file.fileno()).st_ino != there.st_ino

    def close(self) -> None:
        if self._file:
            self._file.close()
        self._file = None


def _batches(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= BATCH:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


# --- what comes --------------------------------------------------------------------------------------------------


async def read(path: str, wanted: Wanted, ended: asyncio.Future[int] | None = None) -> AsyncIterator[bytes]:
    """The log as the client wants it. With `ended`, what comes later too, until that future is done."""
    log = Log(path, wanted)
    try:
        async for piece in _past(log):
            yield piece
        if ended is not None:
            async for piece in _following(log, ended, wanted.until):
                yield piece
    finally:
        log.close()
        if ended is not None:
            ended.cancel()


async def _past(log: Log) -> AsyncIterator[bytes]:
    pieces = log.past()
    if sum(os.path.getsize(path) for path in files(log.path)) <= INLINE:
        for piece in pieces:
            yield piece
        return
    while (found := await asyncio.to_thread(next, pieces, None)) is not None:
        yield found


async def _following(log: Log, ended: asyncio.Future[int], until: float | None) -> AsyncIterator[bytes]:
    with watching(os.path.dirname(log.path)) as changed:
        while True:
            over = ended.done()  # asked before reading: what was printed before the end is then in the file
            changed.clear()
            if piece := log.more():
                yield piece
                continue
            if over or (until is not None and until <= time.time()):
                return
            await _woken(changed, ended, None if until is None else max(0.0, until - time.time()))


async def _woken(changed: asyncio.Event, ended: asyncio.Future[int], seconds: float | None) -> None:
    """Wait until something was written, the container ended, or the time is up."""
    waiting = asyncio.ensure_future(changed.wait())
    both: set[asyncio.Future[Any]] = {waiting, ended}
    try:
        await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


@contextlib.contextmanager
def watching(folder: str) -> Iterator[asyncio.Event]:
    """An event that is set when a file in the folder changes or comes: inotify(7)."""
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()
    fd = linux.inotify_init()

    def readable() -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(fd, 64 << 10)
        changed.set()

    try:
        with contextlib.suppress(FileNotFoundError):  # removed just now: an end, which wakes the reader too
            linux.inotify_add_watch(fd, folder, linux.IN_MODIFY | IN_CREATE)
        loop.add_reader(fd, readable)
        yield changed
    finally:
        loop.remove_reader(fd)
        os.close(fd)
