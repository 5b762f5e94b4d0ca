"""The verbs, on an engine of fakes: what is asked of the shim, what is told, what is written down."""

import asyncio
import json
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
async def engine(tmp_path, shim):
    engine = make_engine(tmp_path, shim)
    await engine.containers.reconcile()
    return engine


@pytest.fixture
async def running(engine):
    container = new(engine, "web")
    await start.start(engine, container)
    return container


def written(engine, container) -> dict:
    return json.loads((engine.state.container(container.id) / "record.json").read_text())


# --- create and find ---------------------------------------------------------------------------------------------


async def test_create_writes_a_record_and_a_layer(engine):
    container = new(engine, "web")
    assert written(engine, container)["name"] == "web"
    assert (engine.state.overlay / container.id).is_dir()
    assert told(engine) == ["create"]


async def test_a_name_is_taken_once(engine):
    first = new(engine, "web")
    with pytest.raises(Conflict) as refusal:
        new(engine, "/web")
    assert refusal.value.message == (
        f'Conflict. The container name "/web" is already in use by container "{first.id}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )


async def test_a_refused_create_leaves_nothing(engine):
    for body in ({"HostConfig": {"Memory": 1}}, {"Env": ["=x"]}, {"Cmd": [], "Entrypoint": [""]}):
        with pytest.raises(BadParameter):
            new(engine, "web", **body)
    assert list(engine.state.overlay.iterdir()) == list(engine.state.containers.iterdir()) == []


async def test_no_such_image(engine):
    with pytest.raises(NoSuchImage, match="No such image: nosuch:latest"):
        new(engine, Image="nosuch")


async def test_found_by_name_id_and_the_start_of_an_id(engine):
    container = new(engine, "web")
    for ref in ("web", "/web", container.id, container.id[:12]):
        assert engine.containers.get(ref) is container
    with pytest.raises(NoSuchContainer, match="No such container: db"):
        engine.containers.get("db")


async def test_the_start_of_two_ids(engine):
    one, two = new(engine), new(engine)
    engine.containers.forget(two)
    two.id = one.id[:-1] + ("0" if one.id[-1] != "0" else "1")
    engine.containers.add(two)
    with pytest.raises(BadParameter, match="Multiple IDs found with provided prefix"):
        engine.containers.get(one.id[:12])


# --- start -------------------------------------------------------------------------------------------------------


async def test_start(engine, shim, running):
    assert shim.calls == [("create", running.id), ("start", running.id)]
    assert running.state.status == written(engine, running)["state"]["status"] == "running"
    assert told(engine) == ["create", "start"]


async def test_start_twice(engine, running):
    with pytest.raises(NotModified):
        await start.start(engine, running)


async def test_the_files_that_the_engine_lends(engine, shim, running):
    folder = engine.state.container(running.id)
    assert (folder / "hostname").read_text() == f"{running.id[:12]}\n"
    places = {mount["destination"]: mount["source"] for mount in shim.config["mounts"]}
    assert places["/etc/hosts"] == str(folder / "hosts")


NOT_STARTED = {  # the runtime's words: exit code, status, Docker's words
    "executable file not found in $PATH": (127, 400, 'exec: "nosuch": executable file not found in $PATH: unknown'),
    "nosuch: No such file or directory": (127, 400, 'exec: "nosuch": stat nosuch: no such file or directory: unknown'),
    "/bin/nosuch: Permission denied": (126, 400, 'exec: "nosuch": permission denied: unknown'),
    "sethostname: Invalid argument": (128, 500, "sethostname: Invalid argument: unknown"),
}


@pytest.mark.parametrize(("words", "wanted"), NOT_STARTED.items())
async def test_what_does_not_start(engine, shim, words, wanted):
    code, status, said = wanted
    container = new(engine, Cmd=["nosuch"])
    shim.fail_with = RuntimeFailed(words)
    with pytest.raises((BadParameter, ServerError)) as refusal:
        await start.start(engine, container)
    assert refusal.value.status == status
    assert refusal.value.message.endswith(said)
    assert refusal.value.message.startswith("failed to create task for container: ")
    kept = written(engine, container)["state"]
    assert (kept["status"], kept["exit_code"], kept["error"]) == ("created", code, refusal.value.message)
    assert shim.tasks == {}
    assert told(engine) == ["create"]


async def test_one_that_should_remove_itself_goes_when_it_does_not_start(engine, shim):
    container = new(engine, HostConfig={"AutoRemove": True})
    removed = container.waiters.add("removed")
    shim.fail_with = RuntimeFailed("executable file not found in $PATH")
    with pytest.raises(BadParameter):
        await start.start(engine, container)
    assert await removed == 127
    assert engine.containers.find(container.id) is None


async def test_an_unknown_user(engine):
    container = new(engine, User="nobod")
    with pytest.raises(ServerError, match="unable to find user nobod: no matching entries in passwd file"):
        await start.start(engine, container)
    assert container.state.exit_code == 128


# --- the end -----------------------------------------------------------------------------------------------------


async def test_an_exit_is_written_told_and_heard(engine, shim, running):
    waiting = [running.waiters.add(condition) for condition in ("not-running", "next-exit")]
    shim.ends(running.id, 3)
    assert await asyncio.gather(*waiting) == [3, 3]
    assert written(engine, running)["state"]["exit_code"] == 3
    assert told(engine)[-1] == "die"
    await soon(lambda: ("delete", running.id) in shim.calls)


async def test_an_exit_that_comes_with_the_start(engine, shim):
    """`true` may be over before the start has been answered."""
    container = new(engine)
    begin = shim.start

    async def start_and_end(key):
        await begin(key)
        shim.ends(key, 5)

    shim.start = start_and_end
    await start.start(engine, container)
    await soon(lambda: container.state.status == "exited")
    assert container.state.exit_code == 5
    assert told(engine) == ["create", "start", "die"]


async def test_auto_remove(engine, shim):
    container = new(engine, HostConfig={"AutoRemove": True})
    await start.start(engine, container)
    removed = container.waiters.add("removed")
    shim.ends(container.id, 4)
    assert await removed == 4
    assert told(engine) == ["create", "start", "die", "destroy"]
    assert not (engine.state.overlay / container.id).exists()


# --- stop, kill, restart -----------------------------------------------------------------------------------------


async def test_stop(engine, shim, running):
    await stop.stop(engine, running)
    assert ("kill", running.id, signal.SIGTERM) in shim.calls
    assert told(engine)[2:] == ["kill", "die", "stop"]
    with pytest.raises(NotModified):
        await stop.stop(engine, running)


async def test_stop_kills_the_deaf(engine, shim, running):
    shim.deaf = True
    await stop.stop(engine, running, grace=0)
    assert [call[2] for call in shim.calls if call[0] == "kill"] == [signal.SIGTERM, signal.SIGKILL]
    assert running.state.exit_code == 137


async def test_the_stop_signal_and_the_grace_period_of_the_container(engine, shim):
    container = new(engine, StopSignal="SIGUSR1", StopTimeout=0)
    await start.start(engine, container)
    shim.deaf = True
    await asyncio.wait_for(stop.stop(engine, container), 3)
    assert ("kill", container.id, signal.SIGUSR1) in shim.calls


async def test_stop_of_a_paused_one_thaws_it(engine, shim, running):
    await stop.pause(engine, running)
    await stop.stop(engine, running)
    assert ("resume", running.id) in shim.calls
    assert told(engine)[2:] == ["pause", "kill", "unpause", "die", "stop"]


async def test_kill_waits_for_the_end(engine, running):
    await stop.kill(engine, running)
    assert (running.state.status, running.state.exit_code) == ("exited", 137)
    with pytest.raises(Conflict, match="Cannot kill container: web: Container .* is not running"):
        await stop.kill(engine, running)


async def test_kill_with_another_signal(engine, shim, running):
    shim.deaf = True
    await stop.kill(engine, running, "USR1")
    assert shim.calls[-1] == ("kill", running.id, 10)
    assert running.state.status == "running"


async def test_restart(engine, running):
    await stop.restart(engine, running)
    assert running.state.status == "running"
    assert told(engine)[2:] == ["kill", "die", "stop", "start", "restart"]


async def test_restart_does_not_remove(engine):
    container = new(engine, HostConfig={"AutoRemove": True})
    await start.start(engine, container)
    await stop.restart(engine, container)
    assert container.state.status == "running"


async def test_pause_and_unpause(engine, running):
    await stop.pause(engine, running)
    assert running.state.status == "paused"
    with pytest.raises(Conflict, match="is already paused"):
        await stop.pause(engine, running)
    await stop.unpause(engine, running)
    assert running.state.status == "running"
    with pytest.raises(Conflict, match="is not paused"):
        await stop.unpause(engine, running)


async def test_verbs_do_not_interleave(engine, shim):
    container = new(engine)
    outcomes = await asyncio.gather(*(start.start(engine, container) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, NotModified) for outcome in outcomes) == 4
    assert shim.calls.count(("create", container.id)) == 1


# --- restart policies --------------------------------------------------------------------------------------------


async def test_on_failure_gives_up_after_so_many(engine, shim):
    container = new(engine, HostConfig={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}})
    await start.start(engine, container)
    for count in (1, 2):
        shim.ends(container.id, 1)
        assert container.state.status == "restarting"
        await soon(lambda: container.state.status == "running")
        assert container.restart_count == count
    shim.ends(container.id, 1)
    assert container.state.status == "exited"


