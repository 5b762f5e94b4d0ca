"""When something runs out: disk, descriptors, processes, patience. The engine must say so, and go on afterwards."""

import contextlib
import itertools
import os
import resource
import socket
import time

import docker
import pytest

from tests import busybox, engines
from tests.backends import not_for_this_engine
from tests.contract.helpers import Background, eventually
from tests.contract.test_survival import small_disk  # noqa: F401  a fixture: an engine on a disk of 24 MB
from tests.engines import remove_all
from tests.faults import traces
from tests.faults.conftest import IMAGE

FOREVER = ["sleep", "600"]
FEW = 64  # descriptors


@pytest.fixture(autouse=True)
def tidy(request):
    yield
    if "engine" in request.fixturenames:
        remove_all(request.getfixturevalue("engine"))


# --- the disk ----------------------------------------------------------------------------------------------------


def test_at_zero_bytes_free_everything_can_be_removed(small_disk):  # noqa: F811
    with contextlib.closing(small_disk.client()) as client:
        busybox.import_image(client, "faulty")
        running = client.containers.run(IMAGE, FOREVER, detach=True, name="running")
        client.containers.create(IMAGE, FOREVER, name="waiting")
        fill(small_disk.state)
        with pytest.raises(docker.errors.APIError, match=r"(?i)no space left"):
            client.containers.create(IMAGE, FOREVER, name="too-much", environment=["X=" + "x" * 100_000])
        assert {c.name for c in client.containers.list(all=True)} == {"running", "waiting"}
        assert running.exec_run("cat /etc/motd").exit_code in (0, 126), "it may be refused, and is then"
        running.kill()
        assert running.wait(timeout=10)["StatusCode"] == 137
        running.remove()
        assert client.containers.prune()["ContainersDeleted"]
        assert client.containers.list(all=True) == []
        (small_disk.state / "filler").unlink()
        assert client.containers.run(IMAGE, ["echo", "again"], remove=True) == b"again\n"


def test_a_container_that_fills_the_disk_learns_of_it_alone(small_disk):  # noqa: F811
    with contextlib.closing(small_disk.client()) as client:
        busybox.import_image(client, "faulty")
        other = client.containers.run(IMAGE, FOREVER, detach=True)
        hog = client.containers.run(IMAGE, ["sh", "-c", "cat /dev/zero >/hog || exit 7"], detach=True)
        assert hog.wait(timeout=30)["StatusCode"] == 7
        other.reload()
        assert other.status == "running"
        hog.remove()
        assert other.exec_run("echo well").output == b"well\n"
        other.remove(force=True)


def fill(place) -> None:
    with (place / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(size))


# --- descriptors -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def few_descriptors(pid: int):
    """Let a process open no more than a few files: prlimit(2)."""
    try:
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    except PermissionError:
        not_for_this_engine(
            "prlimit(2) of another user's process needs CAP_SYS_RESOURCE, which root here does not have"
        )
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def processor_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_hundred_clients_and_few_descriptors(engine, client):
    pid = engines.api_pid(engine)
    with few_descriptors(pid), contextlib.ExitStack() as stack:
        for _ in range(100):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(1)
            one.connect(engine.address.removeprefix("unix://"))
        used = processor_seconds(pid)
        time.sleep(1)
        assert processor_seconds(pid) - used < 0.8, "it must wait for a descriptor, not spin"
    eventually(lambda: answers(engine))
    with contextlib.closing(engine.client()) as again:
        assert again.containers.run(IMAGE, ["echo", "well"], remove=True) == b"well\n"


def answers(engine) -> bool:
    with contextlib.suppress(docker.errors.DockerException, OSError), contextlib.closing(engine.client()) as client:
        return client.ping()
    return False


@pytest.mark.parametrize("who", ["api", "shim"])
def test_containers_until_the_descriptors_run_out(engine, client, who):
    """One more is refused with a reason; the shim, on which all others depend, lives on."""
    before, shim = traces.settled(engine), traces.shim_pid(engine)
    client.containers.run(IMAGE, FOREVER, detach=True)
    with few_descriptors(shim if who == "shim" else engines.api_pid(engine)):
        refusal = until_refused(client)
    assert refusal is None or refusal.explanation
    assert traces.shim_pid(engine) == shim
    running = client.containers.list()
    assert running and all(c.exec_run("true").exit_code == 0 for c in running[:2])
    remove_all(engine)
    assert client.containers.run(IMAGE, ["echo", "well"], remove=True) == b"well\n"
    traces.same_again(engine, {key: before[key] for key in ("mounts", "links", "processes", "files", "shim")})
    eventually(lambda: sum(traces.descriptors(shim).values()) <= sum(before["descriptors"][shim].values()))


