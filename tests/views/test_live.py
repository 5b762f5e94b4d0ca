"""The views as a lesson uses them, on each engine: what they refuse, how they read, and that they follow the engine."""

import json
import time
from collections.abc import Callable, Iterator

import docker
import pytest
from docker.models.containers import Container

import labkit
from labkit.views.base import View
from tests import busybox

IMAGE = "labkit-views-test"
SOON = 10  # seconds


@pytest.fixture(scope="module")
def image(client: docker.DockerClient) -> Iterator[str]:
    name = busybox.import_image(client, IMAGE, changes=['CMD ["sleep", "600"]'])
    yield name
    client.images.remove(name, force=True)


@pytest.fixture
def containers(client: docker.DockerClient, image: str) -> Iterator[tuple[Container, Container]]:
    names = ("labkit-view-one", "labkit-view-two")
    for old in client.containers.list(all=True, filters={"name": "labkit-view-"}):
        old.remove(force=True)
    made = tuple(client.containers.run(image, name=name, detach=True) for name in names)
    yield made
    for container in client.containers.list(all=True, filters={"name": "labkit-view-"}):
        container.remove(force=True)


@pytest.fixture
def stack(containers) -> Iterator[View]:
    view = labkit.LayerStack(*containers, path="/etc/motd")
    yield view
    view.close()


@pytest.fixture
def tree(containers) -> Iterator[View]:
    view = labkit.ProcessTree(*containers)
    yield view
    view.close()


def until(true: Callable[[], bool]) -> bool:
    """Wait for something that an event brings about."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


def test_what_is_written_shows_in_the_text(stack: View, containers) -> None:
    containers[0].exec_run("touch /hello")
    containers[1].exec_run("rm /etc/motd")
    assert repr(stack) == (
        "LayerStack: image labkit-views-test (1 layer, read-only)"
        " | labkit-view-one: +1 ~0 -0 | labkit-view-two: +0 ~0 -1"
        " | /etc/motd: labkit-view-one in image layer 1, labkit-view-two deleted, hidden by a whiteout"
    )


def test_processes_show_in_the_text(tree: View, containers) -> None:
    assert repr(tree) == "ProcessTree: labkit-view-one: 1 sleep | labkit-view-two: 1 sleep"
    containers[1].kill()
    containers[1].wait()
    assert repr(tree).endswith("labkit-view-two: exited (137), no process")


def test_pids_on_both_sides(tree: View, containers) -> None:
    first = tree.to_dict()["containers"][0]["processes"][0]
    containers[0].reload()
    assert (first["pid_inside"], first["pid"]) == (1, containers[0].attrs["State"]["Pid"])


def test_the_stack_follows_events(stack: View, containers) -> None:
    containers[0].exec_run("touch /hello")
    assert until(lambda: "labkit-view-one: +1" in stack.text()), "no look was taken after an exec"
    containers[1].remove(force=True)
    assert until(lambda: "labkit-view-two: removed" in stack.text())


def test_the_tree_follows_events(tree: View, containers) -> None:
    containers[0].stop(timeout=1)
    assert until(lambda: "labkit-view-one: exited (137)" in tree.text())
    assert until(lambda: tree.picture["containers"][0]["signals"] == ["SIGTERM", "SIGKILL"])


def test_a_closed_view_follows_nothing(stack: View, containers) -> None:
    stack.close()
    before = stack.text()
    containers[0].exec_run("touch /hello")
    time.sleep(0.5)
    assert stack.text() == before


def test_images_can_be_stacked_too(client: docker.DockerClient, image: str) -> None:
    view = labkit.LayerStack(client.images.get(image))
    assert repr(view) == "LayerStack: image labkit-views-test (1 layer, read-only)"
    view.close()


def test_what_a_notebook_stores(stack: View, tree: View) -> None:
    for view in (stack, tree):
        bundle, _ = view._repr_mimebundle_()
        assert bundle["text/plain"] == repr(view)
        assert bundle["text/html"].startswith('<table class="lk-table">')
        assert "<script" not in bundle["text/html"] and "style=" not in bundle["text/html"]


def test_json_is_what_is_shown(stack: View) -> None:
    shown = json.loads(stack.to_json())
    assert shown == stack.to_dict()
    assert shown["view"] == "LayerStack" and shown["path"] == "/etc/motd"


def test_misspelt_and_wrong_arguments_are_refused(containers) -> None:
    with pytest.raises(TypeError, match=r"no argument 'pth'\. Did you mean 'path'\?"):
        labkit.LayerStack(*containers, pth="/etc/motd")
    with pytest.raises(TypeError, match="no argument 'path'"):
        labkit.ProcessTree(*containers, path="/etc/motd")
    with pytest.raises(TypeError, match=r"not str \('one'\)"):
        labkit.LayerStack("one")
    with pytest.raises(ValueError, match="at least one Container"):
        labkit.ProcessTree()
