"""Read a tar archive that somebody else wrote: one entry after another, within limits.

Python's tarfile is only the parser here. It never touches the file system, and never sees more bytes than this
module lets through: an archive can claim a header of gigabytes, or be a kilobyte that unpacks to one.
Compressed archives (gzip, bzip2, xz) are known by their first bytes. Left out: zstd, which Python 3.11 cannot read.

Source: tar(5); for the limits, what the Docker and Podman projects had to add after attacks.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import IO, BinaryIO, NoReturn, Protocol, TypeVar

from labkit.engine.errors import BadParameter

XATTR = "SCHILY.xattr."  # how tar(5) writes an extended attribute: a pax record with this prefix
_Result = TypeVar("_Result")
_CHUNK = 1 << 18
_XZ_MEMORY = 128 << 20  # an xz file chooses how much memory its reader needs

# What tarfile raises for odd input; RecursionError, as it reads each extended header inside the one before.
_PARSER_FAILURES = (tarfile.TarError, ValueError, ArithmeticError, LookupError, RecursionError)


class Readable(Protocol):
    """Anything with read(n) that gives b"" at its end."""

    def read(self, size: int, /) -> bytes: ...


class BadArchive(BadParameter, ValueError):
    """400: the archive is damaged, too large, or tries to reach outside. Says which entry and why."""

    def __init__(self, reason: str, entry: str = "") -> None:
        self.reason, self.entry = reason, entry
        super().__init__(f"archive entry {entry!r}: {reason}" if entry else f"archive: {reason}")


@dataclass(frozen=True)
class Limits:
    """How much an archive may ask for. The defaults let through what real images hold, and stop bombs."""

    bytes: int = 16 << 30
    entries: int = 300_000
    header: int = 1 << 20  # of one entry, with its long names and pax records
    name: int = 4095  # PATH_MAX of limits.h, without the zero byte
    component: int = 255  # NAME_MAX
    depth: int = 128
    expansion: int = 200  # unpacked bytes for one packed byte, once past `free`; gzip can do 1032
    free: int = 64 << 20


LIMITS = Limits()


@dataclass
class Entry:
    """One entry: its name in parts and tarfile's record of it."""

    parts: list[str]
    info: tarfile.TarInfo
    _data: IO[bytes] | None = None

    @property
    def name(self) -> str:
        return self.info.name

    def chunks(self) -> Iterator[bytes]:
        """The bytes of a regular file, to be read before the next entry is asked for."""
        try:
            while self._data and (data := self._data.read(_CHUNK)):
                yield data
        except tarfile.TarError as error:
            raise BadArchive(f"the archive ends early ({error})", self.name) from error

    def xattrs(self) -> dict[str, bytes]:
        """The extended attributes (xattr(7)) that come with it."""
        found = self.info.pax_headers.items()
        return {k[len(XATTR) :]: v.encode("utf-8", "surrogateescape") for k, v in found if k.startswith(XATTR)}


def entries(stream: Readable, limits: Limits = LIMITS) -> Iterator[Entry]:
    """Give the entries of an archive, decompressed if need be. Raises BadArchive; an empty stream has none."""
    gate = _Gate(stream, limits)
    try:
        yield from _parse(gate, limits)
    except BadArchive:
        raise
    except _PARSER_FAILURES as error:
        raise BadArchive(f"not a readable tar ({error})") from error


def _parse(gate: _Gate, limits: Limits) -> Iterator[Entry]:
    if not gate.ready():
        return
    with gate.header(partial(tarfile.open, fileobj=_as_file(gate), mode="r|", bufsize=_CHUNK, tarinfo=_Strict)) as tar:
        number = end = 0
        while info := gate.header(partial(_next, tar, gate, end)):
            number, end = number + 1, info.offset_data + info.size
            if number > limits.entries:
                raise BadArchive(f"more than {limits.entries} entries")
            tar.members = []  # type: ignore[attr-defined]  # it remembers each entry; a long archive would fill the memory
            yield from _checked(tar, info, gate, limits)


def _next(tar: tarfile.TarFile, gate: _Gate, end: int) -> tarfile.TarInfo | None:
    """The next header; None at the end, be it right behind the last file's bytes: `docker build -f -` pads no block."""
    try:
        return tar.next()
    except tarfile.ReadError:
        if gate.given == end:
            return None
        raise


def _checked(tar: tarfile.TarFile, info: tarfile.TarInfo, gate: _Gate, limits: Limits) -> Iterator[Entry]:
    if info.size < 0 or info.mode < 0:
        raise BadArchive("negative size or mode", info.name)
    if not info.isreg():
        yield Entry(split(info.name, limits), info)
        return
    gate.claim(info)
    entry = Entry(split(info.name, limits), info, tar.extractfile(info))
    yield entry
    for _ in entry.chunks():  # what the caller left unread is not part of the next header
        pass


