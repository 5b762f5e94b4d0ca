"""`docker diff`, judged by dockerd, and the layer that is made of it."""

import io
import itertools
import os
import time

import pytest

from labkit.engine.images.changes import Kind, with_parents
from labkit.engine.images.image import EMPTY_LAYER, digest, encoded
from tests import busybox
from tests.backends import backend_missing
from tests.engine.images.containers import run
from tests.engine.images.trees import file, folder, tar

NAME = f"labkit-test-images-changes-{os.getpid()}"  # several runs may share one dockerd
ONE, TWO = "1" * 64, "2" * 64
# What people do to files, a line each; the first image gives them something to do it to.
PREPARE = """
mkdir -p /d/e/f /keep /gone/x; echo 1 >/d/a; echo 2 >/d/b; echo 3 >/d/e/c; echo 4 >/d/e/f/g; echo 5 >/gone/x/y
ln -s d /link; echo 6 >/file; mkdir /was; echo 7 >/was/one; mkdir /was/two; echo 8 >/was/two/deep; echo 9 >/mode
"""
SCRIPTS = {
    "nothing": "true",
    "read": "cat /d/a /etc/passwd; ls -lR /d",
    "new": "mkdir -p /new/a/b; echo 1 >/new/a/b/c; touch /top",
    "changed": "echo other >/d/b; echo more >>/d/e/c",
    "deleted": "rm /d/a; rm -r /gone",
    "folder made again": "rm -r /d/e; mkdir /d/e; echo n >/d/e/n",
    "folder made again, same names": "rm -r /d/e; mkdir -p /d/e/f; echo 44 >/d/e/f/g",
    "link to folder": "rm /link; mkdir /link; touch /link/z",
    "file to folder": "rm /file; mkdir /file; touch /file/z",
    "folder to file": "rm -r /was; echo x >/was",
    "folder to link": "rm -r /was; ln -s d /was",
    "mode": "chmod 700 /etc; chmod 600 /mode",
    "owner": "chown 1:1 /mode /keep",
    "new, then gone": "mkdir /x; touch /x/y; rm -r /x; touch /d/tmp; rm /d/tmp",
    "moved": "mv /d/a /d/z; mv /file /keep/file",
    "hard link": "ln /d/a /d/a2",
    "fifo": "mkfifo /d/p",
    "new, of every kind": "mkdir -p /k/d/e; touch /k/f /k/d/g; ln -s f /k/l; mkfifo /k/p",
    "in another's folder": "touch /home/postgres/x; rm /etc/motd",
}


@pytest.fixture
def base(store):
    if os.geteuid() != 0:
        backend_missing("root", "run the tests as root: the scripts of this test run in a chroot(2)")
    busybox.applets()  # or a named skip
    image = store.import_tar(io.BytesIO(busybox.archive()), "first", [], "")
    store.driver.create(ONE, image)
    run(store.driver, ONE, PREPARE)
    made = store.commit(ONE, image, {}, ref=NAME, author="", comment="", changes=[], created_by="")
    store.driver.remove(ONE)
    return made


def test_the_same_answer_as_dockerd(store, base, dockerd):
    """The same image and the same commands on both; one container a script."""
    dockerd.images.load(b"".join(store.save([NAME])))
    try:
        for script in SCRIPTS.values():
            assert ours(store, base, script) == theirs(dockerd, script), script
    finally:
        dockerd.images.remove(NAME)


def ours(store, base, script: str) -> list[tuple[str, int]]:
    store.driver.create(TWO, base)
    run(store.driver, TWO, script)
    found = [(change["Path"], change["Kind"]) for change in store.driver.changes(TWO)]
    store.driver.remove(TWO)
    return found


def theirs(dockerd, script: str) -> list[tuple[str, int]]:
    container = dockerd.containers.create(NAME, ["/bin/sh", "-ec", script], name=NAME)
    try:
        container.start()
        assert container.wait()["StatusCode"] == 0
        return sorted((change["Path"], change["Kind"]) for change in container.diff() or [])
    finally:
        container.remove(force=True)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_committed_container_looks_the_same(store, base, script):
    """The changes as a layer, unpacked on the same image, are the same files."""
    store.driver.create(TWO, base)
    run(store.driver, TWO, script)
    image = store.commit(TWO, base, {}, ref=None, author="", comment="", changes=[], created_by="")
    store.driver.create(ONE, image)
    # The mount points are left out, as each image gets new ones, and so are the sizes and times of folders.
    find = "cd /; find d keep gone was link file home mode"
    listing = f"{find} -exec stat -c '%A %u %g %n %s %Y' {{}} + | sed '/^d/s/ [0-9]* [0-9]*$//'"
    assert run(store.driver, ONE, listing) == run(store.driver, TWO, listing)
    assert store.driver.changes(ONE) == []
    assert b"".join(store.driver.diff_tar(ONE)) == bytes(1024)


