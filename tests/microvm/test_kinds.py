"""The table of machines: how large, on which command line, and what the trial says where one can't work."""

import time
from pathlib import Path

import pytest

from labkit.microvm import kinds, qemu
from labkit.microvm.kinds import KINDS, MEMORY, QEMU, UML, Machine, memory_for_guest
from tests.test_packaging import ROOT

MACHINE = Machine(Path("/guest files"), Path("/tmp/run"), channel=7, memory=256 << 20, share="/tmp")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, MEMORY),
        ("max", MEMORY),
        (str(2 << 30), MEMORY),
        (str(450 << 20), 450 << 18),
        (str(64 << 20), 96 << 20),
    ],
)
def test_a_guest_takes_a_quarter_of_what_we_may_use(limit, expected):
    assert memory_for_guest(96 << 20, lambda path: limit) == expected


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_machine_asks_for_kvm_or_for_a_network(kind):
    line = " ".join(kind.command(MACHINE))
    assert "kvm" not in line
    assert not any(word in line for word in ("netdev", "eth0=", "vec0:"))


def test_an_emulated_guest_is_told_how_fast_its_clock_counts():
    """Without this it hangs nine times in ten."""
    assert "tsc_early_khz=" in " ".join(QEMU.command(MACHINE))


CPUINFO = "model name\t: A Processor @ 2.90GHz\ncpu MHz\t\t: 801.123\nflags\t\t: fpu tsc"


@pytest.mark.parametrize(
    ("cpuinfo", "khz"),
    [(CPUINFO, 2_900_000), (CPUINFO + " hypervisor", 801_123), (CPUINFO.replace(" @ 2.90GHz", ""), 801_123),
     ("Processor : another kind", 1_000_000)],
    ids=["a processor that saves power", "a virtual one", "one whose name tells nothing", "not x86"],
)  # fmt: skip
def test_the_clocks_speed_is_not_what_the_processor_runs_at_now(cpuinfo, khz):
    assert qemu.tsc_khz(cpuinfo) == khz


@pytest.mark.parametrize("board", qemu.BOARDS.values(), ids=lambda board: board.machine)
def test_the_image_of_binder_brings_what_a_machine_needs(board):
    packages = (ROOT / "binder" / "Dockerfile").read_text().replace('"', " ").replace(";", " ").split()
    assert board.package in packages and board.kernel in packages


def test_words_with_a_blank_are_quoted_for_the_kernel():
    assert '"modules=/guest files/modules"' in UML.command(MACHINE)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_trial_says_what_is_missing(kind, tmp_path):
    assert str(tmp_path) in kind.trial(tmp_path)


def fake_kernel(folder: Path, script: str) -> Path:
    program = folder / "linux.uml"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder


def test_the_trial_repeats_the_kernels_last_words(tmp_path):
    folder = fake_kernel(tmp_path, "echo 'check_ptrace: Operation not permitted'; exit 1")
    assert kinds.try_uml(folder) == "check_ptrace: Operation not permitted"


def test_the_trial_ends_as_soon_as_it_knows(tmp_path):
    began = time.monotonic()
    assert kinds.try_uml(fake_kernel(tmp_path, "echo 'Checking PROT_EXEC mmap in /tmp...OK'; exec sleep 30")) == ""
    assert time.monotonic() - began < kinds.TRIAL_SECONDS


def test_a_program_that_says_nothing_is_not_waited_for(tmp_path):
    began = time.monotonic()
    assert "said nothing" in kinds.try_uml(fake_kernel(tmp_path, "exec sleep 30"))
    assert time.monotonic() - began < kinds.TRIAL_SECONDS + 1


def test_without_a_folder_that_allows_code_the_trial_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "SCRATCH_FOLDERS", ("/proc",))
    assert "allows code to be executed" in kinds.try_uml(fake_kernel(tmp_path, "true"))
