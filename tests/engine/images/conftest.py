"""Fixtures: a root to unpack into with a secret beside it, graph drivers, an image store."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from labkit.engine.images.layers import GraphDriver
from labkit.engine.images.store import ImageStore
from labkit.engine.images.vfs import VfsDriver
from tests import engines
from tests.backends import backend_missing

# In a user namespace root is nobody outside, so overlay's marks need the option userxattr: user_namespaces(7).
IN_NAMESPACE = Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]


@dataclass
class Root:
    """A folder to unpack into, its descriptor, and a folder beside it that no archive may reach."""

    path: Path
    fd: int
    outside: Path

    def untouched(self) -> bool:
        """Is the outside as it was made: one file, its content, one name for it?"""
        secret = self.outside / "secret"
        there = sorted(path.name for path in self.outside.iterdir())
        return there == ["secret"] and secret.read_text() == "secret" and secret.stat().st_nlink == 1


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    yield from make_root(tmp_path)


def make_root(base: Path) -> Iterator[Root]:
    (base / "root").mkdir(parents=True)
    (base / "outside").mkdir()
    (base / "outside" / "secret").write_text("secret")
    fd = os.open(base / "root", os.O_PATH | os.O_DIRECTORY)
    yield Root(base / "root", fd, base / "outside")
    os.close(fd)


@pytest.fixture(params=[GraphDriver, VfsDriver], ids=["overlay", "vfs"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> GraphDriver:
    """Each graph driver; overlay needs root, here or in a user namespace."""
    if request.param is GraphDriver and os.geteuid() != 0:
        backend_missing("root", "run the tests as root, or see test_in_namespace.py, which mounts as any user")
    return request.param(tmp_path / "overlay", userxattr=IN_NAMESPACE)


@pytest.fixture
def store(driver: GraphDriver, tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path, driver)


@pytest.fixture
def plain_store(tmp_path: Path) -> ImageStore:
    """A store whose driver needs no rights, for what is about names and archives."""
    return ImageStore(tmp_path, VfsDriver(tmp_path / "overlay"))


@pytest.fixture
def dockerd() -> Iterator[docker.DockerClient]:
    """The real thing, as the judge."""
    client = engines.dockerd().client()
    yield client
    client.close()
