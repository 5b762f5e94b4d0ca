"""Holding a machine: one connection for each launcher, whatever the socket's path was before."""

import os
import socket
from pathlib import Path

from labkit.engine.control import Running
from labkit.microvm import control
from labkit.microvm.launcher import HOLD


def test_each_launcher_is_held_once(short_folder, monkeypatch):
    monkeypatch.setattr(control, "_holds", {})
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short_folder / HOLD))
        listener.listen()
        for pid in (1, 1, 2):
            control.hold(Running(pid, short_folder / "engine.sock", short_folder, 0.0, "uml"))
        assert set(control._holds) == {1, 2}
    for holder in control._holds.values():
        holder.close()


def test_an_engine_without_a_machine_needs_no_holder(short_folder, monkeypatch):
    monkeypatch.setattr(control, "_holds", {})
    control.hold(Running(1, short_folder / "engine.sock", short_folder, 0.0))
    assert control._holds == {}


def test_root_with_its_powers_is_not_taken_for_weak():
    status = Path("/proc/self/status").read_text().splitlines()
    powers = int(next(line.split()[1] for line in status if line.startswith("CapEff")), 16)
    assert control._weak_root() == (os.geteuid() == 0 and not powers & control.CAP_SYS_ADMIN)
