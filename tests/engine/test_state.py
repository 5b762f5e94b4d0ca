"""The state folder: its modes, its lock, and files that are whole whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.engine import state as state_module
from labkit.engine.errors import StateError
from labkit.engine.state import State, default_run, default_socket, default_state, read_json, write_json


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.at(tmp_path / "state", tmp_path / "run")


def test_folders_are_for_their_owner_alone(state: State) -> None:
    for folder in (state.root, state.run, state.containers, state.overlay):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_file_is_written_whole_or_not_at_all(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    path = state.root / "record.json"
    write_json(path, {"n": 1})

    def disk_full(self: Path, text: str) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"n": 2})
    assert read_json(path) == {"n": 1}
    assert [entry.name for entry in state.root.iterdir() if entry.name.endswith(".new")] == []


def test_reading_what_is_not_there_and_what_is_not_json(state: State) -> None:
    assert read_json(state.root / "none.json", {}) == {}
    (state.root / "bad.json").write_text("{")
    with pytest.raises(StateError, match=r"bad\.json is not JSON"):
        read_json(state.root / "bad.json")


def test_a_second_engine_is_told_who_has_the_folder(state: State) -> None:
    state.lock()
    program = (
        "from pathlib import Path; from labkit.engine.state import State\n"
        f"State.at(Path({str(state.root)!r}), Path({str(state.run)!r})).lock()"
    )
    second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert f"another engine (pid {os.getpid()}) already uses {state.root}" in second.stderr
    state.unlock()
    assert subprocess.run([sys.executable, "-c", program], timeout=30).returncode == 0


def test_the_id_of_an_engine_stays_and_a_reboot_is_noticed(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not state.rebooted()  # never ran before
    first = state.id()
    state.write_engine(id=first, socket="a")
    assert state.id() == first
    assert not state.rebooted()
    monkeypatch.setattr(state_module, "boot_id", lambda: "another boot")
    assert state.rebooted()


def test_where_things_are_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LABKIT_STATE", "LABKIT_SOCKET", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert (default_state(), default_socket()) == (Path("/var/lib/labkit"), Path("/run/labkit/engine.sock"))

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_state() == Path("/home/ada/.local/share/labkit")
    assert default_socket() == Path("/home/ada/.local/share/labkit/run/engine.sock")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert default_socket() == Path("/run/user/1000/labkit/engine.sock")

    monkeypatch.setenv("LABKIT_STATE", "/srv/lab")
    assert default_run(default_state()) == Path("/srv/lab/run")
    monkeypatch.setenv("LABKIT_SOCKET", "/srv/lab.sock")
    assert default_socket() == Path("/srv/lab.sock")