def test_no_change_is_the_layer_that_every_engine_knows(store, base):
    store.driver.create(TWO, base)
    run(store.driver, TWO, "cat /d/a")
    assert digest(b"".join(store.driver.diff_tar(TWO))) == EMPTY_LAYER


def test_the_same_changes_are_the_same_bytes(store, base):
    for container in (ONE, TWO):
        store.driver.create(container, base)
        run(
            store.driver,
            container,
            "rm -r /gone; mkdir /x; for n in 3 1 2; do echo $n >/x/$n; done; touch -d @9 /x/* /x",
        )
    assert b"".join(store.driver.diff_tar(ONE)) == b"".join(store.driver.diff_tar(TWO))


def test_a_quick_change_of_the_same_size_is_seen(store, base):
    """dockerd compares whole seconds where an image's time has no fraction, and misses this one."""
    store.driver.create(TWO, base)
    with store.driver.opened(TWO) as fd:
        second = os.stat("d/b", dir_fd=fd).st_mtime_ns // 10**9 * 10**9
        os.utime("d/b", ns=(second, second + 10**6), dir_fd=fd)
    assert {"Path": "/d/b", "Kind": Kind.CHANGED} in store.driver.changes(TWO)


def test_size_counts_each_inode_once(store, base):
    store.driver.create(TWO, base)
    run(store.driver, TWO, "yes | head -c 1000 >/one; ln /one /two; rm /d/a")
    assert store.driver.size(TWO) == 1000


def test_parents():
    assert with_parents({"a/b/c": Kind.ADDED, "x": Kind.ADDED}) == {
        "a/b/c": Kind.ADDED,
        "a/b": Kind.CHANGED,
        "a": Kind.CHANGED,
        "x": Kind.ADDED,
    }


def test_whiteouts_of_several_layers(store):
    """a is in layer 1, gone in 2, back in 3: what does a container see that deletes it again?"""
    stack = [
        tar(folder("d"), file("d/a"), file("d/b"), file("c")),
        tar(folder("d"), file("d/.wh.a"), file(".wh.c")),
        tar(folder("d"), file("d/.wh..wh..opq"), file("d/n")),
    ]
    image = stacked(store, stack)
    store.driver.create(ONE, image)
    with store.driver.opened(ONE) as fd:
        assert os.listdir(f"/proc/self/fd/{fd}/d") == ["n"] and "c" not in os.listdir(f"/proc/self/fd/{fd}")
        os.close(os.open("d/b", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        os.close(os.open("c", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        os.unlink("d/n", dir_fd=fd)
    expected = [("/c", Kind.ADDED), ("/d", Kind.CHANGED), ("/d/b", Kind.ADDED), ("/d/n", Kind.DELETED)]
    assert [(change["Path"], change["Kind"]) for change in store.driver.changes(ONE)] == expected


@pytest.mark.parametrize("order", list(itertools.permutations([file("d/.wh..wh..opq"), folder("d"), file("d/new/x")])))
def test_order_in_a_layer_does_not_matter(store, order):
    """A whiteout covers what is below, never what its own layer brings: OCI image spec, layer.md."""
    image = stacked(store, [tar(folder("d"), file("d/old"), file("d/new/old")), tar(*order)])
    store.driver.create(ONE, image)
    with store.driver.opened(ONE) as fd:
        assert sorted(os.listdir(f"/proc/self/fd/{fd}/d")) == ["new"]
        assert os.listdir(f"/proc/self/fd/{fd}/d/new") == ["x"]


@pytest.mark.parametrize("order", list(itertools.permutations([file(".wh.d"), folder("d"), file("d/x")])))
def test_a_folder_covered_and_made_anew(store, order):
    image = stacked(store, [tar(folder("d"), file("d/old")), tar(*order)])
    store.driver.create(ONE, image)
    with store.driver.opened(ONE) as fd:
        assert os.listdir(f"/proc/self/fd/{fd}/d") == ["x"]


def stacked(store, archives: list[bytes]):
    """An image with these layers, base first."""
    paths, diff_ids = {}, []
    for number, archive in enumerate(archives):
        path = store.blobs.root / f".new.{number}"
        path.write_bytes(archive)
        diff_ids.append(digest(archive))
        paths[digest(archive)] = path
    config = {"rootfs": {"type": "layers", "diff_ids": diff_ids}, "config": {}}
    return store.add(encoded(config), paths, ref="stacked")


def test_twenty_thousand_changes_are_quick(store):
    count = 10_000 if store.driver.name == "overlay2" else 1_000  # vfs spends its time on copies
    image = store.import_tar(io.BytesIO(tar(*(file(f"d{n % 100}/{n}") for n in range(count)))), None, [], "")
    store.driver.create(ONE, image)
    with store.driver.opened(ONE) as fd:
        for n in range(count):
            os.close(os.open(f"d{n % 100}/{n}", os.O_WRONLY | os.O_TRUNC, dir_fd=fd))
            os.close(os.open(f"d{n % 100}/new{n}", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    start = time.process_time()
    assert len(store.driver.changes(ONE)) == 2 * count + 100
    assert time.process_time() - start < 3
