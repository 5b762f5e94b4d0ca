"""What must not be lost: containers when the API process dies, order when two engines meet, data when the disk is full.

These tests kill, fill and restart an engine, so each gets one of its own; dockerd is not asked.
"""

import contextlib
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import docker
import pytest

from tests import busybox, engines
from tests.contract.helpers import OBEDIENT, eventually
from tests.engines import Engine, remove_all

COUNTER = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; usleep 5000; done"]


@pytest.fixture(autouse=True)
def tidy():
    """Nothing to remove: each engine goes with its folder."""


@pytest.fixture(scope="module", autouse=True)
def no_leak():
    """As above."""


@pytest.fixture(params=engines.OURS)
def account(request):
    """Whose engine it is: ours (None), or an ordinary user's when we are root."""
    return engines.ordinary_account() if request.param == "rootless" else None


@pytest.fixture
def engine(account):
    with engines.embedded(account) as engine:
        yield engine
        remove_all(engine)


@pytest.fixture
def client(engine):
    with contextlib.closing(engine.client()) as client:
        busybox.import_image(client, "survivor")
        yield client


def kill_9(engine: Engine) -> None:
    """What the kernel does to a process when memory runs out: no chance to say goodbye."""
    os.kill(engines.api_pid(engine), signal.SIGKILL)
    engine.process.wait(10)
    eventually(lambda: engines.api_pid(engine) is None)


def numbers(container) -> list[int]:
    return [int(line) for line in container.logs().split()]


# --- the API process dies ----------------------------------------------------------------------------------------


def test_containers_live_on_without_the_api_process(engine, account, client):
    container = client.containers.run("survivor", COUNTER, detach=True, name="counter")
    eventually(lambda: len(numbers(container)) > 20)
    container.reload()
    pid = container.attrs["State"]["Pid"]
    kill_9(engine)
    time.sleep(1)
    engines.start(engine, account)
    with contextlib.closing(engine.client()) as again:
        found = again.containers.get("counter")
        assert (found.id, found.status) == (container.id, "running")
        assert found.attrs["State"]["Pid"] == pid
        seen = numbers(found)
        assert len(seen) > 100
        assert seen == list(range(1, len(seen) + 1)), "a line is missing, or twice there"
        eventually(lambda: len(numbers(found)) > len(seen))


def test_an_exit_without_the_api_process_is_known_later(engine, account, client):
    container = client.containers.run("survivor", ["sh", "-c", "sleep 0.5; echo bye; exit 7"], detach=True)
    kill_9(engine)
    time.sleep(1)
    engines.start(engine, account)
    with contextlib.closing(engine.client()) as again:
        found = again.containers.get(container.id)
        assert found.status == "exited"
        assert found.wait(timeout=10)["StatusCode"] == 7
        assert found.logs() == b"bye\n"
        finished = found.attrs["State"]["FinishedAt"]
        assert finished > found.attrs["State"]["StartedAt"]


def test_after_a_restart_everything_can_be_done(engine, account, client):
    container = client.containers.run("survivor", OBEDIENT, detach=True, name="worker")
    made = client.containers.create("survivor", ["echo", "late"], name="waiting")
    container.exec_run(["sh", "-c", "echo mine > /etc/motd"])
    kill_9(engine)
    engines.start(engine, account)
    with contextlib.closing(engine.client()) as again:
        found = again.containers.get("worker")
        assert found.exec_run("cat /etc/motd").output == b"mine\n"
        assert {change["Path"] for change in found.diff()} == {"/etc", "/etc/motd"}
        found.pause()
        found.unpause()
        found.stop(timeout=10)
        assert found.wait(timeout=10)["StatusCode"] == 0
        found.start()
        assert found.exec_run("cat /etc/motd").output == b"mine\n"
        found.remove(force=True)
        waiting = again.containers.get(made.id)
        waiting.start()
        assert waiting.wait(timeout=10)["StatusCode"] == 0
        assert waiting.logs() == b"late\n"


def test_standard_input_outlives_the_api_process(engine, account, client):
    container = client.containers.create("survivor", ["cat"], stdin_open=True)
    container.start()
    kill_9(engine)
    engines.start(engine, account)
    with contextlib.closing(engine.client()) as again:
        found = again.containers.get(container.id)
        assert found.status == "running"
        sock = found.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        sock._sock.sendall(b"still here\n")
        eventually(lambda: found.logs() == b"still here\n")
        sock.close()


