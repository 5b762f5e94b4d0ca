"""The verbs, on an engine of fakes: what is asked of the shim, what is told, what is written down."""

import asyncio
import json
import os
import signal

import pytest

from labkit.engine.containers import execs, remove, start, stop
from labkit.engine.errors import BadParameter, Conflict, NoSuchContainer, NoSuchImage, NotModified, ServerError
from labkit.runtime.create import RuntimeFailed
from tests.engine.containers.fakes import FakeShim, make_engine, new, soon, told


@pytest.fixture
async def shim():
    return FakeShim()


@pytest.fixture
async def fake(tmp_path, shim):
    fake = make_engine(tmp_path, shim)
    await fake.containers.reconcile()
    return fake


@pytest.fixture
async def running(fake):
    container = new(fake, "web")
    await start.start(fake, container)
    return container


def written(fake, container) -> dict:
    return json.loads((fake.state.container(container.id) / "record.json").read_text())


# --- create and find ---------------------------------------------------------------------------------------------


async def test_create_writes_a_record_and_a_layer(fake):
    container = new(fake, "web")
    assert written(fake, container)["name"] == "web"
    assert (fake.state.overlay / container.id).is_dir()
    assert told(fake) == ["create"]


async def test_a_name_is_taken_once(fake):
    first = new(fake, "web")
    with pytest.raises(Conflict) as refusal:
        new(fake, "/web")
    assert refusal.value.message == (
        f'Conflict. The container name "/web" is already in use by container "{first.id}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )


async def test_a_refused_create_leaves_nothing(fake):
    for body in ({"HostConfig": {"Memory": 1}}, {"Env": ["=x"]}, {"Cmd": [], "Entrypoint": [""]}):
        with pytest.raises(BadParameter):
            new(fake, "web", **body)
    assert list(fake.state.overlay.iterdir()) == list(fake.state.containers.iterdir()) == []


async def test_no_such_image(fake):
    with pytest.raises(NoSuchImage, match="No such image: nosuch:latest"):
        new(fake, Image="nosuch")


async def test_found_by_name_id_and_the_start_of_an_id(fake):
    container = new(fake, "web")
    for ref in ("web", "/web", container.id, container.id[:12]):
        assert fake.containers.get(ref) is container
    with pytest.raises(NoSuchContainer, match="No such container: db"):
        fake.containers.get("db")


async def test_the_start_of_two_ids(fake):
    one, two = new(fake), new(fake)
    fake.containers.forget(two)
    two.id = one.id[:-1] + ("0" if one.id[-1] != "0" else "1")
    fake.containers.add(two)
    with pytest.raises(BadParameter, match="Multiple IDs found with provided prefix"):
        fake.containers.get(one.id[:12])


# --- start -------------------------------------------------------------------------------------------------------


async def test_start(fake, shim, running):
    assert shim.calls == [("create", running.id), ("start", running.id)]
    assert running.state.status == written(fake, running)["state"]["status"] == "running"
    assert told(fake) == ["create", "start"]


async def test_start_twice(fake, running):
    with pytest.raises(NotModified):
        await start.start(fake, running)


async def test_the_files_that_the_engine_lends(fake, shim, running):
    folder = fake.state.container(running.id)
    assert (folder / "hostname").read_text() == f"{os.uname().nodename}\n"  # its network is the host's, so its name is
    places = {mount["destination"]: mount["source"] for mount in shim.config["mounts"]}
    assert places["/etc/hosts"] == str(folder / "hosts")


NOT_STARTED = {  # the runtime's words: exit code, status, Docker's words
    "executable file not found in $PATH": (127, 400, 'exec: "nosuch": executable file not found in $PATH: unknown'),
    "nosuch: No such file or directory": (127, 400, 'exec: "nosuch": stat nosuch: no such file or directory: unknown'),
    "/bin/nosuch: Permission denied": (126, 400, 'exec: "nosuch": permission denied: unknown'),
    "sethostname: Invalid argument": (128, 500, "sethostname: Invalid argument: unknown"),
}


@pytest.mark.parametrize(("words", "wanted"), NOT_STARTED.items())
async def test_what_does_not_start(fake, shim, words, wanted):
    code, status, said = wanted
    container = new(fake, Cmd=["nosuch"])
    shim.fail_with = RuntimeFailed(words)
    with pytest.raises((BadParameter, ServerError)) as refusal:
        await start.start(fake, container)
    assert refusal.value.status == status
    assert refusal.value.message.endswith(said)
    assert refusal.value.message.startswith("failed to create task for container: ")
    kept = written(fake, container)["state"]
    assert (kept["status"], kept["exit_code"], kept["error"]) == ("created", code, refusal.value.message)
    assert shim.tasks == {}
    assert told(fake) == ["create"]


async def test_one_that_should_remove_itself_goes_when_it_does_not_start(fake, shim):
    container = new(fake, HostConfig={"AutoRemove": True})
    removed = container.waiters.add("removed")
    shim.fail_with = RuntimeFailed("executable file not found in $PATH")
    with pytest.raises(BadParameter):
        await start.start(fake, container)
    assert await removed == 127
    assert fake.containers.find(container.id) is None


async def test_an_unknown_user(fake):
    container = new(fake, User="nobod")
    with pytest.raises(ServerError, match="unable to find user nobod: no matching entries in passwd file"):
        await start.start(fake, container)
    assert container.state.exit_code == 128


# --- the end -----------------------------------------------------------------------------------------------------


async def test_an_exit_is_written_told_and_heard(fake, shim, running):
    waiting = [running.waiters.add(condition) for condition in ("not-running", "next-exit")]
    shim.ends(running.id, 3)
    assert await asyncio.gather(*waiting) == [3, 3]
    assert written(fake, running)["state"]["exit_code"] == 3
    assert told(fake)[-1] == "die"
    await soon(lambda: ("delete", running.id) in shim.calls)


async def test_an_exit_that_comes_with_the_start(fake, shim):
    """`true` may be over before the start has been answered."""
    container = new(fake)
    begin = shim.start

    async def start_and_end(key):
        await begin(key)
        shim.ends(key, 5)

    shim.start = start_and_end
    await start.start(fake, container)
    await soon(lambda: container.state.status == "exited")
    assert container.state.exit_code == 5
    assert told(fake) == ["create", "start", "die"]


async def test_auto_remove(fake, shim):
    container = new(fake, HostConfig={"AutoRemove": True})
    await start.start(fake, container)
    removed = container.waiters.add("removed")
    shim.ends(container.id, 4)
    assert await removed == 4
    assert told(fake) == ["create", "start", "die", "destroy"]
    assert not (fake.state.overlay / container.id).exists()


# --- stop, kill, restart -----------------------------------------------------------------------------------------


async def test_stop(fake, shim, running):
    await stop.stop(fake, running)
    assert ("kill", running.id, signal.SIGTERM) in shim.calls
    assert told(fake)[2:] == ["kill", "die", "stop"]
    with pytest.raises(NotModified):
        await stop.stop(fake, running)


async def test_stop_kills_the_deaf(fake, shim, running):
    shim.deaf = True
    await stop.stop(fake, running, grace=0)
    assert [call[2] for call in shim.calls if call[0] == "kill"] == [signal.SIGTERM, signal.SIGKILL]
    assert running.state.exit_code == 137


async def test_without_a_grace_period_no_signal_waits_for_the_other(fake, shim, running):
    shim.deaf = True
    shim.answers.clear()
    stopping = asyncio.create_task(stop.stop(fake, running, grace=0))
    await soon(lambda: [call[2] for call in shim.calls if call[0] == "kill"] == [signal.SIGTERM, signal.SIGKILL])
    shim.answers.set()
    await stopping
    assert told(fake)[2:] == ["kill", "kill", "die", "stop"]


async def test_a_kill_that_ends_nothing_is_told(fake, shim, running, monkeypatch):
    monkeypatch.setattr(stop, "KILL_SECONDS", 0.05)
    monkeypatch.setattr(shim, "ends", lambda *_: None)
    with pytest.raises(ServerError, match="does not end after SIGKILL"):
        await stop.stop(fake, running, grace=0)
    assert running.state.status == "running"


async def test_the_stop_signal_and_the_grace_period_of_the_container(fake, shim):
    container = new(fake, StopSignal="SIGUSR1", StopTimeout=0)
    await start.start(fake, container)
    shim.deaf = True
    await asyncio.wait_for(stop.stop(fake, container), 3)
    assert ("kill", container.id, signal.SIGUSR1) in shim.calls


async def test_stop_of_a_paused_one_thaws_it(fake, shim, running):
    await stop.pause(fake, running)
    await stop.stop(fake, running)
    assert ("resume", running.id) in shim.calls
    assert told(fake)[2:] == ["pause", "kill", "unpause", "die", "stop"]


async def test_kill_waits_for_the_end(fake, running):
    await stop.kill(fake, running)
    assert (running.state.status, running.state.exit_code) == ("exited", 137)
    with pytest.raises(Conflict, match=r"Cannot kill container: web: Container .* is not running"):
        await stop.kill(fake, running)


async def test_kill_with_another_signal(fake, shim, running):
    shim.deaf = True
    await stop.kill(fake, running, "USR1")
    assert shim.calls[-1] == ("kill", running.id, 10)
    assert running.state.status == "running"


async def test_restart(fake, running):
    await stop.restart(fake, running)
    assert running.state.status == "running"
    assert told(fake)[2:] == ["kill", "die", "stop", "start", "restart"]


async def test_restart_does_not_remove(fake):
    container = new(fake, HostConfig={"AutoRemove": True})
    await start.start(fake, container)
    await stop.restart(fake, container)
    assert container.state.status == "running"


async def test_pause_and_unpause(fake, running):
    await stop.pause(fake, running)
    assert running.state.status == "paused"
    with pytest.raises(Conflict, match="is already paused"):
        await stop.pause(fake, running)
    await stop.unpause(fake, running)
    assert running.state.status == "running"
    with pytest.raises(Conflict, match="is not paused"):
        await stop.unpause(fake, running)


async def test_verbs_do_not_interleave(fake, shim):
    container = new(fake)
    outcomes = await asyncio.gather(*(start.start(fake, container) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, NotModified) for outcome in outcomes) == 4
    assert shim.calls.count(("create", container.id)) == 1


# --- restart policies --------------------------------------------------------------------------------------------


async def test_on_failure_gives_up_after_so_many(fake, shim):
    container = new(fake, HostConfig={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}})
    await start.start(fake, container)
    for count in (1, 2):
        shim.ends(container.id, 1)
        assert container.state.status == "restarting"
        await soon(lambda: container.state.status == "running")
        assert container.restart_count == count
    shim.ends(container.id, 1)
    assert container.state.status == "exited"