async def test_a_stopped_one_is_not_restarted(engine, shim):
    container = new(engine, HostConfig={"RestartPolicy": {"Name": "always"}})
    await start.start(engine, container)
    await stop.stop(engine, container)
    assert container.state.status == "exited"


async def test_stop_calls_a_restart_off(engine, shim):
    container = new(engine, HostConfig={"RestartPolicy": {"Name": "always"}})
    await start.start(engine, container)
    shim.ends(container.id, 1)
    await stop.stop(engine, container)
    await asyncio.sleep(0.2)
    assert container.state.status == "exited"
    assert container.restart_count == 0


# --- rename, remove ----------------------------------------------------------------------------------------------


async def test_rename(engine, running):
    await stop.rename(engine, running, "site")
    assert engine.containers.get("site") is running
    assert engine.containers.find("web") is None
    assert written(engine, running)["name"] == "site"


@pytest.mark.parametrize("name", ["", "web", "/web", "-x"])
async def test_rename_refused(engine, running, name):
    with pytest.raises(BadParameter):
        await stop.rename(engine, running, name)
    assert engine.containers.get("web") is running


async def test_rename_to_a_taken_name(engine, running):
    new(engine, "db")
    with pytest.raises(Conflict, match="already in use"):
        await stop.rename(engine, running, "db")


