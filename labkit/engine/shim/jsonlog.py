"""A container's log file: Docker's json-file driver. One JSON object a line, `{"log", "stream", "time"}`.

Output is cut at line ends; a line without end is cut at 16 KiB, and its rest is written when the stream ends. The
file is bounded: at `max_size` it becomes `.1`, the older `.1` becomes `.2`, and the oldest goes.
"""

import json
import os
import time
from contextlib import suppress

LINE = 16 * 1024  # the longest piece, as dockerd cuts it
NAMES = {1: "stdout", 2: "stderr"}


class JsonLog:
    """Writes one container's output. Never raises: a full disk must not stop a container (what is lost is counted)."""

    def __init__(self, path: str, max_size: int, max_files: int) -> None:
        self.path, self.max_size, self.max_files = path, max_size, max_files
        self.lost = 0
        self.partial = {1: b"", 2: b""}
        self._open()

    def _open(self) -> None:
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = os.fstat(self.fd).st_size

    def write(self, stream: int, data: bytes) -> None:
        """Take output as it was read; whole lines of it go to the file at once."""
        lines = (self.partial[stream] + data).split(b"\n")
        self.partial[stream] = lines.pop()
        pieces = [piece for line in lines for piece in _pieces(line + b"\n")]
        while len(self.partial[stream]) >= LINE:
            pieces.append(self.partial[stream][:LINE])
            self.partial[stream] = self.partial[stream][LINE:]
        if pieces:
            self._append(stream, pieces)

    def close(self) -> None:
        """Write what is left of the last lines, and close the file."""
        for stream, rest in self.partial.items():
            if rest:
                self._append(stream, [rest])
        self.partial = {1: b"", 2: b""}
        os.close(self.fd)

    def _append(self, stream: int, pieces: list[bytes]) -> None:
        when = timestamp(time.time_ns())
        waiting: list[bytes] = []  # lines for the current file, written at once
        room = self.max_size - self.size
        for piece in pieces:
            entry = {"log": piece.decode(errors="replace"), "stream": NAMES[stream], "time": when}
            line = json.dumps(entry).encode() + b"\n"
            if len(line) > room and (waiting or self.size):
                self._write(waiting)
                self._rotate()
                waiting, room = [], self.max_size
            waiting.append(line)
            room -= len(line)
        self._write(waiting)

    def _write(self, lines: list[bytes]) -> None:
        try:
            self.size += os.write(self.fd, b"".join(lines))
        except OSError:
            self.lost += len(lines)

    def _rotate(self) -> None:
        os.close(self.fd)
        for number in range(self.max_files - 1, 0, -1):
            older = f"{self.path}.{number - 1}" if number > 1 else self.path
            with suppress(OSError):
                os.rename(older, f"{self.path}.{number}")
        if self.max_files == 1:
            os.unlink(self.path)
        self._open()


def _pieces(line: bytes) -> list[bytes]:
    return [line[at : at + LINE] for at in range(0, len(line), LINE)]


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 with nanoseconds, in UTC: 2026-01-31T12:00:00.123456789Z."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"