async def test_a_stopped_one_is_not_restarted(fake, shim):
    container = new(fake, HostConfig={"RestartPolicy": {"Name": "always"}})
    await start.start(fake, container)
    await stop.stop(fake, container)
    assert container.state.status == "exited"


async def test_stop_calls_a_restart_off(fake, shim):
    container = new(fake, HostConfig={"RestartPolicy": {"Name": "always"}})
    await start.start(fake, container)
    shim.ends(container.id, 1)
    await stop.stop(fake, container)
    await asyncio.sleep(0.2)
    assert container.state.status == "exited"
    assert container.restart_count == 0


# --- rename, remove ----------------------------------------------------------------------------------------------


async def test_rename(fake, running):
    await stop.rename(fake, running, "site")
    assert fake.containers.get("site") is running
    assert fake.containers.find("web") is None
    assert written(fake, running)["name"] == "site"


@pytest.mark.parametrize("name", ["", "web", "/web", "-x"])
async def test_rename_refused(fake, running, name):
    with pytest.raises(BadParameter):
        await stop.rename(fake, running, name)
    assert fake.containers.get("web") is running


async def test_rename_to_a_taken_name(fake, running):
    new(fake, "db")
    with pytest.raises(Conflict, match="already in use"):
        await stop.rename(fake, running, "db")


