"""The same picture before and after: containers run and removed again and again, and whatever else comes and goes."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest

from tests import engines
from tests.backends import not_for_this_engine
from tests.contract.helpers import tar_of, unique
from tests.engines import remove_all
from tests.faults import traces
from tests.faults.conftest import IMAGE, SOAK

CYCLES, FEWER = (200, 50) if SOAK else (20, 6)
WARM_UP = 5
FOREVER = ["sleep", "600"]
GROWTH = 1.05  # of the resident set, over the second half of the cycles
SLACK = 2 << 20  # bytes that an allocator may keep for itself in so short a run


@pytest.fixture(autouse=True)
def tidy(engine):
    yield
    remove_all(engine)


def watched(engine, cycle: Callable[[docker.DockerClient], object], times: int) -> None:
    """Do something so many times; then the engine must look as before, within ten seconds."""
    repeat(engine, cycle, WARM_UP)
    before = traces.settled(engine)
    repeat(engine, cycle, times // 2)
    half = {pid: traces.memory(pid) for pid in (before["api"], before["shim"])}
    repeat(engine, cycle, times - times // 2)
    after = {pid: traces.memory(pid) for pid in half}
    traces.same_again(engine, before)
    assert all(after[pid] <= half[pid] * GROWTH + SLACK for pid in half), (half, after)


def repeat(engine, cycle: Callable[[docker.DockerClient], object], times: int) -> None:
    """With a client of its own, that hangs up at the end: the SDK keeps connections open, and they would be counted."""
    with contextlib.closing(engine.client()) as client:
        for _ in range(times):
            cycle(client)


# --- what comes and goes -----------------------------------------------------------------------------------------


def run(client) -> None:
    assert client.containers.run(IMAGE, ["echo", "x"], remove=True) == b"x\n"


def killed(client) -> None:
    container = client.containers.run(IMAGE, FOREVER, detach=True)
    container.remove(force=True)


def stopped(client) -> None:
    container = client.containers.run(IMAGE, FOREVER, detach=True)
    container.stop(timeout=0)
    container.remove()


def failed_start(client) -> None:
    container = client.containers.create(IMAGE, ["no-such-command"])
    with pytest.raises(docker.errors.APIError):
        container.start()
    container.remove()


def stopped_copy(client) -> None:
    container = client.containers.create(IMAGE, FOREVER)
    container.put_archive("/tmp", tar_of({"a": b"1"}))
    list(container.get_archive("/tmp/a")[0])
    container.remove()


def network(client) -> None:
    made = client.networks.create(unique("lkleak"))
    with contextlib.ExitStack() as stack:
        stack.callback(made.remove)
        client.containers.run(IMAGE, ["true"], remove=True, network=made.name)


def volume(client) -> None:
    made = client.volumes.create(unique("lkleak"))
    client.containers.run(IMAGE, ["touch", "/data/x"], remove=True, volumes={made.name: {"bind": "/data"}})
    made.remove()


def image(client) -> None:
    name = unique("lkleak")
    client.api.import_image_from_data(tar_of({"a": b"1"}), repository=name)
    client.images.remove(name)


GUESTS = {
    "run": (run, CYCLES),
    "kill": (killed, FEWER),
    "stop": (stopped, FEWER),
    "failed start": (failed_start, FEWER),
    "copy": (stopped_copy, FEWER),
    "network": (network, FEWER),
    "volume": (volume, FEWER),
    "image": (image, FEWER),
}


@pytest.mark.parametrize("name", GUESTS)
def test_a_guest_leaves_nothing(engine, name):
    cycle, times = GUESTS[name]
    watched(engine, cycle, times)


def test_out_of_memory_leaves_nothing(engine, client):
    if not client.info()["MemoryLimit"]:
        not_for_this_engine("MemoryLimit is false in info: this engine can't limit memory, and says so")

    def hog(client) -> None:
        container = client.containers.run(
            IMAGE, ["tail", "/dev/zero"], mem_limit="16m", memswap_limit="16m", detach=True
        )
        assert container.wait(timeout=60)["StatusCode"] == 137
        container.remove()

    watched(engine, hog, FEWER)


# --- at one container that stays ---------------------------------------------------------------------------------


def executed(container) -> None:
    assert container.exec_run("echo x").output == b"x\n"


def attached(container) -> None:
    sock = container.attach_socket(params={"stdout": 1, "stream": 1})
    sock._sock.close()
    sock.close()


def copied(container) -> None:
    container.put_archive("/tmp", tar_of({"a": b"1"}))
    list(container.get_archive("/tmp/a")[0])


STAYS = {"exec": executed, "attach and drop": attached, "copy": copied}


@pytest.mark.parametrize("name", STAYS)
def test_a_container_that_stays(engine, client, name):
    made = client.containers.run(IMAGE, FOREVER, detach=True)
    watched(engine, lambda client: STAYS[name](client.containers.get(made.id)), FEWER * 2)


def test_eight_clients_at_once(engine):
    """As a class does, all at the same minute."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: repeat(engine, run, 1), range(8)))  # the engine makes its threads at first use
        before = traces.settled(engine)
        list(pool.map(lambda _: repeat(engine, run, CYCLES // 8), range(8)))
    traces.same_again(engine, before)


def test_no_cgroup_stays(engine, client):
    keys = set()
    for _ in range(FEWER):
        container = client.containers.run(IMAGE, FOREVER, detach=True, mem_limit="32m", pids_limit=20, cpu_shares=100)
        keys.add(container.id)
        if client.info()["MemoryLimit"]:
            assert traces.cgroups({container.id}), "the control: while it runs it has one"
        container.remove(force=True)
    deadline = time.monotonic() + traces.SECONDS
    while left := traces.cgroups(keys):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


# --- the engine itself -------------------------------------------------------------------------------------------


def test_an_engine_that_ends_leaves_no_bridge_and_no_process(account):
    """Its state folder stays, and nothing else."""
    with engines.embedded(account) as engine:
        bridges = traces.watch(engine)
        assert bridges <= traces.links(engines.api_pid(engine)), "the control: while it runs there is a bridge"
        engine.process.terminate()
        assert engine.process.wait(15) == 0
        with open("/proc/net/dev") as file:
            assert bridges & {row.split(":")[0].strip() for row in file} == set()
        deadline = time.monotonic() + traces.SECONDS
        while traces.shim_pid(engine):
            assert time.monotonic() < deadline, "the shim waits for nothing"
            time.sleep(0.1)
