"""A learner's hour in a minute: a lesson is opened in JupyterLab, run, looked at, and its views must follow the engine.

The changes are made from outside the notebook, by a client of the test: what the views then show they can only have
from the engine.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.browser import axe, lab

LESSON = Path(__file__).parents[2] / "notebooks" / "01_run_your_first_container.ipynb"
pytestmark = [pytest.mark.timeout(240), pytest.mark.parametrize("engine", ["dockerd", "embedded"], indirect=True)]
SOON = 10_000  # milliseconds: an event, a look at the engine, a message to the browser


@pytest.fixture(scope="module")
def lesson(jupyterlab: lab.Lab, browser: Any, client: docker.DockerClient) -> Iterator[lab.Notebook]:
    """Lesson 01, all of it run but its end, so that its containers are there."""
    ran = lab.run_until("lesson.end()", browser, jupyterlab, LESSON)
    with lab.containers_removed(client, "lab01-"), ran as notebook:
        yield notebook


def test_both_views_are_drawn(lesson: lab.Notebook) -> None:
    stack, processes = lesson.view("stack"), lesson.view("processes")
    assert stack.locator(".lk-layer").count() == 1, "the shared image layer is drawn once"
    names = stack.locator(".lk-container .lk-name").all_inner_texts()
    assert names == ["lab01-red", "lab01-blue", "lab01-green"]
    assert processes.locator(".lk-inside").first.inner_text() == "1"
    host_pid = processes.locator(".lk-process .lk-outside").first.inner_text()
    assert int(host_pid) > 1


def test_the_stack_follows_a_change_from_outside(lesson: lab.Notebook, client: docker.DockerClient) -> None:
    client.containers.get("lab01-blue").exec_run("touch /tmp/from-outside")
    blue = lesson.view("stack").locator("[data-container=lab01-blue]")
    blue.get_by_text("from-outside").wait_for(timeout=SOON)
    assert "from-outside" not in lesson.view("stack").locator("[data-container=lab01-red]").inner_text()
    assert "lab01-blue: /tmp/from-outside added" in said(lesson, "stack")


def test_the_stack_finds_where_a_path_comes_from(lesson: lab.Notebook, client: docker.DockerClient) -> None:
    client.containers.get("lab01-green").exec_run("rm /etc/motd")
    stack = lesson.view("stack")
    stack.get_by_role("textbox").fill("/etc/motd")
    stack.get_by_role("textbox").press("Enter")
    stack.locator(".lk-layer.lk-lit").wait_for(timeout=SOON)
    assert "seen by lab01-red" in stack.locator(".lk-layer").inner_text()
    assert "covered for lab01-green" in stack.locator(".lk-layer").inner_text()
    assert "whiteout" in stack.locator("[data-container=lab01-green]").inner_text()
    stack.get_by_role("button", name="Forget the path").click()
    stack.locator(".lk-layer:not(.lk-lit)").wait_for(timeout=SOON)


def test_the_processes_follow_a_change_from_outside(lesson: lab.Notebook, client: docker.DockerClient) -> None:
    red = client.containers.get("lab01-red")
    red.exec_run("sleep 5", detach=True)
    brief = lesson.view("processes").get_by_text("sleep 5", exact=True)
    brief.wait_for(timeout=SOON)
    brief.wait_for(state="detached", timeout=SOON)


def test_keys_walk_the_stack(lesson: lab.Notebook) -> None:
    stack = lesson.view("stack")
    stack.locator(".lk-container .lk-head").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):
        lesson.page.keyboard.press(key)
    lesson.page.keyboard.press("Enter")
    assert "digest of its files" in stack.locator(".lk-details").inner_text()
    lesson.page.keyboard.press("Escape")
    assert stack.locator(".lk-details").is_hidden()


def test_keys_walk_the_processes(lesson: lab.Notebook) -> None:
    processes = lesson.view("processes")
    processes.get_by_role("treeitem").first.focus()
    lesson.page.keyboard.press("ArrowRight")
    lesson.page.keyboard.press("ArrowRight")
    lesson.page.keyboard.press("Enter")
    assert "pid on the host" in processes.locator(".lk-details").inner_text()
    lesson.page.keyboard.press("Escape")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["stack", "processes"])
def test_axe_finds_nothing(lesson: lab.Notebook, theme: str, name: str) -> None:
    lesson.theme(theme)
    lesson.view(name)
    lesson.page.wait_for_timeout(2500)  # animations change colours while they last
    assert axe.violations(lesson.page, f".jp-OutputArea .lk-view-{name}") == ""


def test_the_views_say_when_containers_are_gone(lesson: lab.Notebook) -> None:
    """Runs last but one: the lesson's own end removes the containers."""
    lesson.run("lesson.end()")
    gone = lesson.view("stack").locator(".lk-gone")
    gone.nth(2).wait_for(timeout=SOON)
    assert gone.count() == 3


def test_nothing_was_wrong_meanwhile(lesson: lab.Notebook) -> None:
    assert lesson.errors == [], "no error in the browser's console"
    assert lesson.outside == [], "no request left this machine"


def said(lesson: lab.Notebook, name: str) -> str:
    """What a screen reader was told last."""
    return str(lesson.view(name).locator("> .lk-voice").inner_text())
