"""Where not even a virtual machine works: what connect() and the doctor say, and that the lessons can be read."""

import pytest

from labkit import doctor
from labkit.connect import find
from labkit.errors import EngineNotStarted, NoEngine
from labkit.microvm import control
from tests.test_doctor import ALL_WELL, NOTHING_WORKS

SAID = "user-mode Linux: ptrace: Operation not permitted; QEMU: qemu-system-x86 is not installed"


@pytest.fixture
def no_machine(monkeypatch, tmp_path):
    def start(**_):
        raise EngineNotStarted("We started the embedded engine", SAID)

    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))  # where no engine runs
    monkeypatch.setattr(control, "refusal", lambda: "unshare: Operation not permitted")
    monkeypatch.setattr(control, "start", start)
    monkeypatch.setattr(doctor, "machines", lambda: dict(part.split(": ", 1) for part in SAID.split("; ")))


def test_connect_names_every_obstacle_and_what_is_left(no_machine):
    with pytest.raises(NoEngine) as refused:
        find(None, {"LABKIT_ENGINE": "embedded"})
    assert "namespaces are refused here: unshare: Operation not permitted" in str(refused.value)
    assert SAID in str(refused.value)
    assert "`labkit doctor`" in refused.value.do and "read the lesson" in refused.value.do


def test_the_doctor_says_that_the_lessons_can_be_read(no_machine):
    finding = doctor.virtual_machine(NOTHING_WORKS)
    assert finding.outcome == "missing"
    assert "can be read" in finding.means and "ptrace: Operation not permitted" in finding.means
    assert "can be read" not in doctor.virtual_machine(ALL_WELL).means, "there the engine runs without a machine"


def test_the_doctor_asks_nothing_of_containers_where_there_can_be_none(no_machine, monkeypatch):
    monkeypatch.setattr(doctor, "run_trial", lambda: NOTHING_WORKS)
    monkeypatch.setenv("LABKIT_ENGINE", "embedded")
    report = doctor.diagnose()
    names = {finding.name for finding in report.findings}
    assert "namespaces" in names and "virtual machine" in names
    assert not names & {"overlay", "bridge network", "seccomp", "sub-ids"}
    assert not report.engine.works
