"""The doctor: what it finds in a trial, which engine it says connect() takes, and that it leaves nothing behind."""

import json
import os
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import doctor
from labkit.trial import TRIALS, Trial, state_folder

ALL_WELL = Trial(dict.fromkeys(TRIALS, ""), {"limits": dict.fromkeys(doctor.LIMITS.values(), True), "ids": 65537})
NOTHING_WORKS = Trial({"namespaces": "unshare: Operation not permitted"}, {"mend": "sudo sysctl -w some.thing=1"})


# --- what a trial means -----------------------------------------------------------------------------------------


def test_where_all_is_well_the_own_engine_lacks_nothing() -> None:
    for probe in (doctor.namespaces, doctor.sub_ids, doctor.overlay, doctor.limits, doctor.network, doctor.seccomp):
        finding = probe(ALL_WELL)
        assert (finding.outcome, finding.mend) == ("ok", ""), finding


@pytest.mark.parametrize("probe", doctor.PROBES)
def test_each_probe_has_an_answer_even_where_nothing_works(probe: doctor.Callable[[Trial], doctor.Finding]) -> None:
    finding = probe(NOTHING_WORKS)
    assert finding.name and finding.tried and finding.means.endswith(".")
    assert finding.outcome in ("ok", "limited", "missing")


def test_refused_namespaces_come_with_the_command_that_mends_it() -> None:
    finding = doctor.namespaces(NOTHING_WORKS)
    assert finding.outcome == "missing"
    assert "Operation not permitted" in finding.means
    assert finding.mend == "sudo sysctl -w some.thing=1"


def test_limits_that_cannot_be_set_are_named() -> None:
    possible = {**ALL_WELL.facts["limits"], "MemoryLimit": False}
    finding = doctor.limits(Trial(ALL_WELL.errors, {"limits": possible}))
    assert finding.outcome == "limited"
    assert "memory" in finding.means and "pids" not in finding.means


@pytest.mark.parametrize(("version", "mend"), [("1", "apt install docker.io"), ("2", "Delegate=yes")])
def test_what_mends_missing_limits_depends_on_the_control_groups(
    version: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    finding = doctor.limits(Trial({}, {"limits": {}, "cgroup": version}))
    assert mend in finding.mend


def test_one_user_id_is_a_limitation_for_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    finding = doctor.sub_ids(Trial(ALL_WELL.errors, {"ids": 1}))
    assert finding.outcome == "limited"
    assert "--add-subuids" in finding.mend


# --- which engine -----------------------------------------------------------------------------------------------


class Docker(socketserver.StreamRequestHandler):
    """As much of an engine as the SDK wants to see: it tells its version."""

    def handle(self) -> None:
        version = json.dumps({"ApiVersion": "1.45", "Components": [{"Name": "Engine", "Version": "99.1"}]})
        while self.rfile.readline().strip():
            while self.rfile.readline().strip():
                pass
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(version)}\r\n\r\n{version}".encode())


@pytest.fixture
def socket_path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="lk-", dir="/tmp") as folder:
        yield f"{folder}/docker.sock"


def test_an_engine_that_answers_is_taken(socket_path: str) -> None:
    with socketserver.ThreadingUnixStreamServer(socket_path, Docker) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        choice, findings = doctor.engines_here({"DOCKER_HOST": f"unix://{socket_path}"}, 1000, ALL_WELL)
        server.shutdown()
    assert (choice.name, choice.why, choice.works) == ("Docker 99.1", "DOCKER_HOST names it", True)
    assert [finding.outcome for finding in findings] == ["ok"]


def test_a_named_engine_that_does_not_answer_is_not_replaced_by_another(socket_path: str) -> None:
    choice, findings = doctor.engines_here({"DOCKER_HOST": f"unix://{socket_path}"}, 1000, ALL_WELL)
    assert not choice.works
    assert choice.address == f"unix://{socket_path}"
    assert findings[0].outcome == "limited" and findings[0].mend


def test_the_embedded_engine_can_be_asked_for() -> None:
    choice, findings = doctor.engines_here({"LABKIT_ENGINE": "embedded"}, 1000, ALL_WELL)
    assert (choice.address, choice.works) == ("embedded", True)
    assert findings[0].outcome == "missing"  # no socket was looked for


@pytest.mark.parametrize("obstacle", ["", "it is not installed"])
def test_where_namespaces_are_refused_the_embedded_engine_needs_a_machine(obstacle: str, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "machines", lambda: {"a machine": obstacle})
    choice = doctor.engines_here({"LABKIT_ENGINE": "embedded"}, 1000, NOTHING_WORKS)[0]
    assert choice.works == (obstacle == "")
    assert ("virtual machine" in choice.name) == choice.works


def test_a_wrong_setting_is_told() -> None:
    choice, findings = doctor.engines_here({"LABKIT_ENGINE": "vmware"}, 1000, ALL_WELL)
    assert not choice.works and "vmware" in choice.why and findings == []


# --- the whole examination --------------------------------------------------------------------------------------


def traces() -> list[object]:
    """Where an examination could leave something: mounts, network devices, the folder of the state."""
    folder = state_folder()
    return [Path("/proc/self/mountinfo").read_text().count("labkit-doctor"),
            [name for name in os.listdir("/sys/class/net") if name.startswith("lkdoc")],
            [name for name in os.listdir(folder) if "doctor" in name]]  # fmt: skip


def test_an_examination_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_ENGINE", "embedded")
    before = traces()
    report = doctor.diagnose()
    assert traces() == before == [0, [], []]
    assert len(report.findings) == len(doctor.PROBES) + 1


def test_the_report_reads_as_columns_and_as_json() -> None:
    good, bad = doctor.network(ALL_WELL), doctor.network(NOTHING_WORKS)
    report = doctor.Report(doctor.Choice("Docker 99.1", "unix:///d.sock", "it answers"), (good, bad))
    head, empty, first, *rest = report.text().splitlines()
    assert head == "labkit.connect() takes Docker 99.1 at unix:///d.sock: it answers."
    assert empty == ""
    assert first == "ok       bridge network  Containers have addresses and reach each other."
    assert rest[0].startswith("limited  bridge network  ")
    assert rest[-1].strip() == "→ sudo modprobe -a bridge veth"
    assert json.loads(report.to_json())["findings"][1]["mend"] == "sudo modprobe -a bridge veth"
