"""Before the engine serves: its command line, and which shim it would join."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit.engine import host
from labkit.engine.serve import live_shim, main, parse
from labkit.engine.state import State


def start_time(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_a_pid_alone_names_nobody(tmp_path: Path) -> None:
    state = State.at(tmp_path / "state", tmp_path / "run")
    assert live_shim(state) is None
    state.shim_pid_file.write_text(f"{os.getpid()} {start_time(os.getpid())}\n")
    assert live_shim(state) == os.getpid()
    state.shim_pid_file.write_text(f"{os.getpid()} 1\n")  # somebody else, who got the pid later
    assert live_shim(state) is None
    state.shim_pid_file.write_text("4194305 1\n")
    assert live_shim(state) is None
    state.shim_pid_file.write_text("")
    assert live_shim(state) is None


def test_the_command_line_has_the_defaults_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    monkeypatch.setenv("LABKIT_SOCKET", str(tmp_path / "s"))
    assert (parse([]).state, parse([]).socket) == (tmp_path, tmp_path / "s")
    monkeypatch.chdir(tmp_path)
    assert parse(["--state", "here"]).state == tmp_path / "here"


def test_a_folder_in_use_is_refused_before_anything_is_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = State.at(tmp_path / "state", tmp_path / "run")
    state.lock()
    assert main(["--state", str(state.root), "--socket", str(tmp_path / "s")]) == 1
    assert f"another engine (pid {os.getpid()}) already uses {state.root}" in caplog.text


def test_the_host_is_described_without_fail() -> None:
    facts = host.facts()
    assert facts["NCPU"] >= 1
    assert facts["MemTotal"] > 1 << 20
    assert set(host.limits()) == set(host.LIMITS)
    assert len(host.limit_warnings()) <= len(host.REFUSED)
    assert host.file_system(Path("/proc")) == "proc"
