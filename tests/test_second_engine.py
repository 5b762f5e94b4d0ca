"""The second engine of a lesson: it is another one, and gone after `stop`; what a killed process left is swept."""

import subprocess
import sys
from pathlib import Path

import pytest

from labkit import second_engine
from labkit.second_engine import NAME, TMP, SecondEngine, engine_with_limits


def folders() -> set[Path]:
    return set(TMP.glob(f"{NAME}*"))


@pytest.fixture
def second():
    engine = SecondEngine()
    yield engine
    engine.stop()


def test_it_is_another_engine_and_leaves_nothing(client, second, capsys):
    folder = second.running.socket.parent
    assert second_engine.current() is second.client
    assert second.client.info()["ID"] != client.info()["ID"]
    assert second.client.containers.list(all=True) == second.client.images.list() == []
    second.stop()
    assert not folder.exists()
    assert second_engine.current() is not second.client
    assert repr(second) == "SecondEngine: stopped"
    second.stop()  # twice is the same as once


def test_what_a_killed_process_left_is_swept(capsys):
    """SIGKILL lets nobody clean up; the next second engine does."""
    script = "import os; from labkit.second_engine import SecondEngine; SecondEngine(); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    left = Path(done.stdout.rsplit("unix://")[-1].strip().removesuffix(".")).parent
    assert done.returncode == -9
    assert left in folders()
    second_engine.sweep()
    assert left not in folders()


class Facts:
    """An engine that says of itself what it can limit."""

    def __init__(self, **facts: bool) -> None:
        self.facts = facts

    def info(self) -> dict[str, bool]:
        return self.facts


def test_an_engine_that_can_set_limits_is_kept(capsys):
    able = Facts(MemoryLimit=True, PidsLimit=True, CpuCfsQuota=True, CPUShares=True)
    assert engine_with_limits(able) is able
    assert capsys.readouterr().out == "Limits: this engine can set them.\n"


def test_elsewhere_the_machine_that_runs_already_is_taken(second, monkeypatch, capsys):
    monkeypatch.setattr(second, "in_vm", True)
    capsys.readouterr()
    assert engine_with_limits(Facts(MemoryLimit=False)) is second.client
    assert capsys.readouterr().out.startswith("Limits: we go on in the small virtual machine")
