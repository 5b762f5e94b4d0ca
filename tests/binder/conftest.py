"""The image, built once for all tests here, and what strict nbval needs beside it.

`BINDER=1` (make test-binder) asks for these tests: a build takes minutes and brings hundreds of megabytes.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from labkit.microvm.kinds import KINDS
from tests import engines
from tests.binder import build

SECONDS = 1800
collect_ignore_glob = [] if os.environ.get("BINDER") else ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    """A client of the dockerd here."""
    engine = engines.dockerd()
    with contextlib.closing(docker.DockerClient(engine.address, timeout=SECONDS)) as client:
        yield client


@pytest.fixture(scope="session")
def source() -> build.Source:
    """The working tree as the tests found it."""
    return build.Source.now()


@pytest.fixture(scope="session")
def image(docker_client: docker.DockerClient, source: build.Source) -> str:
    """The id of the image that is tested."""
    build.base(docker_client)
    return build.image(docker_client, source)


@pytest.fixture(scope="session")
def packages(docker_client: docker.DockerClient, source: build.Source, image: str) -> Iterator[Path]:
    """A folder with the packages that the tests bring along."""
    with tempfile.TemporaryDirectory(prefix="labkit-packages-") as folder:
        Path(folder).chmod(0o755)  # the sandbox's user is nobody here
        build.packages(docker_client, source, Path(folder))
        yield Path(folder)


@pytest.fixture(params=[kind.name for kind in KINDS])
def machine(request: pytest.FixtureRequest) -> str:
    """Each kind of virtual machine by its name."""
    return str(request.param)
