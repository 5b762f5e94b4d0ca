"""Honest archives: what is in them arrives."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile

import pytest

from labkit.engine.images.archive import BadArchive, Limits, decompressed, extract, pack
from labkit.engine.images.extract import Extracted
from tests.engine.images.trees import device, file, folder, hard_link, link, names, tar

TREE = (
    folder("etc", mode=0o750),
    file("etc/motd", b"hello\n", mode=0o640, mtime=1_000_000_000),
    link("motd", "/etc/motd"),
    hard_link("same", "etc/motd"),
    file("bin/su", b"#!", mode=0o4755),
    ("pipe", {"type": tarfile.FIFOTYPE, "mode": 0o600}),
)


def unpack(root, archive: bytes, path: str = "/", **options) -> Extracted:
    return extract(io.BytesIO(archive), root.fd, path, **options)


def test_everything_arrives(root):
    done = unpack(root, tar(*TREE))
    motd = root.path / "etc" / "motd"
    assert motd.read_bytes() == b"hello\n" and done.size == 8 + len("/etc/motd") and done.entries == 6
    assert stat.S_IMODE(motd.stat().st_mode) == 0o640 and motd.stat().st_mtime == 1_000_000_000
    assert stat.S_IMODE((root.path / "etc").stat().st_mode) == 0o750
    assert stat.S_IMODE((root.path / "bin" / "su").stat().st_mode) == 0o4755
    assert stat.S_IMODE((root.path / "bin").stat().st_mode) == 0o755  # never listed, made on the way
    assert os.readlink(root.path / "motd") == "/etc/motd"
    assert (root.path / "same").stat().st_ino == motd.stat().st_ino
    assert stat.S_ISFIFO((root.path / "pipe").stat().st_mode)


def test_a_read_only_folder_is_filled_first(root):
    unpack(root, tar(folder("shut", mode=0o555, mtime=5), file("shut/file", b"x")))
    there = (root.path / "shut").stat()
    assert stat.S_IMODE(there.st_mode) == 0o555 and there.st_mtime == 5
    (root.path / "shut").chmod(0o755)


def test_into_a_folder_through_links_inside_the_root(root):
    (root.path / "data" / "deep").mkdir(parents=True)
    (root.path / "to").symlink_to("/data")
    unpack(root, tar(file("deep/file", b"x")), "/to")
    assert (root.path / "data" / "deep" / "file").read_bytes() == b"x"


@pytest.mark.parametrize(("path", "error"), [("/nowhere", FileNotFoundError), ("/file", NotADirectoryError)])
def test_into_what_is_no_folder(root, path, error):
    (root.path / "file").write_text("")
    with pytest.raises(error):
        unpack(root, tar(file("x")), path)


def test_an_empty_stream_is_an_empty_archive(root):
    assert unpack(root, b"").entries == 0
    assert unpack(root, bytes(1024)).entries == 0


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_compressed(root, compress):
    packed = compress(tar(file("x", b"content" * 1000)))
    assert unpack(root, packed).size == 7000
    with pytest.raises(BadArchive):
        unpack(root, packed[: len(packed) // 2])


def test_two_gzip_members_are_one_stream():
    assert b"".join(decompressed(io.BytesIO(gzip.compress(b"one") + gzip.compress(b"two")))) == b"onetwo"


def test_zstd_is_named():
    with pytest.raises(BadArchive, match="zstd"):
        list(decompressed(io.BytesIO(b"\x28\xb5\x2f\xfd" + bytes(20))))


def test_a_file_in_place_of_a_folder_and_back(root):
    (root.path / "a" / "b").mkdir(parents=True)
    (root.path / "f").write_text("old")
    unpack(root, tar(file("a", b"now a file"), folder("f"), file("f/x")))
    assert (root.path / "a").read_bytes() == b"now a file" and (root.path / "f" / "x").exists()


@pytest.mark.parametrize("items", [[file("a")], [link("a", "x")], [folder("f")]], ids=["file", "link", "folder"])
def test_kinds_are_kept_when_asked(root, items):
    (root.path / "a" / "b").mkdir(parents=True)
    (root.path / "f").write_text("old")
    with pytest.raises(BadArchive, match="cannot overwrite"):
        unpack(root, tar(*items), no_overwrite_dir_non_dir=True)
    assert (root.path / "a" / "b").is_dir() and (root.path / "f").read_text() == "old"
    unpack(root, tar(folder("a"), file("f", b"new")), no_overwrite_dir_non_dir=True)
    assert (root.path / "a" / "b").is_dir() and (root.path / "f").read_text() == "new"


def test_owners(root):
    archive = tar(file("x", uid=1234, gid=1234), file("y", uid=2**31, gid=0))
    done = unpack(root, archive)
    there = (root.path / "x").stat()
    if done.owners_lost:  # an ordinary user, or a user namespace without this id
        assert there.st_uid == os.geteuid()
    else:
        assert (there.st_uid, there.st_gid) == (1234, 1234) and (root.path / "y").stat().st_uid == 2**31


def test_one_owner_for_all(root):
    me = os.geteuid(), os.getegid()
    assert unpack(root, tar(file("x", uid=1234, gid=1234)), copy_uidgid=me).owners_lost == 0
    assert (root.path / "x").stat().st_uid == me[0]


def test_only_harmless_attributes_are_kept(root):
    given = {"user.note": "1", "user.overlay.opaque": "y", "trusted.overlay.opaque": "y", "security.selinux": "x"}
    headers = {f"SCHILY.xattr.{key}": value for key, value in given.items()}
    unpack(root, tar(file("x", pax_headers=headers), folder("d", pax_headers=headers)), layer=True)
    for name in ("x", "d"):
        assert os.listxattr(root.path / name) in (["user.note"], [])  # [] where the file system has none


@pytest.mark.parametrize("damage", [lambda a: a[:700], lambda a: a[:1100], lambda a: a[:1600] + b"x" * 512])
def test_half_an_archive_is_an_error(root, damage):
    whole = tar(file("x", b"y" * 600), file("z", b"y" * 600))
    assert unpack(root, whole).entries == 2
    with pytest.raises(BadArchive):
        unpack(root, damage(whole))


def test_garbage_is_no_archive(root):
    with pytest.raises(BadArchive):
        unpack(root, b"garbage " * 500)


def test_an_unknown_kind(root):
    with pytest.raises(BadArchive, match="unknown"):
        unpack(root, tar(("x", {"type": b"Z"})))


def test_a_sparse_file(root):
    """GNU tar writes holes as a map: the header is small, the file is not."""
    buffer = io.BytesIO()
    info = tarfile.TarInfo("holes")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"%011o\0%011o\0" % (1 << 20, 512)  # one piece: at 1 MiB, 512 bytes
    block[483:495] = b"%011o\0" % ((1 << 20) + 512)  # the real size
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:512]))
    buffer.write(bytes(block) + b"x" * 512 + bytes(1024))
    assert unpack(root, buffer.getvalue()).size == (1 << 20) + 512
    assert (root.path / "holes").read_bytes() == bytes(1 << 20) + b"x" * 512
    with pytest.raises(BadArchive, match="times its size"):
        unpack(root, buffer.getvalue(), limits=Limits(free=1 << 19))


def test_what_was_packed_comes_back(root, tmp_path):
    unpack(root, tar(*TREE))
    archive = b"".join(pack(root.fd, "/", top=""))
    (tmp_path / "copy").mkdir()
    fd = os.open(tmp_path / "copy", os.O_PATH | os.O_DIRECTORY)
    try:
        extract(io.BytesIO(archive), fd)
        assert b"".join(pack(fd, "/", top="")) == archive
    finally:
        os.close(fd)
    assert names(archive) == ["bin", "bin/su", "etc", "etc/motd", "motd", "pipe", "same"]


def test_devices_are_for_images_only(root):
    with pytest.raises(BadArchive, match="device"):
        unpack(root, tar(device("null", 1, 3)))
    done = unpack(root, tar(device("null", 1, 3), file("after")), layer=True)
    assert done.devices_skipped or stat.S_ISCHR((root.path / "null").stat().st_mode)
    assert (root.path / "after").exists()
