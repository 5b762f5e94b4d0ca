"""No machine outlives us: here the machine is a shell with two children."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labkit.microvm import keeper
from tests.microvm.conftest import gone_within

MACHINE = ["/bin/sh", "-c", "sleep 1000 & sleep 1000 & echo started; wait"]
LAUNCHER = """
import sys, time
from pathlib import Path
from labkit.microvm import keeper
kept = keeper.start(sys.argv[2:], Path(sys.argv[1]), {"PATH": "/bin:/usr/bin"})
kept.keeper.stdout.readline()
print(kept.keeper.pid, kept.session, flush=True)
time.sleep(1000)
"""


def session(leader: int) -> list[int]:
    """All processes of a session."""
    return [int(pid) for pid in filter(str.isdigit, os.listdir("/proc")) if _session_of(int(pid)) == leader]


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The machine's folder, with something in it."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "left").write_text("")
    return folder


def start(run: Path) -> keeper.Kept:
    kept = keeper.start(MACHINE, run, {"PATH": "/bin:/usr/bin"})
    assert kept.keeper.stdout is not None
    assert kept.keeper.stdout.readline() == b"started\n"
    return kept


def test_the_end_takes_all_processes_and_the_folder(run):
    kept = start(run)
    pids = session(kept.session)
    assert len(pids) == 3
    kept.end()
    kept.end()
    assert gone_within(0.1, *pids)
    assert not run.exists()


def test_when_the_launcher_is_killed_the_machine_is_gone_within_a_second(run):
    command = [sys.executable, "-c", LAUNCHER, str(run), *MACHINE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        pids = [int(word) for word in launcher.stdout.readline().split()]
        pids += session(pids[1])
        launcher.kill()
    assert gone_within(1, *pids)


def test_when_the_launchers_whole_group_is_killed_the_machine_is_gone_too(run):
    """As `timeout -s KILL` and a terminal do it: the keeper must not be in that group."""
    command = [sys.executable, "-c", LAUNCHER, str(run), *MACHINE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as launcher:
        assert launcher.stdout is not None
        pids = [int(word) for word in launcher.stdout.readline().split()]
        pids += session(pids[1])
        os.killpg(launcher.pid, 9)
    assert len(pids) == 5
    assert gone_within(1, *pids)


def test_when_the_keeper_is_killed_the_rest_can_still_be_ended(run):
    kept = start(run)
    pids = session(kept.session)
    kept.keeper.kill()
    assert gone_within(1, kept.session), "the machine's first process has to die with its keeper"
    kept.end()
    assert gone_within(0.1, *pids)
    assert not run.exists()


def test_when_the_machines_first_process_is_killed_its_helpers_go_too(run):
    kept = start(run)
    pids = session(kept.session)
    os.kill(kept.session, 9)
    assert gone_within(1, *pids)
    assert kept.keeper.wait(1) == 0
    kept.end()


def test_a_program_that_is_not_there_is_told(run):
    kept = keeper.start(["/no/such/program"], run, {})
    assert kept.keeper.wait(5) == 0
    assert kept.keeper.stdout is not None
    assert b"/no/such/program: No such file or directory" in kept.keeper.stdout.read()
    kept.end()


def test_the_machine_gets_only_the_environment_that_it_is_given(run):
    os.environ["A_SECRET"] = "token"
    try:
        kept = keeper.start(["/usr/bin/env"], run, {"HOME": "/"})
    finally:
        del os.environ["A_SECRET"]
    assert kept.keeper.stdout is not None
    assert kept.keeper.stdout.read() == b"HOME=/\n"
    time.sleep(0)
    kept.end()