def test_killed_again_and_again(engine, account, client):
    container = client.containers.run("survivor", COUNTER, detach=True, name="counter")
    for _ in range(3):
        time.sleep(0.2)
        kill_9(engine)
        time.sleep(0.2)
        engines.start(engine, account)
    with contextlib.closing(engine.client()) as again:
        seen = numbers(again.containers.get(container.id))
        assert seen == list(range(1, len(seen) + 1))


def test_sigterm_leaves_the_containers_running(engine, account, client):
    container = client.containers.run("survivor", OBEDIENT, detach=True)
    container.reload()
    engine.process.send_signal(signal.SIGTERM)
    assert engine.process.wait(15) == 0
    assert Path(f"/proc/{container.attrs['State']['Pid']}").exists()
    engines.start(engine, account)
    with contextlib.closing(engine.client()) as again:
        assert again.containers.get(container.id).attrs["State"]["Pid"] == container.attrs["State"]["Pid"]


def test_a_client_that_waits_is_not_left_hanging(engine, client):
    container = client.containers.run("survivor", OBEDIENT, detach=True)
    stream = container.logs(stream=True, follow=True)
    kill_9(engine)
    with contextlib.suppress(Exception):  # the connection is cut: an end or an error, but no wait for ever
        list(stream)


# --- two engines, one folder -------------------------------------------------------------------------------------


def test_a_second_engine_on_the_same_state_is_refused(engine, account, client):
    socket_path = f"{engine.state.parent}/second.sock"
    command = [*engines.as_account(account), engines.python(account), "-m", "labkit.engine"]
    command += ["--socket", socket_path, "--state", str(engine.state)]
    said = subprocess.run(
        command, capture_output=True, text=True, timeout=30, cwd="/", env=engines.environment(account)
    )
    assert said.returncode != 0
    assert str(engine.state) in said.stderr
    assert "Traceback" not in said.stderr
    assert not os.path.exists(socket_path)
    assert client.ping()


def test_only_the_owner_may_enter(engine):
    assert stat.S_IMODE(os.stat(engine.address.removeprefix("unix://")).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(engine.state).st_mode) == 0o700


# --- a full disk -------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk():
    """An engine whose state lies on a disk of 24 MB (a tmpfs, so root only)."""
    if os.geteuid() != 0:
        pytest.skip("a small disk is made with mount(8), which needs root")
    with engines.folder(None) as folder:
        engine = engines.embedded_in(folder, "embedded")
        engine.state.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "labkit-test", engine.state], check=True)
        try:
            engines.start(engine)
            yield engine
        finally:
            remove_all(engine)
            engines.stop(engine)
            eventually(lambda: subprocess.run(["umount", engine.state], capture_output=True).returncode == 0)


def test_a_full_disk(small_disk):
    with contextlib.closing(small_disk.client()) as client:
        busybox.import_image(client, "survivor")
        first = client.containers.run("survivor", ["echo", "before"], detach=True, name="first")
        first.wait(timeout=20)
        filler = client.containers.run("survivor", ["sh", "-c", "cat /dev/zero > /big; echo $?"], detach=True)
        filler.wait(timeout=60)
        with pytest.raises(docker.errors.APIError, match=r"(?i)no space left") as refusal:
            fill_and_create(client)
        assert refusal.value.status_code in (500, 507)
        assert first.logs() == b"before\n"
        assert client.images.get("survivor").tags == ["survivor:latest"]
        filler.remove()
        assert client.containers.run("survivor", ["echo", "after"], remove=True) == b"after\n"
    kill_9(small_disk)
    engines.start(small_disk)
    with contextlib.closing(small_disk.client()) as again:
        assert {found.name for found in again.containers.list(all=True)} >= {"first"}
        assert again.containers.get("first").logs() == b"before\n"
        assert again.containers.run("survivor", ["cat", "/etc/motd"], remove=True) == b"hello from the image\n"


def fill_and_create(client) -> None:
    """Make containers and an image until the engine says that the disk is full; it must say so within 200."""
    for number in range(200):
        client.containers.create("survivor", ["true"], name=f"filler-{number}", environment=["X=" + "x" * 20_000])
    busybox.import_image(client, "too-much")
