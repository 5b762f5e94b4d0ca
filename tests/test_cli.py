"""The command `labkit`: what it prints, how it exits, and that it touches only what is its own."""

import contextlib
import json
import os
import platform
import pwd
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from labkit import clean as cleaning
from labkit import doctor as doctoring
from labkit import owner, rootfs
from labkit.cli import COMMANDS, main
from labkit.engine import control
from labkit.errors import EngineNotStarted, EngineNotStopped
from labkit.images import make
from labkit.lessons.progress import Progress
from labkit.lessons.tidy import tidy
from tests.backends import backend_missing, not_for_this_engine
from tests.engines import Engine, is_labkit

# As much of an engine as `control` looks at: engine.json, and a socket on which somebody answers.
TOY_ENGINE = """
import json, os, socket, sys, time
state, path, pid, started = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
server = socket.socket(socket.AF_UNIX)
server.bind(path)
uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
facts = {"pid": pid or os.getpid(), "socket": path, "started": time.time(), "uptime": started or uptime}
with open(state + "/engine.json", "w") as file:
    json.dump(facts, file)
server.listen()
print("listening", flush=True)
while True:
    asker = server.accept()[0]
    if asker.recv(1000):
        asker.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\nOK")
    asker.close()
"""


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state folder that every command takes for its own; its name is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="lk-", dir="/tmp") as name:
        monkeypatch.setenv("LABKIT_STATE", name)
        monkeypatch.delenv("LABKIT_SOCKET", raising=False)
        yield Path(name)
        if running := control.find(Path(name)):  # only after a test that failed half way
            control.stop(running)
        control.stop_shim(Path(name))


@contextlib.contextmanager
def toy_engine(state: Path, pid: int = 0, started: float = 0) -> Iterator["subprocess.Popen[str]"]:
    """A toy that runs. `pid` and `started` are what it writes about itself; 0 is the truth."""
    command = [sys.executable, "-c", TOY_ENGINE, str(state), str(state / "engine.sock"), str(pid), str(started)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    said = capsys.readouterr()
    return status, said.out, said.err


# --- help and mistakes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [row[0] for row in COMMANDS])
def test_every_command_explains_itself(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main([*words.split(), "--help"])
    assert exit.value.code == 0
    assert f"usage: labkit {words}" in capsys.readouterr().out


def test_stop_says_what_becomes_of_the_containers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["engine", "stop", "--help"])
    assert "containers run on" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", [[], ["engine"], ["engine", "dance"], ["clean", "--everything"]])
def test_a_mistake_on_the_command_line_is_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2


def test_an_error_is_one_paragraph_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "clean", "--host", "unix:///nowhere/docker.sock")
    assert status == 1
    assert out == ""
    assert err.startswith("labkit: We asked the engine at")
    assert "Traceback" not in err
    assert "\n\n" not in err


def test_a_reader_who_stops_reading_is_no_error(state: Path) -> None:
    command = f"{sys.executable} -m labkit engine status | true"
    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
    assert said.stderr == ""


# --- finding and stopping an engine ------------------------------------------------------------------------------


def test_status_without_an_engine_is_3(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "engine", "status")
    assert status == 3
    assert "`labkit engine start` starts one" in out
    status, out, _ = run(capsys, "engine", "status", "--json")
    assert (status, json.loads(out)) == (3, {"running": False, "state": str(state)})


