"""COPY and ADD between two folders: what is found, what its digest says, and where it goes."""

import contextlib
import os
import stat
from io import BytesIO
from pathlib import Path

import pytest

from labkit.engine.build.copying import Copy, check, copy, make_folder
from labkit.engine.build.sources import CONTEXT_MISSING, Root, digest, find
from labkit.engine.errors import ApiError, BadParameter, NotFound, ServerError
from labkit.engine.images.archive import extract
from tests.engine.images.trees import file, folder, link, packed, tar

CONTEXT = (
    file("a", b"1", mode=0o640, mtime=1_000_000_000),
    file("b", b"2"),
    folder("d"),
    file("d/x", b"3"),
    link("d/l", "x"),
    folder("d/deep"),
    file("d/deep/y", b"4"),
    link("to-a", "a"),
    link("to-d", "/d"),
    link("out", "/etc/passwd"),
    file("tree.tgz", packed(file("t", b"5"), file("u/v", b"6"))),
    file("not-a.tar", b"text"),
)
IMAGE = (folder("etc"), folder("real"), file("etc/conf", b"old"), link("lnk", "/real"), link("conf", "etc/conf"))


class Place:
    """A folder and its descriptor, filled from an archive."""

    def __init__(self, path: Path, items) -> None:
        path.mkdir()
        self.path, self.fd = path, os.open(path, os.O_PATH | os.O_DIRECTORY)
        extract(BytesIO(tar(*items)), self.fd)

    def names(self) -> set[str]:
        return {str(one.relative_to(self.path)) for one in self.path.rglob("*")}


@pytest.fixture
def context(tmp_path):
    with contextlib.ExitStack() as stack:
        place = Place(tmp_path / "context", CONTEXT)
        stack.callback(os.close, place.fd)
        yield place


@pytest.fixture
def image(tmp_path):
    with contextlib.ExitStack() as stack:
        place = Place(tmp_path / "image", IMAGE)
        stack.callback(os.close, place.fd)
        yield place


def found(context, *words):
    return find(Root(context.fd, CONTEXT_MISSING), words)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["a"], ["a"]),
        (["/a"], ["a"]),
        (["./d/../a"], ["a"]),
        (["?"], ["a", "b", "d"]),
        (["d/*"], ["x", "deep", "x"]),
        (["d/[x-z]", "b"], ["x", "b"]),
        (["to-a"], ["a"]),
    ],
)
def test_find(context, words, names):
    assert sorted(os.path.basename(one.path) for one in found(context, *words)) == sorted(names)


@pytest.mark.parametrize(
    ("word", "error", "said"),
    [
        ("no", NotFound, "excluded by .dockerignore: stat no: file does not exist"),
        ("out", NotFound, "stat out: file does not exist"),
        ("a/b", NotFound, "stat a/b: file does not exist"),
        ("zz*", BadParameter, "no source files were specified"),
        ("[", BadParameter, "no source files were specified"),
        ("../a", BadParameter, "forbidden path outside the build context: ../a ()"),
    ],
)
def test_not_found(context, word, error, said):
    with pytest.raises(error) as caught:
        found(context, word)
    assert caught.value.message.endswith(said)


def test_digests(context):
    before = {word: digest(found(context, word)) for word in ("a", "d", ".")}
    assert before["a"].startswith("file:") and before["d"].startswith("dir:")
    assert digest(found(context, "a", "b")).startswith("multi:")
    os.utime(context.path / "a", (1, 1))
    os.utime(context.path / "d/x", (1, 1))
    assert {word: digest(found(context, word)) for word in before} == before  # a time is no difference
    (context.path / "d/deep/y").write_text("other")
    after = {word: digest(found(context, word)) for word in before}
    assert after["a"] == before["a"] and after["d"] != before["d"] and after["."] != before["."]


@pytest.mark.parametrize("change", [lambda p: p.chmod(0o600), lambda p: p.rename(p.with_name("z"))])
def test_mode_and_name_count(context, change):
    before = digest(found(context, "d"))
    change(context.path / "d/x")
    assert digest(found(context, "d")) != before


