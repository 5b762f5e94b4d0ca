"""Fixtures of the faults: an engine of its own for each test or module, since it is killed, filled up or starved.

`SOAK=1` (make soak) asks for the whole: every step as every user, hundreds of cycles, thousands of mutations.
dockerd is not asked here: it is shared, and its own tests are elsewhere.
"""

import contextlib
import os
import signal
from collections.abc import Iterator

import docker
import pytest

from tests import busybox, engines
from tests.contract.helpers import eventually
from tests.engines import Engine, remove_all
from tests.faults import traces

SOAK = bool(os.environ.get("SOAK"))
IMAGE = "faulty:latest"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The whole takes longer than a usual test may."""
    for item in items:
        if SOAK and item.path.is_relative_to(os.path.dirname(__file__)):
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="module", params=engines.OURS)
def account(request: pytest.FixtureRequest):
    """Whose engine it is: ours (None), or an ordinary user's when we are root."""
    return engines.ordinary_account() if request.param == "rootless" else None


@pytest.fixture(scope="module")
def engine(account) -> Iterator[Engine]:
    """An engine with the test image, shared by the tests of a module."""
    with engines.embedded(account) as engine:
        with contextlib.closing(engine.client()) as client:
            busybox.import_image(client, "faulty", changes=['CMD ["sh"]'])
            client.containers.run(IMAGE, ["true"], remove=True)  # the first one makes the image's layer of mount points
        traces.watch(engine)
        yield engine
        remove_all(engine)


@pytest.fixture
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    with contextlib.closing(engine.client()) as client:
        yield client


def kill_9(pid: int) -> None:
    """Kill a process for good, and wait until it is no more."""
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        eventually(lambda: not alive(pid))
    finally:
        os.close(handle)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill_api(engine: Engine) -> None:
    kill_9(engines.api_pid(engine))
    engine.process.wait(10)
