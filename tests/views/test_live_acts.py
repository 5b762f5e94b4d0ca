"""Views that do something, or that follow more than events, on each engine: moves, walks, measurements, networks."""

import json
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container

import labkit
from labkit.views.base import View
from tests import busybox
from tests.backends import not_for_this_engine
from tests.engines import Engine
from tests.views.test_live import until

IMAGE = "labkit-views-acts"
PREFIX = "labkit-acts-"
SERVE = ["sh", "-c", "while true; do echo ok | nc -l -p 8000; done"]


@pytest.fixture(scope="module")
def image(client: docker.DockerClient) -> Iterator[str]:
    name = busybox.import_image(client, IMAGE, changes=['CMD ["sleep", "600"]'])
    yield name
    client.images.remove(name, force=True)


def remove_all(client: docker.DockerClient) -> None:
    for container in client.containers.list(all=True, filters={"name": PREFIX}):
        container.remove(force=True)
    for network in client.networks.list(filters={"name": PREFIX}):
        network.remove()


@pytest.fixture
def clean(client: docker.DockerClient) -> Iterator[None]:
    remove_all(client)
    yield
    remove_all(client)


@pytest.fixture
def one(client: docker.DockerClient, image: str, clean: None) -> Container:
    return client.containers.run(image, name=f"{PREFIX}one", detach=True)


def shown(view: View) -> Any:
    """A view as a browser would have it: in sight."""
    view._heard(view, {"kind": "sight", "drawing": "test", "seen": True}, [])
    return view


# --- life cycle ---------------------------------------------------------------------------------------


def test_the_life_cycle_follows_events(one: Container) -> None:
    view = labkit.LifeCycle(one)
    one.pause()
    assert until(lambda: "is paused" in view.text())
    one.unpause()
    one.kill()
    assert until(lambda: "is exited (137)" in view.text())
    seen = [step["action"] for step in view.to_dict()["seen"]]
    assert seen[:2] == ["pause", "unpause"] and {"kill", "die"} <= set(seen)
    view.close()


def test_a_button_makes_the_move(one: Container) -> None:
    view = labkit.LifeCycle(one)
    for move, state in [("pause", "paused"), ("unpause", "running"), ("kill", "exited (137)"), ("start", "running")]:
        view.told({"kind": "move", "move": move})
        assert until(lambda state=state: f"is {state} |" in view.text()), move
    view.told({"kind": "move", "move": "remove by force"})
    assert until(lambda: "is gone | legal now: nothing" in view.text())
    view.close()


def test_a_move_that_is_refused_says_so(one: Container) -> None:
    view = labkit.LifeCycle(one)
    view.told({"kind": "move", "move": "unpause"})
    assert until(lambda: "is not paused" in view.picture.get("refused", ""))
    view.told({"kind": "move", "move": "explode"})
    view.told({"kind": "move", "move": "pause"})
    assert until(lambda: "is paused" in view.text() and "refused" not in view.picture)
    view.close()


# --- overlay walk -------------------------------------------------------------------------------------


def test_a_walk_through_all_four_cases(one: Container) -> None:
    view = labkit.OverlayWalk(one, "/etc/motd")
    assert repr(view) == (
        f"OverlayWalk: /etc/motd in {one.name}: read-through | own layer of {one.name}: nothing > image layer 1: file"
    )
    view.told({"kind": "act", "act": "write"})
    assert until(lambda: ": copy-up" in view.text())
    view.told({"kind": "act", "act": "delete"})
    assert until(lambda: ": whiteout" in view.text())
    view.told({"kind": "act", "act": "read"})
    assert until(lambda: view.picture["said"]["exit_code"] == 1)
    view.path = "/tmp/new"
    one.exec_run("touch /tmp/new")
    assert until(lambda: ": new file" in view.text())
    view.close()


# --- namespaces ---------------------------------------------------------------------------------------


def test_a_namespace_can_be_shared(client: docker.DockerClient, image: str, one: Container) -> None:
    name = f"{PREFIX}two"
    two = client.containers.run(image, name=name, detach=True, network_mode=f"container:{one.name}")
    view = labkit.Namespaces(one, two)
    assert repr(view) == (
        f"Namespaces: {one.name}: own pid mnt net uts ipc | {name}: own pid mnt uts ipc; {one.name}'s net"
    )
    two.kill()
    assert until(lambda: f"{name}: exited (137), no process" in view.text())
    view.close()


# --- gauges -------------------------------------------------------------------------------------------


def test_gauges_read_the_stream_while_they_are_seen(client: docker.DockerClient, image: str, clean: None) -> None:
    one = client.containers.run(image, name=f"{PREFIX}one", detach=True, mem_limit="64m", pids_limit=20)
    view = shown(labkit.Gauges(one))
    assert repr(view).endswith("| limits: memory 64 MiB, processors no limit, processes 20 | no OOM kill")
    assert until(lambda: len(view.picture["history"]) >= 2)
    memory, _, pids = view.picture["gauges"]
    assert 0 < memory["used"] < memory["limit"] and pids["used"] == 1
    view.close()
    time.sleep(1.5)
    before = len(view._history)
    time.sleep(1.5)
    assert len(view._history) == before, "nothing is read for nobody"