def until_refused(client) -> docker.errors.APIError | None:
    for _ in range(25):
        try:
            client.containers.run(IMAGE, FOREVER, detach=True)
        except docker.errors.APIError as refusal:
            return refusal
    return None


# --- processes, memory, patience ---------------------------------------------------------------------------------


def test_what_can_be_done_where_no_process_may_be_made(engine, client):
    if not client.info()["PidsLimit"]:
        not_for_this_engine("PidsLimit is false in info: this engine can't limit processes, and says so")
    fill_up = "for i in 1 2 3 4 5 6 7; do sleep 600 & done; echo full; exec sleep 600"
    full = client.containers.run(IMAGE, ["sh", "-c", fill_up], pids_limit=8, detach=True)
    eventually(lambda: b"full" in full.logs())
    refused = full.exec_run(["sh", "-c", "true & wait"])
    assert b"can't fork" in refused.output, "the control"
    assert full.exec_run(["cat", "/etc/motd"]).output == b"hello from the image\n", "it is made first, and joins then"
    assert len(full.top()["Processes"]) == 8
    full.stop(timeout=0)
    assert full.wait(timeout=10)["StatusCode"] == 137


def test_a_fork_bomb_leaves_nothing(engine, client):
    if not client.info()["PidsLimit"]:
        not_for_this_engine("PidsLimit is false in info: this engine can't limit processes, and says so")
    before = traces.settled(engine)
    bomb = ["sh", "-c", "bomb() { bomb | bomb & }; while :; do bomb; done"]
    container = client.containers.run(IMAGE, bomb, pids_limit=64, detach=True, restart_policy={"Name": "always"})
    assert client.containers.run(IMAGE, ["echo", "others live"], remove=True) == b"others live\n"
    container.remove(force=True)
    traces.same_again(engine, {key: before[key] for key in ("processes", "files", "shim", "namespaces")})


def test_stops_of_the_deaf_do_not_wait_for_each_other(engine, client):
    deaf = [client.containers.run(IMAGE, FOREVER, detach=True) for _ in range(5)]
    began = time.monotonic()
    stopping = [Background(lambda one=one: one.stop(timeout=1)) for one in deaf]
    for each in stopping:
        each.result(20)
    assert time.monotonic() - began < 3.5
    assert {one.wait(timeout=5)["StatusCode"] for one in deaf} == {137}


def test_a_restart_loop_waits_longer_each_time(engine, client):
    """0.1 s, then double, as in Docker; `stop` ends it."""
    began = time.time()
    loop = client.containers.run(IMAGE, ["sh", "-c", "exit 3"], detach=True, restart_policy={"Name": "always"})
    eventually(lambda: restarts(client, loop) >= 5, 20)
    wanted = {"container": loop.id, "event": "start"}
    told = client.events(since=int(began), until=int(time.time()) + 1, filters=wanted, decode=True)
    starts = [event["timeNano"] / 1e9 for event in told][:5]
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert all(wait <= gap < wait + 3 for wait, gap in zip((0.1, 0.2, 0.4, 0.8), gaps, strict=True)), gaps
    loop.stop(timeout=0)
    count = restarts(client, loop)
    time.sleep(2)
    assert (restarts(client, loop), loop.status) == (count, "exited")


def restarts(client, container) -> int:
    container.reload()
    return container.attrs["RestartCount"]


def test_a_flood_of_output_stays_within_its_files(engine, client):
    """Ten megabytes a file and three of them are kept by default; who reads nothing holds nobody up."""
    flood = client.containers.run(IMAGE, ["yes", "x" * 200], detach=True)
    slow = flood.logs(stream=True, follow=True)
    next(slow)
    folder = engine.state / "containers" / flood.id
    eventually(lambda: (folder / "log.json.1").exists(), 40)
    assert client.containers.run(IMAGE, ["echo", "others live"], remove=True) == b"others live\n"
    flood.kill()
    flood.wait(timeout=20)
    assert sum(path.stat().st_size for path in folder.glob("log.json*")) <= 32 << 20
    assert client.ping()
