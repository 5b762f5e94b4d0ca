"""An exercise in JupyterLab: the box that turns green by itself, and the button that opens a terminal in a container.

What is done is done from outside the notebook or typed into the terminal; what is looked at is the page and the engine.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.browser import axe, lab

LESSON = Path(__file__).parents[2] / "notebooks" / "01_run_your_first_container.ipynb"
pytestmark = [pytest.mark.timeout(240), pytest.mark.parametrize("engine", ["dockerd", "embedded"], indirect=True)]
SOON = 15_000  # milliseconds


@pytest.fixture(scope="module")
def lesson(jupyterlab: lab.Lab, browser: Any, client: docker.DockerClient) -> Iterator[lab.Notebook]:
    """Lesson 01 with all its cells run but the last."""
    ran = lab.run_until("lesson.end()", browser, jupyterlab, LESSON, "exercise.ipynb")
    with lab.containers_removed(client, "lab01-"), ran as notebook:
        yield notebook


def test_the_box_turns_green_the_moment_the_state_is_right(lesson: lab.Notebook, client: docker.DockerClient) -> None:
    box = lesson.page.locator(".jp-OutputArea .widget-html", has_text="watching:").last
    box.get_by_text("not tried yet").wait_for(timeout=SOON)
    client.containers.run("labkit/base", "sleep 600", name="lab01-left", detach=True)
    box.get_by_text("it is alone").wait_for(timeout=SOON)
    client.containers.run("labkit/base", "sleep 600", name="lab01-right", detach=True)
    box.get_by_text("✓ passed").wait_for(timeout=SOON)


def test_a_hint_is_about_what_is_there(lesson: lab.Notebook, client: docker.DockerClient) -> None:
    client.containers.create("labkit/base", "true", name="lab01-guest")
    box = lesson.page.locator(".widget-vbox", has_text="A guest that comes and goes").last
    box.get_by_role("button", name="Hint").click()
    box.get_by_text("Hint for what is there now").wait_for(timeout=SOON)
    box.get_by_text("Created is not started").wait_for(timeout=SOON)


@pytest.mark.parametrize("way", ["the application", "a link"])
def test_the_button_opens_a_terminal_in_the_container(
    way: str, lesson: lab.Notebook, client: docker.DockerClient
) -> None:
    """By the application's object where the page has it; else by a link of Lab's kind, and then Lab asks first."""
    if way == "a link":
        lesson.page.evaluate("() => { window.keptApp = window.jupyterapp; delete window.jupyterapp; }")
    try:
        lesson.page.locator(".lk-terminal-open").last.click()
        if way == "a link":
            lesson.page.locator(".jp-Dialog").get_by_role("button", name="Run").click(timeout=SOON)
        terminal = lesson.page.locator(".jp-Terminal:visible")
        terminal.wait_for(timeout=SOON)
    finally:
        lesson.page.evaluate("() => { window.jupyterapp ??= window.keptApp; }")
    time.sleep(1.5)  # the command was typed; the shell inside is there when its process is
    note = f"/tmp/typed-by-{way.split()[-1]}"
    terminal.locator("textarea").press_sequentially(f"touch {note}\n")
    assert appears(client, note)
    terminal.locator("textarea").press_sequentially("exit\n")
    back(lesson)


def appears(client: docker.DockerClient, path: str) -> bool:
    deadline = time.monotonic() + SOON / 1000
    while time.monotonic() < deadline:
        if path in [change["Path"] for change in client.containers.get("lab01-red").diff() or ()]:
            return True
        time.sleep(0.2)
    return False


def back(lesson: lab.Notebook) -> None:
    """To the notebook's tab again."""
    lesson.page.evaluate(
        """() => {
          const shell = window.jupyterapp.shell;
          shell.activateById([...shell.widgets("main")].find((w) => w.title.label.endsWith(".ipynb")).id);
        }"""
    )


def test_no_token_came_into_the_notebook(lesson: lab.Notebook, jupyterlab: lab.Lab) -> None:
    lesson.command("docmanager:save")
    saved = (jupyterlab.folder / "exercise.ipynb").read_text()
    assert "docker exec -it lab01-red sh" in json.dumps(json.loads(saved))
    assert jupyterlab.token not in saved
    assert jupyterlab.token not in lesson.page.locator(".jp-Notebook").inner_html()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_at_the_button(lesson: lab.Notebook, theme: str) -> None:
    lesson.theme(theme)
    lesson.page.wait_for_timeout(500)
    assert axe.violations(lesson.page, ".jp-OutputArea .lk-terminal") == ""


def test_nothing_was_wrong_meanwhile(lesson: lab.Notebook) -> None:
    assert lesson.errors == [], "no error in the browser's console"
    assert lesson.outside == [], "no request left this machine"