async def test_remove_leaves_nothing(engine):
    container = new(engine, "web")
    await remove.remove(engine, container)
    assert list(engine.state.overlay.iterdir()) == list(engine.state.containers.iterdir()) == []
    assert new(engine, "web").name == "web"


async def test_remove_of_a_running_one_takes_force(engine, running):
    with pytest.raises(Conflict, match="Stop the container before"):
        await remove.remove(engine, running)
    await remove.remove(engine, running, force=True)
    assert engine.containers.find("web") is None
    assert told(engine)[-3:] == ["kill", "die", "destroy"]


async def test_removed_twice_at_once(engine):
    container = new(engine)
    await asyncio.gather(*(remove.remove(engine, container, force=True) for _ in range(3)))
    assert told(engine).count("destroy") == 1


async def test_prune(engine, running):
    old = new(engine, "old")
    pruned = await remove.prune(engine, {})
    assert pruned == {"ContainersDeleted": [old.id], "SpaceReclaimed": 10}
    with pytest.raises(BadParameter, match="invalid filter"):
        await remove.prune(engine, {"zork": ["1"]})


@pytest.mark.parametrize(
    ("filters", "goes"),
    [({"label": ["labkit=course"]}, True), ({"label!": ["labkit"]}, False), ({"until": ["1h"]}, False)],
)
async def test_prune_by_filter(engine, filters, goes):
    new(engine)
    assert bool((await remove.prune(engine, filters))["ContainersDeleted"]) is goes


# --- a full disk -------------------------------------------------------------------------------------------------


async def test_a_full_disk_refuses_a_create_and_allows_a_removal(engine, monkeypatch):
    container = new(engine)

    def full(path, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("labkit.engine.containers.manager.write_json", full)
    with pytest.raises(ServerError, match="No space left on device"):
        new(engine, "late")
    assert engine.containers.find("late") is None
    await remove.remove(engine, container)
    assert list(engine.state.overlay.iterdir()) == []


# --- exec --------------------------------------------------------------------------------------------------------


async def test_exec(engine, shim, running):
    one = execs.create(engine, running, {"Cmd": ["ls", "-l"]})
    await execs.run(engine, running, one, tty=False)
    assert (one.running, one.pid) == (True, 5_000_000)
    shim.on_exit(running.id, one.id, 3, 0.0)
    assert execs.inspect(one)["ExitCode"] == 3
    assert told(engine)[2:] == ["exec_create: ls -l", "exec_start: ls -l", "exec_die"]


async def test_exec_runs_once(engine, running):
    one = execs.create(engine, running, {"Cmd": "ls"})
    await execs.run(engine, running, one, tty=False)
    with pytest.raises(Conflict, match="is already running"):
        await execs.run(engine, running, one, tty=False)
    execs.ended(engine, running, one.id, 0)
    with pytest.raises(Conflict, match="has already run"):
        await execs.run(engine, running, one, tty=False)


async def test_exec_of_what_is_not_there(engine, shim, running):
    one = execs.create(engine, running, {"Cmd": ["nosuch"]})
    shim.fail_with = RuntimeFailed("executable file not found in $PATH")
    with pytest.raises(BadParameter, match='OCI runtime exec failed: .* exec: "nosuch": executable file not found'):
        await execs.run(engine, running, one, tty=False)
    assert (one.running, one.exit_code) == (False, 127)


async def test_exec_needs_a_command_and_a_running_container(engine, running):
    with pytest.raises(BadParameter, match="No exec command specified"):
        execs.create(engine, running, {})
    with pytest.raises(Conflict, match="is not running"):
        execs.create(engine, new(engine), {"Cmd": ["ls"]})


async def test_the_end_of_the_container_ends_its_execs(engine, shim, running):
    one = execs.create(engine, running, {"Cmd": ["ls"]})
    await execs.run(engine, running, one, tty=False)
    shim.ends(running.id)
    assert one.exit_code == 137


async def test_finished_execs_are_forgotten_in_the_end(engine, running):
    for _ in range(execs.KEPT + 10):
        execs.create(engine, running, {"Cmd": ["ls"]}).exit_code = 0
    assert len(running.execs) <= execs.KEPT + 1
