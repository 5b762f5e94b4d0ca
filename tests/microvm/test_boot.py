"""Booting with machines that are shell scripts: the watchdog, the retry, and the words of a failure."""

import dataclasses
from pathlib import Path

import pytest

from labkit.errors import EngineNotStarted
from labkit.microvm import boot
from labkit.microvm.boot import BootFailed, Watchdog, wait_until_ready
from labkit.microvm.channel import ChannelClosed
from labkit.microvm.kinds import QEMU, UML, Kind


def machine(name: str, script: str, obstacle: str = "") -> Kind:
    """A kind of machine that is a shell script."""
    return dataclasses.replace(
        QEMU,
        name=name,
        title=f"machine {name}",
        command=lambda _: ["/bin/sh", "-c", script],
        trial=lambda files: obstacle,
    )


@pytest.fixture(autouse=True)
def nothing_to_build(monkeypatch):
    monkeypatch.setattr(boot.guest_files, "ensure", lambda kind, files: None)


def test_the_watchdog_counts_the_clock_and_the_processor():
    watchdog = Watchdog(wall=10, cpu=5)
    assert watchdog.objection(9, 4) == ""
    assert "CPU time" in watchdog.objection(1, 6)
    assert "11 seconds" in watchdog.objection(11, 1)


@pytest.mark.parametrize(
    ("script", "watchdog", "words"),
    [
        ("exec sleep 1000", Watchdog(wall=0.5), "was not ready after"),
        ("while :; do :; done", Watchdog(cpu=0.5), "of CPU time"),
        ("exit 3", Watchdog(), "its channel ended"),
    ],
    ids=["hangs", "spins", "ends"],
)
def test_a_guest_that_does_not_get_ready_is_caught(script, watchdog, words):
    guest = boot.start(machine("a", script), Path("/"))
    try:
        with pytest.raises(BootFailed, match=words):
            wait_until_ready(guest, watchdog)
    finally:
        guest.end()
    assert guest.kept.keeper.returncode == 0


def test_the_second_kind_is_tried_when_the_first_fails():
    kinds = [machine("a", "echo the first; exit 1"), machine("b", "echo the second; exit 1")]
    with pytest.raises(EngineNotStarted) as refused:
        boot.boot(kinds, Path("/"))
    assert "machine a: its channel ended" in refused.value.said
    assert "its last words: the second" in refused.value.said


def test_the_only_kind_that_works_here_is_tried_twice():
    kinds = [machine("a", "exit 1", obstacle="there is no ptrace"), machine("b", "exit 1")]
    with pytest.raises(EngineNotStarted) as refused:
        boot.boot(kinds, Path("/"))
    assert refused.value.said.count("machine b: ") == 2
    assert "machine a: there is no ptrace" in refused.value.said


def test_a_busy_guest_that_does_not_answer_is_noticed(monkeypatch):
    guest = boot.start(machine("a", "while :; do :; done"), Path("/"))
    monkeypatch.setattr(boot, "BEAT", 0.3)
    heart = boot.Heartbeat(guest)
    try:
        with pytest.raises(ChannelClosed, match="has not answered"):
            for _ in range(300):
                guest.relay.turn(0.1)
                heart.check()
    finally:
        guest.end()


def test_a_guest_that_sleeps_is_left_alone(monkeypatch):
    guest = boot.start(machine("a", "exec sleep 1000"), Path("/"))
    monkeypatch.setattr(boot, "BEAT", 0.1)
    heart = boot.Heartbeat(guest)
    try:
        for _ in range(10):
            guest.relay.turn(0.05)
            heart.check()
        assert guest.relay.mux.waiting == 0
    finally:
        guest.end()


def test_user_mode_linux_comes_first():
    assert [kind.name for kind in (UML, QEMU)] == ["uml", "qemu"]
