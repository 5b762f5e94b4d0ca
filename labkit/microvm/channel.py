"""The one way out of a guest: a descriptor for bytes in both directions, and how it is kept from overflowing.

QEMU's is a port of a virtio-serial device, and says itself when it is full. User-mode Linux has only a terminal line,
and towards the guest that one has a flaw: when the 4096 bytes of the terminal's buffer are full, it stops for good. So
the host sends no more than fits, and waits to be told what was read. It would be slow for an image of some megabytes;
but the guest sees the host's files, so larger pieces go as *parcels*: a file each, and only its number on the line.

On such a line the host writes records: a header, then that many bytes, or for a parcel nothing.
"""

import contextlib
import os
import struct
from collections import deque
from pathlib import Path

RECORD = struct.Struct(">BI")  # DIRECT and how many bytes follow, or PARCEL and its number
DIRECT, PARCEL = 0, 1
LINE = 3900  # bytes that may be under way on the line; 128 of the 4096 must stay free (Linux, drivers/tty/n_tty.c)
SMALL = 1024  # bytes; what is longer goes as a parcel
MOST_PARCELS = 8  # that wait to be read


class ChannelClosed(Exception):
    """The other end is gone."""


class Channel:
    """A descriptor that tells when it is full."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        os.set_blocking(fd, False)

    def read(self) -> bytes:
        """What has come in, b"" if nothing has. Raises ChannelClosed."""
        try:
            data = os.read(self.fd, 1 << 17)
        except BlockingIOError:
            return b""
        except OSError as error:  # EIO from a terminal, ECONNRESET from a socket: the same in other words
            raise ChannelClosed(os.strerror(error.errno or 0)) from error
        if not data:
            raise ChannelClosed("end of file")
        return data

    def write(self, data: bytes) -> int:
        """Write some bytes; how many were taken. Raises ChannelClosed."""
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ChannelClosed(os.strerror(error.errno or 0)) from error

    def full(self) -> bool:
        """Whether it is useless to wait until the descriptor can be written to."""
        return False

    def owed(self) -> int:
        """How many bytes were read that the other end should be told about."""
        return 0

    def acknowledged(self, count: int) -> None:
        """The other end has read so many bytes."""


class LineToGuest(Channel):
    """HOST side of a terminal line."""

    def __init__(self, fd: int, parcels: Path) -> None:
        super().__init__(fd)
        os.set_blocking(fd, True)  # what we write fits, so it never has to wait; what we read is there
        self._folder = parcels
        self._sent = self._read_there = self._number = 0
        self._parcels: deque[tuple[int, Path]] = deque()  # where on the line its record ends, and the file

    def full(self) -> bool:
        return self._sent - self._read_there > LINE - RECORD.size - SMALL or len(self._parcels) >= MOST_PARCELS

    def write(self, data: bytes) -> int:
        if self.full() or not data:
            return 0
        record = RECORD.pack(DIRECT, len(data)) + data if len(data) <= SMALL else self._parcel(data)
        super().write(record)
        self._sent += len(record)
        if len(data) > SMALL:
            self._parcels.append((self._sent, self._folder / str(self._number)))
        return len(data)

    def _parcel(self, data: bytes) -> bytes:
        """A file that never existed before: the guest may remember one that it has seen, and would not look again."""
        self._number += 1
        (self._folder / str(self._number)).write_bytes(data)
        return RECORD.pack(PARCEL, self._number)

    def acknowledged(self, count: int) -> None:
        self._read_there += count
        while self._parcels and self._parcels[0][0] <= self._read_there:
            self._parcels.popleft()[1].unlink(missing_ok=True)


class LineFromHost(Channel):
    """GUEST side of a terminal line."""

    def __init__(self, fd: int, parcels: str) -> None:
        super().__init__(fd)
        self._folder = parcels
        self._incoming = bytearray()
        self._owed = 0
        self._opened = False  # a parcel, since the last time that we told what was read

    def read(self) -> bytes:
        data = super().read()
        self._owed += len(data)
        self._incoming += data
        return b"".join(self._records())

    def _records(self) -> list[bytes]:
        found = []
        while len(self._incoming) >= RECORD.size:
            kind, number = RECORD.unpack_from(self._incoming)
            end = RECORD.size + (number if kind == DIRECT else 0)
            if len(self._incoming) < end:
                break
            found.append(bytes(self._incoming[RECORD.size : end]) if kind == DIRECT else self._open_parcel(number))
            del self._incoming[:end]
        return found

    def _open_parcel(self, number: int) -> bytes:
        self._opened = True
        with open(f"{self._folder}/{number}", "rb") as parcel:
            data = parcel.read()
            with contextlib.suppress(OSError):  # its pages would only take memory: nobody reads it again
                os.posix_fadvise(parcel.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return data

    def owed(self) -> int:
        """All of it, but not for every few bytes; and at once after a parcel, whose file waits to be removed."""
        if self._owed < LINE // 8 and not self._opened:
            return 0
        owed, self._owed, self._opened = self._owed, 0, False
        return owed