def test_a_running_engine_is_found_and_stopped(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with toy_engine(state) as process:
        status, out, _ = run(capsys, "engine", "status", "--json")
        facts = json.loads(out)
        assert status == 0
        assert (facts["pid"], facts["docker_host"]) == (process.pid, f"unix://{state}/engine.sock")
        status, out, _ = run(capsys, "engine", "stop")
        assert status == 0
        assert "Its containers run on" in out
        assert process.wait(5) == -15  # SIGTERM
    assert run(capsys, "engine", "status")[0] == 3


def test_stopping_nothing_is_no_error(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "engine", "stop")
    assert (status, out.startswith("No engine runs")) == (0, True)


def test_a_pid_that_does_not_listen_is_never_believed(state: Path) -> None:
    """engine.json names us, but somebody else listens: nobody gets a signal."""
    with toy_engine(state, pid=os.getpid()):
        assert control.find(state) is None


def test_a_pid_that_is_younger_than_its_engine_is_never_believed(state: Path) -> None:
    """After a crash the pid came to somebody else, who even listens on that socket now."""
    with toy_engine(state, started=time.clock_gettime(time.CLOCK_BOOTTIME) - 3600):
        assert control.find(state) is None


def test_an_engine_is_found_though_the_clock_was_set(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    with toy_engine(state):
        for jump in (-86400, 86400):
            monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
            assert control.find(state) is not None


def test_a_process_that_ended_meanwhile_is_left_alone(state: Path) -> None:
    with toy_engine(state) as process:
        running = control.find(state)
        assert running is not None
        process.kill()
        process.wait()
        control.stop(running)


def test_an_engine_that_will_not_end_is_told(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "STOP_SECONDS", 0)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    monkeypatch.setattr(f"{__name__}.TOY_ENGINE", deaf + TOY_ENGINE)
    with toy_engine(state):
        running = control.find(state)
        assert running is not None
        with pytest.raises(EngineNotStopped, match="it still runs"):
            control.stop(running)


def test_processes_know_when_they_were_born() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert abs(control.born(process.pid) - time.clock_gettime(time.CLOCK_BOOTTIME)) < 5
        process.kill()


def test_an_engine_that_dies_at_once_is_quoted(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EngineNotStarted, match=r"the whole log is .*engine\.log"):
        control.start(state)


def test_a_state_folder_that_cannot_be_is_an_error(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "file").touch()
    status, _, err = run(capsys, "engine", "start", "--state", str(state / "file"))
    assert status == 1
    assert "set LABKIT_STATE" in " ".join(err.split())


def test_a_damaged_engine_json_is_an_error_that_names_it(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "engine.json").write_text("{half a")
    status, _, err = run(capsys, "engine", "status")
    (state / "engine.json").unlink()
    assert status == 1
    assert f"{state}/engine.json is not JSON" in " ".join(err.split())


# --- the real engine ---------------------------------------------------------------------------------------------


def test_start_twice_stop_twice(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "engine", "start", "--json")
    if status:
        backend_missing("embedded", err)
    try:
        first = json.loads(out)
        assert json.loads(run(capsys, "engine", "start", "--json")[1]) == first
        assert f"export DOCKER_HOST={first['docker_host']}" in run(capsys, "engine", "start")[1]
        assert docker.DockerClient(first["docker_host"]).ping()
    finally:
        assert json.loads(run(capsys, "engine", "stop", "--all", "--json")[1])["stopped"]
    assert run(capsys, "engine", "stop")[1].startswith("No engine runs")


def test_stop_all_stops_the_containers_and_keeps_them(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "engine", "start", "--json")
    if status:
        backend_missing("embedded", err)
    client = docker.DockerClient(json.loads(out)["docker_host"])
    make(client)
    client.containers.run(rootfs.TAG, ["sleep", "600"], name="sleeper", detach=True)
    status, out, _ = run(capsys, "engine", "stop", "--all", "--json")
    assert (status, json.loads(out)["containers"]) == (0, ["sleeper"])
    running = control.start(state)
    try:
        assert client.containers.get("sleeper").status == "exited"
        client.containers.get("sleeper").remove()
    finally:
        control.stop(running)


# --- doctor ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("works", "expected"), [(True, 0), (False, 1)])
def test_the_doctor_tells_in_words_and_in_json(
    works: bool, expected: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = doctoring.Choice("an engine", "unix:///x", "it was there", works)
    finding = doctoring.Finding("fire", "looked for smoke", "limited", "It smokes", "Open a window.")
    monkeypatch.setattr(doctoring, "diagnose", lambda: doctoring.Report(engine, (finding,)))
    status, out, _ = run(capsys, "doctor")
    assert status == expected
    assert "Open a window." in out
    status, out, _ = run(capsys, "doctor", "--json")
    assert status == expected
    assert json.loads(out)["findings"][0]["name"] == "fire"


# --- progress and reset ------------------------------------------------------------------------------------------


@pytest.fixture
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Progress:
    """Somebody who has passed one exercise of lesson 01."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    kept = Progress()
    kept.record("01", "exercises", "two-from-one", state="passed", version=2)
    kept.record("01", "guesses", "disk", guess="copies")
    return kept


def test_progress_is_told_in_words_and_in_json(learner: Progress, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "progress")
    assert status == 0
    assert "✓ two-from-one" in out
    assert "Next: lesson 00, exercise guest." in out
    status, out, _ = run(capsys, "progress", "--json")
    facts = json.loads(out)
    assert facts["file"] == str(learner.path)
    assert facts["next"] == ["00", "guest"]
    first = next(lesson for lesson in facts["lessons"] if lesson["lesson"] == "01")
    assert first["exercises"]["two-from-one"] == "passed"


def test_reset_forgets_one_lesson(learner: Progress, capsys: pytest.CaptureFixture[str]) -> None:
    learner.record("02", "guesses", "write", guess="None.")
    status, out, _ = run(capsys, "reset", "1")
    assert status == 0
    assert "Forgotten: guesses 1, exercises 1." in out
    assert learner.section("01", "exercises") == {}
    assert learner.section("02", "guesses") != {}
    assert "Nothing was noted" in run(capsys, "reset", "01")[1]
    assert run(capsys, "reset", "99")[0] == 1


# --- clean -------------------------------------------------------------------------------------------------------


@pytest.fixture
def mark(client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A label of this test's own in place of the course's, so that nothing of a learner's is cleaned away here."""
    labels = {"labkit-test": "clean"}
    monkeypatch.setattr(cleaning, "LABELS", labels)
    monkeypatch.setattr(cleaning, "FILTERS", {"label": ["labkit-test=clean"]})
    monkeypatch.setattr(rootfs, "TAG", "labkit-test/clean:latest")
    monkeypatch.setattr(rootfs, "LABELS", labels)
    make(client)
    yield labels
    for container in client.containers.list(all=True, filters={"name": "labkit-test-clean"}):
        container.remove(force=True)
    for name in ("labkit-test/clean:child", "labkit-test/clean:latest"):
        with contextlib.suppress(docker.errors.ImageNotFound):
            client.images.remove(name, force=True)


def test_clean_takes_all_that_is_ours_and_nothing_else(client: docker.DockerClient, mark: dict[str, str]) -> None:
    ours = client.containers.run(rootfs.TAG, ["sleep", "600"], name="labkit-test-clean-ours", detach=True)
    foreign = client.containers.create(
        rootfs.TAG, name="labkit-test-clean-foreign", labels={"labkit-test": "somebody else's"}
    )
    ours.commit("labkit-test/clean", "child")
    client.volumes.create("labkit-test-clean-data", labels=mark)
    client.networks.create("labkit-test-clean-net", labels=mark)
    promised = cleaning.clean(client, dry_run=True)
    outcomes = cleaning.clean(client)
    assert {(one.kind, one.id) for one in promised} == {(one.kind, one.id) for one in outcomes}
    assert {one.name: bool(one.kept) for one in outcomes} == {
        "labkit-test-clean-ours": False,
        "labkit-test-clean-net": False,
        "labkit-test-clean-data": False,
        "labkit-test/clean:child": False,
        "labkit-test/clean:latest": True,  # the foreign container stands on it
    }
    foreign.remove()
    assert [one.kept for one in cleaning.clean(client)] == [""]
    assert cleaning.clean(client) == []


def test_a_label_that_went_away_meanwhile_saves_a_container(
    client: docker.DockerClient, mark: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the list and the removal the name may have passed to another container."""
    container = client.containers.create(rootfs.TAG, name="labkit-test-clean-changed")
    monkeypatch.setattr(cleaning, "LABELS", {"labkit-test": "something new"})
    outcomes = cleaning.clean(client)
    assert {one.kept for one in outcomes} == {"its label is gone"}
    assert client.containers.get(container.id)


@pytest.fixture
def learners(
    engine: Engine, mark: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, docker.DockerClient]]:
    """Two who share an engine, each with the client that `connect()` gives."""
    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    clients: dict[str, docker.DockerClient] = {}
    for name in ("ana", "ben"):
        monkeypatch.setenv("LABKIT_OWNER", name)
        clients[name] = owner.Client(base_url=engine.address, version="auto", timeout=60)
        furnish(clients[name], name, mark)
    yield clients
    for name, client in clients.items():
        for one in (*things(client, name), *things(client, "labkit-test-clean-unsigned")):
            with contextlib.suppress(docker.errors.NotFound):
                one.remove(**({"force": True, "v": True} if isinstance(one, Container) else {}))
        client.close()


def furnish(client: docker.DockerClient, name: str, mark: dict[str, str]) -> None:
    """Everything that a lesson may leave."""
    client.networks.create(f"labkit-test-clean-{name}", labels=mark)
    client.volumes.create(f"labkit-test-clean-{name}", labels=mark)
    options = {"volumes": [f"labkit-test-clean-{name}:/data", "/anonymous"], "network": f"labkit-test-clean-{name}"}
    client.containers.run(rootfs.TAG, ["sleep", "600"], name=f"labkit-test-clean-{name}", detach=True, **options)
    client.containers.create(rootfs.TAG, name=f"labkit-test-clean-{name}-new").commit("labkit-test/clean", name)


def things(client: docker.DockerClient, name: str) -> list[Any]:
    """What one learner has: in the order in which it can be removed."""
    containers = client.containers.list(all=True, filters={"name": name})
    named = [m["Name"] for container in containers for m in container.attrs["Mounts"]]
    networks = client.networks.list(filters={"name": name})
    volumes = [volume for volume in client.volumes.list() if volume.name in named or volume.name.endswith(f"-{name}")]
    images = [image for image in client.images.list() if f"labkit-test/clean:{name}" in image.tags]
    return [*containers, *networks, *volumes, *images]


def test_clean_of_one_learner_leaves_the_things_of_another(
    client: docker.DockerClient, learners: dict[str, docker.DockerClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_labkit(client.version()):
        not_for_this_engine("an engine of ours is one user's own: what is on it is all theirs")
    unsigned = client.containers.create(rootfs.TAG, name="labkit-test-clean-unsigned")
    before = [(type(one), one.id) for one in things(client, "ben")]
    assert len(before) == 6, "two containers, a network, two volumes, an image"
    monkeypatch.setenv("LABKIT_OWNER", "ana")
    promised = cleaning.clean(learners["ana"], dry_run=True)
    outcomes = cleaning.clean(learners["ana"])
    assert things(client, "ana") == []
    assert [(type(one), one.id) for one in things(client, "ben")] == before
    assert client.containers.get("labkit-test-clean-ben").status == "running"
    assert client.containers.get(unsigned.id)
    assert not any("ben" in one.name for one in (*promised, *outcomes))
    kept = {one.name: one.kept for one in outcomes if one.kept}
    assert kept.keys() == {"labkit-test-clean-unsigned", "labkit-test/clean:latest"}
    assert all("does not say whose it is" in why for why in kept.values())
    monkeypatch.setenv("LABKIT_OWNER", "ben")
    assert not any(one.kept for one in cleaning.clean(learners["ben"])), "now nobody else is there"
    assert things(client, "ben") == []


def test_the_end_of_a_lesson_too(
    client: docker.DockerClient, learners: dict[str, docker.DockerClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_labkit(client.version()):
        not_for_this_engine("an engine of ours is one user's own: what is on it is all theirs")
    monkeypatch.setattr(sys.modules[tidy.__module__], "FILTERS", cleaning.FILTERS)
    monkeypatch.setenv("LABKIT_OWNER", "ana")
    before = [one.id for one in things(client, "ben")]
    tidy(learners["ana"], "labkit-test-clean-", ["labkit-test-clean-ana", "labkit-test-clean-ben"])
    assert [one.id for one in things(client, "ben")] == before
    assert {type(one).__name__ for one in things(client, "ana")} == {"Image"}, "whose name is not the lesson's"


def test_on_an_engine_of_ones_own_all_is_ones_own(
    client: docker.DockerClient, learners: dict[str, docker.DockerClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner's name may change: a new login name, another computer's name."""
    if not is_labkit(client.version()):
        not_for_this_engine("dockerd may be shared")
    monkeypatch.setenv("LABKIT_OWNER", "ana")
    assert not any(one.kept for one in cleaning.clean(client))
    assert things(client, "ana") == things(client, "ben") == []


def test_what_the_client_makes_says_who_made_it(learners: dict[str, docker.DockerClient]) -> None:
    client = learners["ben"]
    container, network, volume = (
        collection.get("labkit-test-clean-ben") for collection in (client.containers, client.networks, client.volumes)
    )
    found = [container.labels, network.attrs["Labels"], volume.attrs["Labels"]]
    found.append(client.images.get("labkit-test/clean:ben").labels)  # from its container
    assert {labels[owner.OWNER] for labels in found} == {"ben"}
    assert len({labels[owner.SESSION] for labels in found}) == 1
    mine = client.containers.create(rootfs.TAG, name="labkit-test-clean-ben-own", labels={owner.OWNER: "me"})
    assert mine.labels[owner.OWNER] == "me", "the caller's labels win"


OWNERS = {
    "who was named": ("http://box:2375", {"LABKIT_OWNER": "ana", "JUPYTERHUB_USER": "hub"}, "ana"),
    "the hub's user": ("http://box:2375", {"JUPYTERHUB_USER": "hub"}, "hub"),
    "on the same machine": (owner.SAME_MACHINE, {}, pwd.getpwuid(os.getuid()).pw_name),
    "from another machine": ("http://box:2375", {}, f"{pwd.getpwuid(os.getuid()).pw_name}@{platform.node()}"),
}


@pytest.mark.parametrize(("address", "environ", "expected"), OWNERS.values(), ids=OWNERS)
def test_who_an_owner_is(address: str, environ: dict[str, str], expected: str) -> None:
    assert owner.owner(address, environ) == expected


def test_what_was_done_is_told_and_counted() -> None:
    outcomes = [
        cleaning.Outcome("container", "1", "web"),
        cleaning.Outcome("image", "2", "labkit/base:latest", kept="in use"),
    ]
    assert cleaning.told(outcomes, dry_run=False).splitlines() == [
        "removed container web",
        "kept image labkit/base:latest: in use",
        "removed: 1 container, 0 images",
    ]
