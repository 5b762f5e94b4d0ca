"""Copy a folder's content into another, with owners, modes, links and attributes: one archive, packed and unpacked.

Both folders are descriptors, so that nothing which lies in them can lead the copy elsewhere (beneath.py).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

from labkit.engine.images.extract import extract
from labkit.engine.images.pack import pack
from labkit.engine.images.tarstream import Limits

_OWN_COPY = Limits(expansion=1 << 30)  # sparse files of our own are no bomb


def copy_content(source: int, target: int) -> None:
    """Copy what is in an open folder into another one, which also gets the first one's owner, mode and times.

    Raises OSError.
    """
    there, path = os.fstat(source), f"/proc/self/fd/{target}"
    os.chown(path, there.st_uid, there.st_gid)
    os.chmod(path, there.st_mode & 0o7777)
    extract(Pipe(pack(source, "/", top="", exact_times=True)), target, devices=True, limits=_OWN_COPY)
    os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns))  # last: filling it changed its times


class Pipe(io.RawIOBase):
    """An iterator of pieces, to be read like a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.left = pieces, b""

    def read(self, size: int = -1, /) -> bytes:
        while not self.left and (piece := next(self.pieces, None)) is not None:
            self.left = piece
        data, self.left = self.left[:size], self.left[size:]
        return data