# (sources, target, what is there then)
COPIES = [
    (["a"], "/new", {"new": b"1"}),
    (["a"], "/new/", {"new/a": b"1"}),
    (["a"], "/x/y/z", {"x/y/z": b"1"}),
    (["a"], "/etc", {"etc/a": b"1", "etc/conf": b"old"}),
    (["a"], "/etc/conf", {"etc/conf": b"1"}),
    (["a"], "/conf", {"etc/conf": b"1"}),
    (["a"], "/lnk/", {"real/a": b"1"}),
    (["a"], "/lnk/deep/", {"real/deep/a": b"1"}),
    (["a", "b"], "/real/", {"real/a": b"1", "real/b": b"2"}),
    (["d"], "/new", {"new/x": b"3", "new/deep/y": b"4"}),
    (["d"], "/etc", {"etc/x": b"3", "etc/conf": b"old"}),
    (["d"], "/lnk", {"real/x": b"3"}),
    (["d/*"], "/new/", {"new/x": b"3", "new/y": b"4", "new/l": b"3"}),
    (["to-a"], "/new/", {"new/to-a": b"1"}),
    (["to-d"], "/new/", {"new/x": b"3"}),
    (["."], "/new", {"new/a": b"1", "new/d/x": b"3"}),
    (["tree.tgz"], "/new/", {"new/tree.tgz": None}),
]


@pytest.mark.parametrize(("words", "target", "there"), COPIES, ids=[f"{' '.join(r[0])} to {r[1]}" for r in COPIES])
def test_copy(context, image, words, target, there):
    copy(image.fd, Copy(found(context, *words), target))
    for name, content in there.items():
        assert (image.path / name).is_file() and content in (None, (image.path / name).read_bytes())
    assert (image.path / "lnk").is_symlink() and (image.path / "conf").is_symlink()


def test_mode_and_time_are_kept(context, image):
    copy(image.fd, Copy(found(context, "a"), "/new"))
    there = (image.path / "new").stat()
    assert stat.S_IMODE(there.st_mode) == 0o640 and there.st_mtime == 1_000_000_000
    copy(image.fd, Copy(found(context, "d"), "/n"))
    assert os.readlink(image.path / "n/l") == "x" and stat.S_IMODE((image.path / "n").stat().st_mode) == 0o755


def test_another_mode(context, image):
    copy(image.fd, Copy(found(context, "a"), "/new", mode=0o751))
    copy(image.fd, Copy(found(context, "d"), "/n", mode=0o711))
    modes = {name: stat.S_IMODE((image.path / name).stat().st_mode) for name in ("new", "n/x", "n/deep/y", "n/deep")}
    assert modes == {"new": 0o751, "n/x": 0o711, "n/deep/y": 0o711, "n/deep": 0o711}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_owner(context, image):
    copy(image.fd, Copy(found(context, "d"), "/n/m", owner=(70, 50)))
    owners = {name: (image.path / name).lstat() for name in ("n", "n/m", "n/m/x", "n/m/l", "n/m/deep/y")}
    assert {name: (one.st_uid, one.st_gid) for name, one in owners.items()} == {
        "n": (0, 0), "n/m": (70, 50), "n/m/x": (70, 50), "n/m/l": (70, 50), "n/m/deep/y": (70, 50),
    }  # fmt: skip
    copy(image.fd, Copy(found(context, "d"), "/etc", owner=(70, 50)))
    assert (image.path / "etc").stat().st_uid == 0  # it was there before


def test_add_unpacks_what_is_an_archive(context, image):
    copy(image.fd, Copy(found(context, "tree.tgz", "not-a.tar", "a"), "/new/", unpack=True))
    assert {name for name in image.names() if name.startswith("new/")} == {
        "new/t", "new/u", "new/u/v", "new/not-a.tar", "new/a",
    }  # fmt: skip


def test_an_archive_cannot_leave_the_image(tmp_path, context, image):
    (context.path / "bad.tar").write_bytes(tar(link("l", str(tmp_path)), file("l/escaped", b"x")))
    with contextlib.suppress(ApiError):
        copy(image.fd, Copy(found(context, "bad.tar"), "/new/", unpack=True))
    assert not (tmp_path / "escaped").exists()


def test_a_folder_where_a_file_is(context, image):
    with pytest.raises(ServerError, match="a file stands where a folder is needed"):
        copy(image.fd, Copy(found(context, "d"), "/etc/conf"))
    with pytest.raises(ServerError, match="a file stands in its way"):
        make_folder(image.fd, "/etc/conf/x")


def test_several_sources_need_a_folder(context):
    with pytest.raises(BadParameter, match="When using COPY with more than one source file"):
        check("COPY", found(context, "a", "b"), "/x")
    check("COPY", found(context, "a", "b"), "/x/")
    check("COPY", found(context, "a"), "/x")
