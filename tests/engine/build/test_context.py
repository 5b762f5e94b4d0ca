"""The build context: unpacked safely, its Dockerfile found, and the two files hidden that the rules name."""

import os
from io import BytesIO
from pathlib import Path

import pytest

from labkit.engine.build.context import inside, unpacked
from labkit.engine.errors import ApiError
from labkit.engine.images.archive import BadArchive
from tests.engine.images.trees import file, folder, link, packed, tar

FROM = file("Dockerfile", b"FROM x")


def names(path: Path) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in path.rglob("*"))


def read(path: Path, archive: bytes, name: str = "Dockerfile") -> tuple[bytes, list[str]]:
    with unpacked(BytesIO(archive), path, name) as context:
        return context.dockerfile, names(path)


@pytest.mark.parametrize("archive", [tar, packed])
def test_unpacked(tmp_path, archive):
    found = read(tmp_path, archive(FROM, folder("d"), file("d/a", b"1", mode=0o600)))
    assert found == (b"FROM x", ["Dockerfile", "d", "d/a"])
    assert (tmp_path / "d/a").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_everything_is_roots(tmp_path):
    read(tmp_path, tar(FROM, file("a", uid=7, gid=8)))
    assert ((tmp_path / "a").stat().st_uid, (tmp_path / "a").stat().st_gid) == (0, 0)


@pytest.mark.parametrize(
    ("items", "name", "text"),
    [
        ([file("dockerfile", b"FROM y")], "Dockerfile", b"FROM y"),
        ([file("d/other", b"FROM y")], "d/other", b"FROM y"),
        ([file("d/other", b"FROM y")], "/d/./other", b"FROM y"),
        ([file("a", b"FROM y"), link("Dockerfile", "a")], "Dockerfile", b"FROM y"),
    ],
)
def test_where_the_dockerfile_is(tmp_path, items, name, text):
    assert read(tmp_path, tar(*items), name)[0] == text


@pytest.mark.parametrize(
    ("items", "name", "status", "words"),
    [
        ([], "Dockerfile", 500, "Cannot locate specified Dockerfile: Dockerfile"),
        ([file("dockerfile", b"x")], "Other", 500, "Cannot locate specified Dockerfile: Other"),
        ([file("a", b"x")], "a/b", 500, "Cannot locate specified Dockerfile: a/b"),
        ([file("Dockerfile")], "Dockerfile", 400, "the Dockerfile (Dockerfile) cannot be empty"),
        ([FROM], "../Dockerfile", 400, "forbidden path outside the build context: ../Dockerfile ()"),
        ([folder("Dockerfile")], "Dockerfile", 400, "Dockerfile in the build context is no file"),
        ([link("Dockerfile", "/etc/passwd")], "Dockerfile", 500, "Cannot locate"),
    ],
)
def test_no_dockerfile(tmp_path, items, name, status, words):
    with pytest.raises(ApiError) as caught:
        read(tmp_path, tar(*items), name)
    assert caught.value.status == status and caught.value.message.startswith(words)


@pytest.mark.parametrize(
    ("rules", "hidden"),
    [
        (b"Dockerfile", {"Dockerfile"}),
        (b"*", {"Dockerfile", ".dockerignore"}),
        (b".dockerignore\n", {".dockerignore"}),
        (b"*\n!Dockerfile", {".dockerignore"}),
        (b"other", set()),
        (b"[", set()),
    ],
)
def test_only_the_two_files_are_hidden(tmp_path, rules, hidden):
    text, left = read(tmp_path, tar(FROM, file(".dockerignore", rules), file("other")))
    assert text == b"FROM x" and {"Dockerfile", ".dockerignore", "other"} - set(left) == hidden


def test_a_hostile_archive(tmp_path):
    place = tmp_path / "context"
    place.mkdir()
    with pytest.raises(BadArchive):
        read(place, tar(FROM, file("../out")))
    assert names(tmp_path) == ["context", "context/Dockerfile"]


@pytest.mark.parametrize(("path", "clean"), [("a/../b", "b"), ("/a", "a"), (".", "."), ("", "."), ("/", ".")])
def test_inside(path, clean):
    assert inside(path) == clean


def test_an_archive_that_ends_with_the_last_byte_of_a_file(tmp_path):
    """So the docker command ends it when the Dockerfile comes from elsewhere (`docker build -f -`)."""
    whole = tar(file("a", b"1"), FROM)
    end = whole.rindex(b"FROM x") + len(b"FROM x")
    assert read(tmp_path, whole[:end])[0] == b"FROM x"
    with pytest.raises(BadArchive):
        read(tmp_path, whole[: end - 1])
