"""kill -9, of each of our processes and of several at once; a machine that was started anew; a pid that came back."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import engines
from tests.contract.helpers import eventually
from tests.engines import remove_all
from tests.faults import traces
from tests.faults.conftest import IMAGE, alive, kill_9, kill_api

FOREVER = ["sleep", "600"]
LOST = 255


@pytest.fixture
def victim(engine, client):
    """A container that runs, and its pid outside."""
    container = client.containers.run(IMAGE, FOREVER, detach=True)
    container.reload()
    yield container, container.attrs["State"]["Pid"]
    remove_all(engine)


def state(engine, container) -> tuple[str, int]:
    with contextlib.closing(engine.client()) as client:
        found = client.containers.get(container.id)
        return found.status, found.attrs["State"]["ExitCode"]


def starts_again(engine, container) -> None:
    with contextlib.closing(engine.client()) as client:
        found = client.containers.get(container.id)
        found.start()
        assert found.exec_run("echo well").output == b"well\n"
        found.kill()
        assert found.wait(timeout=10)["StatusCode"] == 137


def test_the_container_is_killed(engine, victim):
    container, pid = victim
    kill_9(pid)
    eventually(lambda: state(engine, container) == ("exited", 137))
    starts_again(engine, container)


def test_the_shim_is_killed(engine, victim):
    """Nobody reads the output any more, nobody would learn of the end: what ran counts as lost, and is."""
    container, pid = victim
    kill_9(traces.shim_pid(engine))
    eventually(lambda: state(engine, container) == ("exited", LOST))
    eventually(lambda: not alive(pid))
    starts_again(engine, container)


WHO = {"api and shim": (True, False), "api, shim and container": (True, True), "api and container": (False, True)}


@pytest.mark.parametrize("who", WHO)
def test_several_are_killed(engine, account, victim, who):
    container, pid = victim
    with_shim, with_container = WHO[who]
    doomed = [traces.shim_pid(engine)] if with_shim else []
    kill_api(engine)
    for each in [*doomed, *([pid] if with_container else [])]:
        kill_9(each)
    engines.start(engine, account)
    expected = ("exited", LOST if with_shim else 137)
    assert state(engine, container) == expected
    eventually(lambda: not alive(pid))
    kill_api(engine)
    engines.start(engine, account)
    assert state(engine, container) == expected, "a second start must change nothing"
    starts_again(engine, container)


# --- a record that names somebody else's process -----------------------------------------------------------------


@pytest.fixture
def bystander() -> Iterator[int]:
    """A process that has nothing to do with us, and must be alive at the end."""
    process = subprocess.Popen(FOREVER)
    yield process.pid
    assert process.poll() is None, "a process was killed that only had the pid"
    process.kill()
    process.wait()


FALSE_RECORDS = {
    "the pid was given out again": lambda pid: {"pid": pid, "birth": 1},
    "the machine was started anew": lambda pid: {"pid": pid, "birth": birth(pid), "boot_id": "another boot"},
}


def birth(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


@pytest.mark.parametrize("case", FALSE_RECORDS)
def test_a_pid_alone_is_nobodys_name(engine, account, victim, bystander, case):
    container, pid = victim
    shim = traces.shim_pid(engine)
    kill_api(engine)
    kill_9(shim)
    if alive(pid):
        kill_9(pid)
    record = engine.state / "containers" / container.id / "record.json"
    kept = json.loads(record.read_text())
    kept["state"] |= FALSE_RECORDS[case](bystander)
    record.write_text(json.dumps(kept))
    for _ in range(2):
        engines.start(engine, account)
        assert state(engine, container) == ("exited", LOST)
        assert alive(bystander)
        kill_api(engine)
    engines.start(engine, account)
    starts_again(engine, container)


def test_after_a_reboot_a_restart_policy_is_kept(engine, account, client, bystander):
    """All that ran ended with the machine. What shall always run does so again, and no pid of before is believed."""
    policies = {"always": "running", "unless-stopped": "running", "no": "exited"}
    made = {
        name: client.containers.run(IMAGE, FOREVER, detach=True, restart_policy={"Name": name}) for name in policies
    }
    shim = traces.shim_pid(engine)
    kill_api(engine)
    kill_9(shim)
    for container in made.values():
        record = engine.state / "containers" / container.id / "record.json"
        kept = json.loads(record.read_text())
        if alive(kept["state"]["pid"]):
            kill_9(kept["state"]["pid"])
        kept["state"] |= FALSE_RECORDS["the machine was started anew"](bystander)
        record.write_text(json.dumps(kept))
    engines.start(engine, account)
    for name, status in policies.items():
        eventually(lambda name=name, status=status: state(engine, made[name])[0] == status)
    remove_all(engine)


RUBBISH = {  # a place in the state folder, and a file in it: what an engine that died may leave half done
    "a layer of no container": ("overlay/" + "f" * 64, "container.json"),
    "a layer that was being unpacked": ("overlay/.new.0123", "diff"),
    "a folder without a record": ("containers/" + "f" * 64, "config.json"),
    "a blob without a digest": ("blobs/sha256/.new.0123", "1"),
    "a volume that was being deleted": ("volumes/.gone.0123", "file"),
}


@pytest.mark.parametrize("what", RUBBISH)
def test_rubbish_is_swept_up_at_the_start(engine, account, client, what):
    before = traces.settled(engine)
    folder, file = RUBBISH[what]
    kill_api(engine)
    place = engine.state / folder
    place.mkdir()
    (place / file).write_text('{"layers": [], "init": ""}')
    if account:
        for path in (place, place / file):
            os.chown(path, account.pw_uid, account.pw_gid)
    engines.start(engine, account)
    assert not place.exists()
    assert traces.of(engine)["files"] == before["files"]


def test_nothing_is_left_of_all_this(engine, client):
    """Not one process, mount or cgroup of a container that was lost."""
    remove_all(engine)
    picture = traces.of(engine)
    assert [name for name in picture["files"] if name.startswith("containers/")] == []
    assert picture["mounts"] == []
    assert not any(os.path.basename(name).startswith("lkv") for name in picture["links"])
