"""A state folder on a full disk: what is there can be used and removed, and what fails leaves nothing."""

import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import linux
from labkit.engine.images.layers import GraphDriver
from labkit.engine.images.store import ImageStore
from tests.backends import backend_missing
from tests.engine.images.conftest import IN_NAMESPACE
from tests.engine.images.trees import file, tar

CONTAINER = "c" * 64


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    if os.geteuid() != 0:
        backend_missing("root", "run the tests as root: this one mounts a small disk")
    linux.mount("tmpfs", str(tmp_path), "tmpfs", 0, "size=4m")
    yield tmp_path
    linux.umount2(str(tmp_path), linux.MNT_DETACH)


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as out:
        for size in (1 << 16, 4096):
            try:
                while True:
                    out.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


def test_use_and_remove_at_zero_bytes_free(small):
    driver = GraphDriver(small / "overlay", userxattr=IN_NAMESPACE)
    store = ImageStore(small, driver)
    image = store.import_tar(io.BytesIO(tar(file("a", b"x" * 10_000))), "app", [], "")
    driver.create(CONTAINER, image)
    with driver.opened(CONTAINER) as fd:
        os.close(os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    fill(small)
    assert driver.changes(CONTAINER) == [{"Path": "/new", "Kind": 1}]
    with pytest.raises(OSError, match="No space left"):
        store.import_tar(io.BytesIO(tar(file("b", bytes(100_000)))), "big", [], "")
    with pytest.raises(OSError, match="No space left"):
        driver.create("d" * 64, image)
    assert [found.id for found in store.list()] == [image.id] and driver.containers() == [CONTAINER]
    driver.remove(CONTAINER)
    assert store.remove("app", force=False, in_use={})[0] == {"Untagged": "app:latest"}
    assert store.list() == [] and driver.layers() == []
