"""The gallery, opened in JupyterLab and run: each picture must follow a change that is made from outside.

The changes are made by a client of the test, not in the notebook: what the pictures then show they can only have from
the engine. Where a picture has buttons, they are pressed, and the engine is asked what came of it.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.browser import axe, lab

GALLERY = Path(__file__).parents[2] / "notebooks" / "extra" / "gallery.ipynb"
pytestmark = [pytest.mark.timeout(240), pytest.mark.parametrize("engine", ["dockerd", "embedded"], indirect=True)]
SOON = 10_000  # milliseconds: an event, a look at the engine, a message to the browser
VIEWS = ("lifecycle", "walk", "namespaces", "gauges", "services", "timeline", "stacks")
SERVE = ["sh", "-c", "while true; do echo ok | nc -l -p 8000; done"]


@pytest.fixture(scope="module")
def gallery(jupyterlab: lab.Lab, browser: Any, client: docker.DockerClient) -> Iterator[lab.Notebook]:
    """The gallery, all of it run but its end."""
    ran = lab.run_until("tidy()", browser, jupyterlab, GALLERY)
    try:
        with lab.containers_removed(client, "gallery-"), ran as notebook:
            yield notebook
    finally:
        for network in client.networks.list(names=["gallery-net"]):
            network.remove()


def until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON / 1000
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def shows(place: Any, text: str) -> None:
    """Wait until `text` stands in this part of a picture."""
    place.get_by_text(text).first.wait_for(timeout=SOON)


def test_the_life_cycle_follows_and_its_buttons_are_real(gallery: lab.Notebook, client: docker.DockerClient) -> None:
    view, one = gallery.view("lifecycle"), client.containers.get("gallery-one")
    one.pause()
    shows(view.locator(".lk-current"), "paused")
    view.get_by_role("button", name="unpause docker unpause gallery-one").click()
    shows(view.locator(".lk-current"), "running")
    one.reload()
    assert one.status == "running"
    assert "pause" in view.locator(".lk-way-so-far").inner_text()


def test_the_walk_follows_and_its_buttons_are_real(gallery: lab.Notebook, client: docker.DockerClient) -> None:
    view, one = gallery.view("walk"), client.containers.get("gallery-one")
    lit = view.locator(".lk-case.lk-lit b")
    view.get_by_role("button", name="write").click()
    shows(lit, "copy-up")
    assert b"changed" in one.exec_run("cat /etc/motd").output
    one.exec_run("rm /etc/motd")
    shows(lit, "whiteout")
    view.get_by_role("textbox").fill("/hello")
    view.get_by_role("textbox").press("Enter")
    shows(lit, "new file")


def test_the_namespaces_follow(gallery: lab.Notebook, client: docker.DockerClient) -> None:
    view = gallery.view("namespaces")
    client.containers.get("gallery-one").exec_run("sleep 7", detach=True)
    shows(view.locator(".lk-who"), "sleep 7")
    net = view.locator("tr", has=view.page.locator("[data-kind=net]"))
    assert "gallery-one's" in net.inner_text()


def test_the_gauges_follow(gallery: lab.Notebook, client: docker.DockerClient) -> None:
    pids = gallery.view("gauges").locator("[data-gauge=pids] .lk-now-used b")
    for _ in range(3):
        client.containers.get("gallery-one").exec_run("sleep 4", detach=True)
    assert until(lambda: int(pids.inner_text()) >= 4)
    assert until(lambda: gallery.view("gauges").locator(".lk-trace").count() >= 2)


def test_the_services_follow_a_kill_and_a_replacement(gallery: lab.Notebook, client: docker.DockerClient) -> None:
    view = gallery.view("services")
    card, flow = view.locator("[data-service=gallery-auth]"), view.locator("[data-service=gallery-auth] .lk-flow b")
    assert until(lambda: int(flow.first.inner_text()) >= 1), "no request has been answered"
    client.containers.get("gallery-auth").kill()
    shows(card, "exited (137)")
    view.locator(".lk-failing").wait_for(timeout=SOON)
    client.containers.get("gallery-auth").remove()
    shows(card, "its place is empty")
    network, label = "gallery-net", {"labkit": "course"}
    client.containers.run("labkit/base", SERVE, name="gallery-auth", network=network, labels=label, detach=True)
    shows(card, "a replacement")
    view.locator(".lk-failing").wait_for(state="detached", timeout=SOON)


def test_the_time_line_measures_a_real_start(gallery: lab.Notebook, client: docker.DockerClient) -> None:
    view, began = gallery.view("timeline"), int(time.time())
    assert view.locator(".lk-start").count() == 2
    view.get_by_role("button", name="measure again").click()
    view.locator(".lk-start").nth(2).wait_for(timeout=SOON)
    filters = {"event": "destroy", "label": "labkit=course"}
    told = list(client.events(since=began, until=int(time.time()) + 1, filters=filters, decode=True))
    assert told, "the engine has made and removed a container for it"


def test_the_stacks_follow(gallery: lab.Notebook, client: docker.DockerClient) -> None:
    view, one = gallery.view("stacks"), client.containers.get("gallery-one")
    container = view.locator("[data-model=container]")
    assert "sleep 600" in container.inner_text()
    assert str(client.info()["KernelVersion"]).partition("-")[0] in container.inner_text()
    one.pause()
    shows(container.locator(".lk-status"), "paused")
    one.unpause()
    shows(container.locator(".lk-status"), "running")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(gallery: lab.Notebook, theme: str) -> None:
    """On every picture, as JupyterLab shows it."""
    gallery.theme(theme)
    gallery.page.wait_for_timeout(2500)  # animations change colours while they last
    for name in VIEWS:
        gallery.view(name)
        assert axe.violations(gallery.page, f".jp-OutputArea .lk-view-{name}") == ""


def test_nothing_was_wrong_meanwhile(gallery: lab.Notebook) -> None:
    assert gallery.errors == [], "no error in the browser's console"
    assert gallery.outside == [], "no request left this machine"
