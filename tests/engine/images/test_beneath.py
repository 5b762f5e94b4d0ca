"""Paths stay beneath their root, and any tree can be removed."""

import os

import pytest

from labkit.engine.images import beneath


def test_links_end_inside_the_root(root):
    (root.path / "etc").mkdir()
    (root.path / "absolute").symlink_to("/etc")
    (root.path / "upward").symlink_to("../../../../etc")
    inside = (root.path / "etc").stat().st_ino
    for name in ("absolute", "upward", "../../etc", "/etc"):
        with beneath.opened(root.fd, name) as fd:
            assert os.fstat(fd).st_ino == inside


def test_a_path_outside_is_not_found(root):
    with pytest.raises(FileNotFoundError), beneath.opened(root.fd, f"..{root.outside}"):
        pass


def test_magic_links_are_refused(root):
    fd = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    try:
        with pytest.raises(beneath.Swapped), beneath.opened(fd, f"self/fd/{root.fd}"):
            pass
    finally:
        os.close(fd)


def test_make_folders(root):
    umask = os.umask(0o077)
    try:
        os.close(beneath.make_folders(root.fd, ["a", "b", "c"]))
    finally:
        os.umask(umask)
    assert (root.path / "a" / "b").stat().st_mode & 0o777 == 0o755


def test_chmod_does_not_follow(root):
    (root.path / "link").symlink_to(root.outside / "secret")
    mode = (root.outside / "secret").stat().st_mode
    with pytest.raises(OSError):
        beneath.chmod(root.fd, "link", 0o777)
    assert (root.outside / "secret").stat().st_mode == mode


def test_remove_tree_leaves_the_targets_of_links(root):
    (root.path / "tree" / "inner").mkdir(parents=True)
    (root.path / "tree" / "inner" / "link").symlink_to(root.outside)
    beneath.remove_tree(root.fd, "tree")
    beneath.remove_tree(root.fd, "tree")  # nothing there is fine
    assert root.untouched() and os.listdir(root.path) == []


def test_remove_tree_with_closed_folders(root):
    (root.path / "tree" / "closed" / "inner").mkdir(parents=True)
    (root.path / "tree" / "closed").chmod(0)  # as overlay's work/work is
    beneath.remove_tree(root.fd, "tree")
    assert os.listdir(root.path) == []


def test_remove_tree_deeper_than_a_path_can_say(root):
    fd = os.dup(root.fd)
    for _ in range(3000):  # 3000 descriptors or 3000 calls of a function in each other would both fail
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_PATH | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    beneath.remove_tree(root.fd, "d")
    assert os.listdir(root.path) == []
