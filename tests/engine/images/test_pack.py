"""What `docker cp` gets out of a container."""

import io
import os
import socket
import tarfile

import pytest

from labkit.engine.images import beneath
from labkit.engine.images.archive import extract, pack, stat_path
from tests import busybox
from tests.engine.images.trees import names

NAME = f"labkit-test-images-pack-{os.getpid()}"  # several runs may share one dockerd
PATHS = ["/", "/var", "/var/", "/var/.", "/bin/sh", "/etc/motd", "/bin/../etc/passwd", ".", "home", "/tmp"]


@pytest.fixture
def tree(root):
    """/d/a and two names for it, links that lead on."""
    (root.path / "d" / "e").mkdir(parents=True)
    (root.path / "d" / "a").write_text("content")
    (root.path / "d" / "e" / "same").hardlink_to(root.path / "d" / "a")
    (root.path / "to-d").symlink_to("/d")
    (root.path / "to-a").symlink_to("to-d/../d/a")
    (root.path / "to-nothing").symlink_to("/to-d/nothing")
    (root.path / "out").symlink_to("../outside/secret")
    (root.path / "round").symlink_to("round")
    return root


def packed(root, path: str, **options) -> bytes:
    return b"".join(pack(root.fd, path, **options))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/d", ["d", "d/a", "d/e", "d/e/same"]),
        ("/d/a", ["a"]),
        ("/d/.", [".", "./a", "./e", "./e/same"]),
        ("/to-d", ["to-d"]),
        ("/to-d/", ["to-d", "to-d/a", "to-d/e", "to-d/e/same"]),
        ("/to-d/a", ["a"]),
        ("/out", ["out"]),
    ],
)
def test_names(tree, path, expected):
    assert names(packed(tree, path)) == expected


def test_content_links_and_whole_seconds(tree):
    os.utime(tree.path / "d" / "a", ns=(1, 1_500_000_000_999_999_999))
    with tarfile.open(fileobj=io.BytesIO(packed(tree, "/d"))) as archive:
        assert archive.extractfile("d/a").read() == b"content" and archive.getmember("d/a").mtime == 1_500_000_000
        assert archive.getmember("d/e/same").linkname == "d/a"


def test_the_same_tree_is_the_same_bytes(tree):
    assert packed(tree, "/d") == packed(tree, "/d") and len(packed(tree, "/d")) % 512 == 0


def test_a_socket_is_left_out(tree):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{tree.fd}/d/socket")
        assert "d/socket" not in names(packed(tree, "/d"))


@pytest.mark.parametrize("path", ["/nowhere", "/d/a/b", "/out/", "/to-nothing/"])
def test_nothing_there(tree, path):
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        packed(tree, path)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/to-d", "/d"),
        ("/to-a", "/d/a"),
        ("/to-nothing", "/d/nothing"),
        ("/out", "/outside/secret"),  # inside, where no such thing is
        ("/d/a", ""),
    ],
)
def test_where_a_link_leads(tree, path, target):
    assert stat_path(tree.fd, path)["linkTarget"] == target


def test_a_link_to_itself_ends(tree):
    assert stat_path(tree.fd, "/round")["linkTarget"] == "/round"


def test_a_very_deep_tree(root):
    """As deep as a path can say; a descriptor for each level would not do."""
    for depth in range(1, 1201):
        os.mkdir(f"{root.path}/" + "d/" * depth)
    try:
        assert names(packed(root, "/d"))[-1] == "d/" * 1199 + "d"
    finally:
        beneath.remove_tree(root.fd, "d")  # pytest's own cleaning would run into Python's limit on recursion


def test_the_same_answers_as_dockerd(root, dockerd):
    extract(io.BytesIO(busybox.archive()), root.fd)
    busybox.import_image(dockerd, NAME)
    container = dockerd.containers.create(NAME, "sh", name=NAME)
    try:
        for path in PATHS:
            chunks, theirs = container.get_archive(path)
            archive, ours = b"".join(chunks), stat_path(root.fd, path)  # dockerd holds a lock until all is read
            if path not in ("/", "."):  # its times and, for the root, dockerd's mount points are its own
                assert names(packed(root, path)) == names(archive), path
                theirs["mtime"] = ours["mtime"]
                assert ours == theirs, path
            assert ours["name"] == theirs["name"]
    finally:
        container.remove()
        dockerd.images.remove(NAME)
