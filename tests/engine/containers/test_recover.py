"""A new engine process on an old state folder: what the records, the shim and the exit files say together."""

import os
import subprocess
import time

import pytest

from labkit.engine.containers import start
from labkit.engine.containers.recover import LOST
from labkit.engine.state import boot_id, read_json, write_json
from tests.engine.containers.fakes import FakeShim, make_engine, new, soon


@pytest.fixture
async def before(tmp_path):
    """An engine with one running container, and the shim that outlives it."""
    engine = make_engine(tmp_path, FakeShim())
    await engine.containers.reconcile()
    container = new(engine, "web")
    await start.start(engine, container)
    return engine, container


async def restarted(tmp_path, shim):
    """What a new engine process makes of the folder; done twice, as it must make no difference."""
    engine = make_engine(tmp_path, shim)
    await engine.containers.reconcile()
    again = make_engine(tmp_path, shim)
    await again.containers.reconcile()
    assert [vars(c.state) for c in engine.containers] == [vars(c.state) for c in again.containers]
    return again


async def test_what_runs_runs_on(tmp_path, before):
    engine, container = before
    found = (await restarted(tmp_path, engine.shim)).containers.get("web")
    assert found.state == container.state
    assert found.config == container.config


async def test_its_end_is_heard_by_the_new_engine(tmp_path, before):
    engine, _ = before
    found = (await restarted(tmp_path, engine.shim)).containers.get("web")
    engine.shim.ends(found.id, 7)
    assert (found.state.status, found.state.exit_code) == ("exited", 7)


async def test_what_ended_meanwhile_has_its_exit_code(tmp_path, before):
    engine, container = before
    write_json(engine.state.container(container.id) / "exit.json", {"status": 7, "at": 1e9})
    found = (await restarted(tmp_path, FakeShim())).containers.get("web")
    assert (found.state.status, found.state.exit_code) == ("exited", 7)
    assert found.state.finished_at.startswith("2001-09-09T01:46:40")


async def test_what_nobody_saw_end_is_lost(tmp_path, before):
    found = (await restarted(tmp_path, FakeShim())).containers.get("web")
    assert (found.state.status, found.state.exit_code) == ("exited", LOST)


async def test_what_lives_on_without_a_shim_is_killed(tmp_path, before):
    orphan = subprocess.Popen(["sleep", "60"])
    _pretend(before, orphan.pid, start.birth(orphan.pid), boot_id())
    await restarted(tmp_path, FakeShim())
    assert orphan.wait(5) == -9


@pytest.mark.parametrize("fault", ["another process has its pid", "the machine was started anew"])
async def test_a_process_that_is_not_the_containers_is_left_alone(tmp_path, before, fault):
    bystander = subprocess.Popen(["sleep", "60"])
    birth = start.birth(bystander.pid)
    if fault == "another process has its pid":
        _pretend(before, bystander.pid, birth - 1, boot_id())
    else:
        _pretend(before, bystander.pid, birth, "another boot")
    await restarted(tmp_path, FakeShim())
    time.sleep(0.1)
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def _pretend(before, pid: int, birth: int, boot: str) -> None:
    """Let the record say that the container's process was this one."""
    engine, container = before
    path = engine.state.container(container.id) / "record.json"
    record = read_json(path)
    record["state"] |= {"pid": pid, "birth": birth, "boot_id": boot}
    write_json(path, record)


async def test_killed_between_create_and_start(tmp_path, before):
    engine, _ = before
    half = new(engine, "half")
    engine.shim.tasks[half.id] = {"key": half.id, "pid": 1, "state": "created"}
    found = (await restarted(tmp_path, engine.shim)).containers.get("half")
    assert found.state.status == "created"
    assert half.id not in engine.shim.tasks


async def test_killed_before_the_start_was_written_down(tmp_path, before):
    engine, _ = before
    late = new(engine, "late")
    engine.shim.tasks[late.id] = {"key": late.id, "pid": os.getpid(), "state": "running"}
    found = (await restarted(tmp_path, engine.shim)).containers.get("late")
    assert (found.state.status, found.state.pid) == ("running", os.getpid())


async def test_half_a_create_is_swept_up(tmp_path, before):
    engine, _ = before
    (engine.state.overlay / ("e" * 64) / "diff").mkdir(parents=True)
    (engine.state.containers / ("e" * 64)).mkdir()
    await restarted(tmp_path, engine.shim)
    assert not (engine.state.overlay / ("e" * 64)).exists()
    assert not (engine.state.containers / ("e" * 64)).exists()


async def test_half_a_removal_is_finished(tmp_path, before):
    engine, _ = before
    leaving = new(engine, "leaving")
    leaving.state.status = "removing"
    engine.containers.save(leaving)
    again = await restarted(tmp_path, engine.shim)
    assert again.containers.find("leaving") is None
    assert not (engine.state.overlay / leaving.id).exists()


async def test_a_task_without_a_record_is_taken_down(tmp_path, before):
    engine, _ = before
    engine.shim.tasks["f" * 64] = {"key": "f" * 64, "pid": 1, "state": "running"}
    await restarted(tmp_path, engine.shim)
    assert "f" * 64 not in engine.shim.tasks


async def test_a_broken_record_is_left_alone(tmp_path, before):
    engine, _ = before
    broken = new(engine, "broken")
    path = engine.state.container(broken.id) / "record.json"
    path.write_text("{")
    again = await restarted(tmp_path, engine.shim)
    assert path.read_text() == "{"
    assert [container.name for container in again.containers] == ["web"]


async def test_one_that_should_remove_itself(tmp_path):
    engine = make_engine(tmp_path, FakeShim())
    container = new(engine, "brief", HostConfig={"AutoRemove": True})
    await start.start(engine, container)
    again = make_engine(tmp_path, FakeShim())
    await again.containers.reconcile()
    await soon(lambda: again.containers.find("brief") is None)


async def test_a_restart_that_was_planned_still_comes(tmp_path):
    engine = make_engine(tmp_path, FakeShim())
    await engine.containers.reconcile()
    container = new(engine, "again", HostConfig={"RestartPolicy": {"Name": "always"}})
    await start.start(engine, container)
    engine.shim.ends(container.id, 1)
    await engine.containers.close()
    later = make_engine(tmp_path, FakeShim())
    await later.containers.reconcile()
    found = later.containers.get("again")
    assert found.state.status == "restarting"
    await soon(lambda: found.state.status == "running")
