"""Archives that are small and ask for a lot: refused early, and an honest one of the same kind is let through."""

import contextlib
import gzip
import io
import os
import random
import tarfile
import tracemalloc

import pytest

from labkit.engine.images.archive import BadArchive, Limits, extract
from labkit.engine.images.tarstream import LIMITS
from tests.engine.images.trees import file, folder, hard_link, link, tar

MEGABYTE = 1 << 20


class Endless:
    """A compressed stream that goes on: first some bytes, then zeros for as long as they are read."""

    def __init__(self, head: bytes, tail: bytes, most: int) -> None:
        self.left, self.tail, self.most, self.given = head, tail, most, 0

    def read(self, size: int) -> bytes:
        if not self.left and self.given < self.most:
            self.left = self.tail
        data, self.left = self.left[:size], self.left[size:]
        self.given += len(data)
        return data


def header(name: str, kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def refused(root, stream, match: str, limits: Limits = LIMITS) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadArchive, match=match):
            extract(stream, root.fd, limits=limits)
        assert tracemalloc.get_traced_memory()[1] < 64 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_gzip_bomb(root):
    """600 MB of zeros in 600 kB: gzip shrinks them a thousandfold, which no real layer does."""
    zeros = gzip.compress(header("zeros", tarfile.REGTYPE, 600 * MEGABYTE) + bytes(600 * MEGABYTE), 1)
    refused(root, io.BytesIO(zeros), "bomb")
    assert sum(path.stat().st_size for path in root.path.iterdir()) <= 100 * MEGABYTE


def test_honest_zeros(root):
    done = extract(io.BytesIO(gzip.compress(tar(file("zeros", bytes(30 * MEGABYTE))))), root.fd)
    assert done.size == 30 * MEGABYTE


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME], ids=["pax", "global", "gnu"]
)
def test_header_of_gigabytes(root, kind):
    refused(root, Endless(header("x", kind, 4 << 30), b"x" * MEGABYTE, 4 << 30), "a header of more than")


def test_honest_long_name(root):
    name = "/".join(["x" * 200] * 10)
    extract(io.BytesIO(tar(file(name, b"1"))), root.fd)
    assert (root.path / name).read_bytes() == b"1"


def test_too_many_entries(root):
    assert LIMITS.entries == 300_000
    one = header("same", tarfile.DIRTYPE, 0)
    refused(root, Endless(b"", one * 1000, 1 << 30), "more than 5000 entries", Limits(entries=5000))


def test_entries_up_to_the_limit(root):
    archive = tar(*(file(str(n)) for n in range(50)))
    extract(io.BytesIO(archive), root.fd, limits=Limits(entries=50))
    refused(root, io.BytesIO(archive), "more than 49 entries", Limits(entries=49))


def test_total_size(root):
    archive = tar(file("a", bytes(600)), file("b", bytes(600)))
    extract(io.BytesIO(archive), root.fd, limits=Limits(bytes=len(archive)))
    refused(root, io.BytesIO(archive), "more than 1000 bytes", Limits(bytes=1000))


def test_headers_upon_headers(root):
    """Each long name may be followed by another; a parser that calls itself runs out of stack."""
    one = header("x", tarfile.GNUTYPE_LONGNAME, 4) + b"name".ljust(512, b"\0")
    refused(root, io.BytesIO(one * 900), "recursion|a header of more than")
    extract(io.BytesIO(one * 2 + tar(file("x"))), root.fd)


@pytest.mark.parametrize(
    "field", ["mtime", "uid", "gid", "size", "path", "linkpath", "SCHILY.xattr.user.x", "GNU.sparse.map"]
)
@pytest.mark.parametrize("value", ["inf", "nan", "-1", "9" * 5000, "\0", "1e999", "", "x" * 5000])
def test_odd_numbers_and_texts(root, field, value):
    """A pax record may hold any text. Whatever it is: a file, or a BadArchive."""
    for item in (file("a", b"1", pax_headers={field: value}), link("b", "a", pax_headers={field: value})):
        with contextlib.suppress(BadArchive):
            extract(io.BytesIO(tar(item)), root.fd)


def test_random_damage(root):
    """A thousand archives with a few bytes changed: each is unpacked or refused, and nothing else happens."""
    dice = random.Random(1)
    whole = tar(
        folder("d"), file("d/a", b"1" * 700, pax_headers={"mtime": "1.5"}), link("l", "d"), hard_link("h", "d/a")
    )
    for _ in range(1000):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        for block in range(0, len(damaged), 512):  # with right checksums, or nearly all would be refused for those
            damaged[block + 148 : block + 156] = b"%06o\0 " % (
                sum(damaged[block : block + 148]) + 8 * 32 + sum(damaged[block + 156 : block + 512])
            )
        with contextlib.suppress(BadArchive):
            extract(io.BytesIO(bytes(damaged)), root.fd, layer=bool(dice.getrandbits(1)), userxattr=True)
    assert root.untouched()


def test_a_size_that_is_a_lie(root):
    refused(root, io.BytesIO(header("x", tarfile.REGTYPE, 1 << 50)), "more than")


def test_a_negative_size(root):
    block = bytearray(header("x", tarfile.REGTYPE, 0))
    block[124:136] = b"\xff" * 12  # base-256, two's complement: -1
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:512]))
    refused(root, io.BytesIO(bytes(block) + bytes(1024)), "negative|not a readable tar|damaged")


def test_a_descriptor_is_never_left_open(root):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(BadArchive):
            extract(io.BytesIO(tar(file("a/b/c"), file("../x"))), root.fd)
    assert len(os.listdir("/proc/self/fd")) == before