def split(name: str, limits: Limits = LIMITS) -> list[str]:
    """The parts of an entry's name; [] is the root. `..` is refused: no honest archive needs it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if "\0" in name or ".." in parts:
        raise BadArchive("a name with '..' or a zero byte", name)
    if len(parts) > limits.depth or len(os.fsencode(name)) > limits.name:
        raise BadArchive("a name too long or too deep", name[:80])
    if any(len(os.fsencode(part)) > limits.component for part in parts):
        raise BadArchive("a file name too long", name[:80])
    return parts


class _Strict(tarfile.TarInfo):
    """tarfile takes a damaged header for the end of the archive; half an image would pass for a whole one."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile, /) -> _Strict:
        try:
            return super().fromtarfile(tarfile_)
        except (tarfile.TruncatedHeaderError, tarfile.InvalidHeaderError) as error:  # type: ignore[attr-defined]
            raise BadArchive(f"a damaged header ({error})") from error


@dataclass
class _Gate:
    """What tarfile reads from: counts what comes in, what goes out, and what a single header takes."""

    source: Readable
    limits: Limits
    taken: int = 0
    given: int = 0
    claimed: int = 0
    _head: bytes = b""
    _inflated: Readable | None = None
    _header_left: int | None = None
    _errors: tuple[type[Exception], ...] = field(default=(EOFError, zlib.error, lzma.LZMAError, OSError))

    def ready(self) -> bool:
        """Look at the first bytes and choose how to decompress; False for an empty stream."""
        while len(self._head) < 6 and (more := self.source.read(6 - len(self._head))):
            self._head += more
        head = self._head
        known = next((opener for magic, opener in _COMPRESSIONS if head.startswith(magic)), None)
        self._inflated = known(_as_file(_Packed(self))) if known else _Packed(self)
        return bool(head)

    def packed(self, size: int) -> bytes:
        """Bytes as they came in."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self.source.read(size)
        self.taken += len(data)
        return data

    def header(self, read: Callable[[], _Result]) -> _Result:
        """Run `read` with no more input than a header may have (and tarfile's read-ahead)."""
        self._header_left = self.limits.header + _CHUNK
        try:
            return read()
        finally:
            self._header_left = None

    def read(self, size: int) -> bytes:
        assert self._inflated is not None
        try:
            data = self._inflated.read(size)
        except self._errors as error:
            raise BadArchive(f"its stream cannot be read ({error})") from error
        self.given += len(data)
        self._weigh(self.given)
        if self._header_left is not None:
            self._header_left -= len(data)
            if self._header_left < 0:
                raise BadArchive(f"a header of more than {self.limits.header} bytes")
        return data

    def claim(self, info: tarfile.TarInfo) -> None:
        """Count a file's stated size: a sparse file is larger than its bytes in the archive."""
        self.claimed += info.size
        if info.sparse is not None:
            self._weigh(self.claimed)
        elif self.claimed > self.limits.bytes:
            raise BadArchive(f"unpacks to more than {self.limits.bytes} bytes", info.name)

    def _weigh(self, size: int) -> None:
        limits = self.limits
        if size > limits.bytes:
            raise BadArchive(f"unpacks to more than {limits.bytes} bytes")
        if size > max(limits.free, limits.expansion * self.taken):
            raise BadArchive(f"unpacks to more than {limits.expansion} times its size: a decompression bomb?")


@dataclass
class _Packed:
    """The raw side of a gate, as a decompressor wants it."""

    gate: _Gate

    def read(self, size: int = _CHUNK) -> bytes:
        return self.gate.packed(size if size >= 0 else _CHUNK)


class _Xz:
    """xz with a limit on the memory that its dictionary takes; lzma.LZMAFile has none for reading."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.decoder = file, lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def read(self, size: int) -> bytes:
        while not self.decoder.eof:
            more = self.file.read(_CHUNK) if self.decoder.needs_input else b""
            if self.decoder.needs_input and not more:
                raise EOFError("the xz data ends early")
            if data := self.decoder.decompress(more, size):
                return data
        return b""


def _no_zstd(file: BinaryIO) -> NoReturn:
    raise BadArchive("compressed with zstd, which this engine cannot read; recompress it with gzip")


_COMPRESSIONS: tuple[tuple[bytes, Callable[[BinaryIO], Readable]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", _Xz),
    (b"\x28\xb5\x2f\xfd", _no_zstd),
)


def _as_file(readable: Readable) -> BinaryIO:
    """The standard library reads from anything with read(), but its types ask for a whole file."""
    return readable  # type: ignore[return-value]


def decompressed(stream: Readable, limits: Limits = LIMITS) -> Iterator[bytes]:
    """The bytes of a stream, decompressed if they were compressed, in pieces. Raises BadArchive."""
    gate = _Gate(stream, limits)
    if gate.ready():
        while data := gate.read(_CHUNK):
            yield data