async def test_remove_leaves_nothing(fake):
    container = new(fake, "web")
    await remove.remove(fake, container)
    assert list(fake.state.overlay.iterdir()) == list(fake.state.containers.iterdir()) == []
    assert new(fake, "web").name == "web"


async def test_remove_of_a_running_one_takes_force(fake, running):
    with pytest.raises(Conflict, match="Stop the container before"):
        await remove.remove(fake, running)
    await remove.remove(fake, running, force=True)
    assert fake.containers.find("web") is None
    assert told(fake)[-3:] == ["kill", "die", "destroy"]


async def test_removed_twice_at_once(fake):
    container = new(fake)
    outcomes = await asyncio.gather(
        *(remove.remove(fake, container, force=True) for _ in range(3)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} <= {type(None), Conflict}
    assert told(fake).count("destroy") == 1


async def test_prune(fake, running):
    old = new(fake, "old")
    pruned = await remove.prune(fake, {})
    assert pruned == {"ContainersDeleted": [old.id], "SpaceReclaimed": 10}
    with pytest.raises(BadParameter, match="invalid filter"):
        await remove.prune(fake, {"zork": ["1"]})


@pytest.mark.parametrize(
    ("filters", "goes"),
    [({"label": ["labkit=course"]}, True), ({"label!": ["labkit"]}, False), ({"until": ["1h"]}, False)],
)
async def test_prune_by_filter(fake, filters, goes):
    new(fake)
    assert bool((await remove.prune(fake, filters))["ContainersDeleted"]) is goes


# --- a full disk -------------------------------------------------------------------------------------------------


async def test_a_full_disk_refuses_a_create_and_allows_a_removal(fake, monkeypatch):
    container = new(fake)

    def full(path, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("labkit.engine.containers.manager.write_json", full)
    with pytest.raises(ServerError, match="No space left on device"):
        new(fake, "late")
    assert fake.containers.find("late") is None
    await remove.remove(fake, container)
    assert list(fake.state.overlay.iterdir()) == []


# --- exec --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def with_root(running):
    """It has the root of this very process: execs look their user up in it."""
    running.state.pid = os.getpid()
    return running


async def test_exec(fake, shim, with_root):
    one = execs.create(fake, with_root, {"Cmd": ["ls", "-l"]})
    await execs.run(fake, with_root, one)
    assert (one.running, one.pid) == (True, 5_000_000)
    shim.on_exit(with_root.id, one.id, 3, 0.0)
    assert execs.inspect(one)["ExitCode"] == 3
    assert told(fake)[2:] == ["exec_create: ls -l", "exec_start: ls -l", "exec_die"]


async def test_exec_runs_once(fake, with_root):
    one = execs.create(fake, with_root, {"Cmd": "ls"})
    await execs.run(fake, with_root, one)
    with pytest.raises(Conflict, match="is already running"):
        await execs.run(fake, with_root, one)
    execs.ended(fake, with_root, one.id, 0)
    with pytest.raises(Conflict, match="has already run"):
        await execs.run(fake, with_root, one)


async def test_exec_of_what_is_not_there(fake, shim, with_root):
    one = execs.create(fake, with_root, {"Cmd": ["nosuch"]})
    shim.fail_with = RuntimeFailed("executable file not found in $PATH")
    with pytest.raises(BadParameter, match=r'OCI runtime exec failed: .* exec: "nosuch": executable file not found'):
        await execs.run(fake, with_root, one)
    assert (one.running, one.exit_code) == (False, 127)


async def test_exec_needs_a_command_and_a_running_container(fake, with_root):
    with pytest.raises(BadParameter, match="No exec command specified"):
        execs.create(fake, with_root, {})
    with pytest.raises(Conflict, match="is not running"):
        execs.create(fake, new(fake), {"Cmd": ["ls"]})


async def test_the_end_of_the_container_ends_its_execs(fake, shim, with_root):
    one = execs.create(fake, with_root, {"Cmd": ["ls"]})
    await execs.run(fake, with_root, one)
    shim.ends(with_root.id)
    assert one.exit_code == 137


async def test_finished_execs_are_forgotten_in_the_end(fake, with_root):
    for _ in range(execs.KEPT + 10):
        execs.create(fake, with_root, {"Cmd": ["ls"]}).exit_code = 0
    assert len(with_root.execs) <= execs.KEPT + 1