def test_an_oom_kill_is_marked(client: docker.DockerClient, engine: Engine, image: str, clean: None) -> None:
    if engine.name == "rootless":
        not_for_this_engine("a rootless engine has no control group to limit memory with")
    hungry = ["sh", "-c", "sleep 1; exec tail -c 200m /dev/zero"]
    one = client.containers.run(image, hungry, name=f"{PREFIX}one", detach=True, mem_limit="32m")
    view = shown(labkit.Gauges(one))
    assert until(lambda: view.text().endswith("an OOM kill"))
    assert until(lambda: "is exited (137)" in view.text())
    assert any(point["oom"] for point in view.picture["history"])
    view.close()


# --- services -----------------------------------------------------------------------------------------


def test_a_service_is_killed_and_replaced(client: docker.DockerClient, image: str, clean: None) -> None:
    network = client.networks.create(f"{PREFIX}net")
    names = [f"{PREFIX}web", f"{PREFIX}auth"]
    for name in names:
        client.containers.run(image, SERVE, name=name, network=network.name, detach=True)
    view = labkit.Services(network)
    auth = client.containers.get(names[1])
    assert repr(view) == "Services: " + " | ".join(f"{name}: running, on {network.name}" for name in names)
    auth.kill()
    assert until(lambda: f"{names[1]}: exited (137)" in view.text())
    auth.remove()
    assert until(lambda: f"{names[1]}: removed" in view.text())
    client.containers.run(image, SERVE, name=names[1], network=network.name, detach=True)
    assert until(lambda: f"{names[1]}: running, on {network.name}, a replacement" in view.text())
    view.close()


def test_one_that_joins_the_network_later_is_shown(client: docker.DockerClient, one: Container) -> None:
    network = client.networks.create(f"{PREFIX}net")
    view = labkit.Services(network)
    assert repr(view) == "Services: none"
    network.connect(one)
    assert until(lambda: f"{one.name}: running, on" in view.text())
    view.close()


def test_requests_are_sent_while_they_are_seen(one: Container) -> None:
    asked: list[str] = []
    view = shown(labkit.Services(one, probe=asked.append))
    assert until(lambda: view.picture["services"][0]["requests"]["failed"] >= 1), "append returns None: not answered"
    assert set(asked) == {one.name}
    view.close()


# --- time line ----------------------------------------------------------------------------------------


def test_a_start_is_measured_and_leaves_nothing(client: docker.DockerClient, image: str) -> None:
    def containers() -> int:
        return len(client.containers.list(all=True, filters={"ancestor": image}))

    before = containers()
    start = labkit.time_start(client, image)
    assert [phase.name for phase in start.phases] == ["create", "start", "first output"]
    assert 0 < start.seconds < 30 and containers() == before
    view = labkit.TimeLine(start, again=lambda: labkit.time_start(client, image))
    view.told({"kind": "again"})
    assert until(lambda: len(view.picture["starts"]) == 2)
    assert until(lambda: not view.picture["measuring"])
    view.close()


# --- all of them --------------------------------------------------------------------------------------


def test_what_a_notebook_stores(one: Container) -> None:
    views = [labkit.LifeCycle(one), labkit.OverlayWalk(one, "/etc/motd"), labkit.Namespaces(one)]
    for view in [*views, labkit.Gauges(one), labkit.Services(one)]:
        bundle, _ = view._repr_mimebundle_()
        assert bundle["text/plain"] == repr(view)
        assert bundle["text/html"].startswith('<table class="lk-table">')
        assert "<script" not in bundle["text/html"] and "style=" not in bundle["text/html"]
        assert json.loads(view.to_json()) == view.to_dict()
        view.close()


def test_misspelt_and_wrong_arguments_are_refused(one: Container) -> None:
    for view, wrong in [(labkit.LifeCycle, "pth"), (labkit.Namespaces, "path"), (labkit.Gauges, "limit")]:
        with pytest.raises(TypeError, match=f"{view.__name__} has no argument '{wrong}'"):
            view(one, **{wrong: 1})
    with pytest.raises(TypeError, match=r"no argument 'pobe'\. Did you mean 'probe'\?"):
        labkit.Services(one, pobe=print)
    with pytest.raises(TypeError, match="takes a function as probe"):
        labkit.Services(one, probe="web")
    with pytest.raises(TypeError, match="needs a path inside the container"):
        labkit.OverlayWalk(one, "")
    with pytest.raises(TypeError, match="shows one container, and was given 2"):
        labkit.LifeCycle(one, one)
