"""A machine that nobody asks for anything is stopped, costs nothing, and goes on where it was."""

import os
import time
from pathlib import Path

import pytest

from labkit.images import base_image
from labkit.microvm import boot
from labkit.microvm import idle as idle_module
from labkit.microvm.idle import Idle
from tests.microvm.conftest import launched, parent_of, state_of
from tests.microvm.test_boot import machine
from tests.microvm.test_guests import descendants

IDLE = 2.0  # seconds
pytestmark = pytest.mark.timeout(300)


# --- with machines that are shell scripts ----------------------------------------------------------------------------


@pytest.fixture
def started(request):
    """A machine that runs a script, and what watches it."""
    guest = boot.start(machine("a", request.param), Path("/"))
    yield guest, Idle(guest, seconds=0.3)
    guest.end()


def turn(guest: boot.Guest, idle: Idle, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        guest.relay.turn(0.05)
        idle.check()


@pytest.mark.parametrize("started", ["exec sleep 1000"], indirect=True)
def test_it_is_stopped_when_nothing_happens_and_goes_on_with_the_next_event(started):
    guest, idle = started
    turn(guest, idle, 0.8)
    assert idle.stopped
    assert state_of(guest.kept.session) == "T"
    reader, writer = os.pipe()
    guest.relay.watch(reader, lambda: os.read(reader, 1))
    os.write(writer, b"x")
    turn(guest, idle, 0.2)
    assert not idle.stopped
    assert state_of(guest.kept.session) == "S"
    guest.relay.ignore(reader)
    for fd in (reader, writer):
        os.close(fd)


@pytest.mark.parametrize("started", ["exec sleep 1000"], indirect=True)
def test_one_that_computes_is_left_alone(started, monkeypatch):
    guest, idle = started
    monkeypatch.setattr(idle_module, "cpu_seconds", lambda session: time.monotonic() / 2)
    turn(guest, idle, 1.2)
    assert not idle.stopped


@pytest.mark.parametrize("started", ["exec sleep 1000"], indirect=True)
def test_one_that_is_stopped_can_be_ended(started):
    guest, idle = started
    turn(guest, idle, 0.8)
    guest.end()
    assert guest.kept.keeper.returncode == 0


# --- with real ones --------------------------------------------------------------------------------------------------


def test_a_real_machine_costs_nothing_and_answers_again(kind, guest_files):
    with launched(kind, guest_files, "--idle", str(IDLE)) as launcher:
        client = launcher.client()
        base_image(client)
        container = client.containers.run("labkit/base", ["sleep", "1000"], detach=True)
        (leader,) = leaders(launcher.process.pid)
        assert stopped_within(3 * IDLE + 5, leader)
        before = boot.cpu_seconds(leader)
        time.sleep(3)
        assert boot.cpu_seconds(leader) == before
        began = time.monotonic()
        container.reload()
        assert container.status == "running"
        assert time.monotonic() - began < 3
        lag = time.time() - float(container.exec_run(["date", "+%s"]).output)
        assert lag < 3, "its clock must not stand still meanwhile"
        client.close()


def leaders(launcher: int) -> list[int]:
    """The first process of each machine of a launcher: the child of a keeper, which is the launcher's child."""
    pids = descendants(launcher)
    return [pid for pid in pids if (keeper := parent_of(pid)) in pids and parent_of(keeper) == launcher]


def stopped_within(seconds: float, pid: int) -> bool:
    deadline = time.monotonic() + seconds
    while state_of(pid) != "T" and time.monotonic() < deadline:
        time.sleep(0.1)
    return state_of(pid) == "T"
