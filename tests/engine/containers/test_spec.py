"""From Docker's words to OCI's: tables of what is asked and what comes out. Judged by runc where it is installed."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from labkit.engine.containers import spec
from labkit.engine.containers.spec import Identity, Surroundings
from tests.runtime import bundle

AROUND = Surroundings("c0ffee" * 10, "/state/merged")


def config(host=None, **asked):
    return spec.oci_config({"Cmd": ["true"], **asked}, host or {}, Identity(), AROUND)


def test_entrypoint_and_command_make_one_line():
    assert config(Entrypoint=["a", "b"], Cmd=["c"])["process"]["args"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["HOME=/root", f"HOSTNAME={'c0ffee' * 2}", spec.DEFAULT_PATH]),
        ({"Env": ["PATH=/bin", "A=1", "A=2"]}, ["A=2", "HOME=/root", "HOSTNAME=c0ffeec0ffee", "PATH=/bin"]),
        ({"Env": ["EMPTY=", "GONE"], "Hostname": "web"}, ["EMPTY=", "HOME=/root", "HOSTNAME=web", spec.DEFAULT_PATH]),
        ({"Env": ["HOME=/srv"], "Tty": True}, ["HOME=/srv", "HOSTNAME=c0ffeec0ffee", spec.DEFAULT_PATH, "TERM=xterm"]),
    ],
)
def test_environment(asked, expected):
    assert sorted(config(**asked)["process"]["env"]) == expected


@pytest.mark.parametrize(
    ("host", "missing"),
    [
        ({}, set()),
        ({"NetworkMode": "host"}, {"network"}),
        ({"PidMode": "host", "IpcMode": "host", "UTSMode": "host"}, {"pid", "ipc", "uts"}),
    ],
)
def test_a_namespace_shared_with_the_host_is_not_asked_for(host, missing):
    kinds = {row["type"] for row in config(host)["linux"]["namespaces"]}
    assert {"mount", "pid", "network", "ipc", "uts", "cgroup"} - kinds == missing


def test_a_namespace_to_be_joined_has_a_path():
    around = Surroundings("id", "/m", joins={"network": "/proc/7/ns/net"})
    rows = spec.oci_config({"Cmd": ["true"]}, {"NetworkMode": "container:x"}, Identity(), around)["linux"]["namespaces"]
    assert {"type": "network", "path": "/proc/7/ns/net"} in rows


@pytest.mark.parametrize(
    ("host", "part", "expected"),
    [
        ({"MemoryReservation": 8 << 20, "MemorySwappiness": 0}, "memory", {"reservation": 8 << 20, "swappiness": 0}),
        ({"MemorySwappiness": -1, "OomKillDisable": True}, "memory", {"swappiness": None, "disableOOMKiller": True}),
        (
            {"CpuRealtimePeriod": 1000, "CpuRealtimeRuntime": 500},
            "cpu",
            {"realtimePeriod": 1000, "realtimeRuntime": 500},
        ),
        ({"Memory": 64 << 20}, "memory", {"limit": 64 << 20, "swap": 128 << 20}),
        ({"Memory": 64 << 20, "MemorySwap": -1}, "memory", {"limit": 64 << 20, "swap": -1}),
        ({"NanoCpus": 500_000_000}, "cpu", {"shares": 0, "quota": 50_000, "period": 100_000, "cpus": "", "mems": ""}),
        ({"PidsLimit": 20}, "pids", {"limit": 20}),
    ],
)
def test_limits(host, part, expected):
    made = config(host)["linux"]["resources"][part]
    assert {name: made[name] for name in expected} == expected


def test_mounts_replace_ours_and_the_deeper_ones_come_later():
    volume = {"destination": "/etc", "type": "bind", "source": "/v", "options": ["rbind"]}
    mine = {"destination": "/etc/hosts", "type": "bind", "source": "/mine", "options": ["rbind"]}
    around = Surroundings("id", "/m", files={"/etc/hosts": "/h", "/etc/hostname": "/n"}, volumes=[mine, volume])
    rows = spec.mounts({"Tmpfs": {"/dev/shm": "size=1m"}}, around)
    places = [row["destination"] for row in rows]
    assert len(places) == len(set(places))
    assert places.index("/etc") < places.index("/etc/hostname")
    sources = {row["destination"]: row["source"] for row in rows}
    assert (sources["/etc/hosts"], sources["/dev/shm"]) == ("/mine", "tmpfs")


def test_a_bind_on_dev_takes_all_of_it():
    dev = {"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind"]}
    places = [row["destination"] for row in spec.mounts({}, Surroundings("id", "/m", volumes=[dev]))]
    assert [place for place in places if place.startswith("/dev")] == ["/dev"]


def test_an_init_program_starts_the_command():
    around = Surroundings("id", "/m", init="/usr/bin/docker-init")
    made = spec.oci_config({"Cmd": ["app", "x"]}, {}, Identity(), around)
    assert made["process"]["args"] == ["/sbin/docker-init", "--", "app", "x"]
    (mount,) = [row for row in made["mounts"] if row["destination"] == "/sbin/docker-init"]
    assert mount["source"] == "/usr/bin/docker-init" and "ro" in mount["options"]


def test_devices_and_their_rules():
    node = {"path": "/dev/x", "type": "c", "major": 1, "minor": 5}
    rule = {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "r"}
    around = Surroundings("id", "/m", devices=[node], device_rules=[rule])
    settings = spec.oci_config({"Cmd": ["true"]}, {}, Identity(), around)["linux"]
    assert settings["devices"] == [node] and settings["resources"]["devices"][-1] == rule


def test_privileged_takes_the_fences_away():
    made = config({"Privileged": True})
    assert made["linux"]["seccomp"] is None and made["linux"]["maskedPaths"] == []
    assert "CAP_SYS_ADMIN" in made["process"]["capabilities"]["bounding"]
    assert "CAP_SYS_ADMIN" not in config()["process"]["capabilities"]["bounding"], "the control"


@pytest.mark.parametrize(
    ("option", "on"), [("", True), ("no-new-privileges:false", False), ("no-new-privileges", True)]
)
def test_no_new_privileges(option, on):
    assert config({"SecurityOpt": [option]})["process"]["noNewPrivileges"] is on


def test_exec_inherits_and_overrides():
    made = spec.exec_process(
        {"Cmd": ["env"], "Env": ["A=2"], "WorkingDir": "/tmp"},
        {"Env": ["A=1", "B=1"], "Cmd": ["x"]},
        {},
        Identity(),
        "id",
    )
    assert made["args"] == ["env"] and made["cwd"] == "/tmp"
    assert {"A=2", "B=1"} <= set(made["env"])


def test_runc_runs_the_same_bundle(tmp_path: Path):
    """The config is the standard's: another runtime, given the root file system mounted, does the same with it."""
    bundle.needs_root()
    if not shutil.which("runc"):
        pytest.skip("runc is not installed: apt-get install runc")
    root = bundle.tree(tmp_path / "rootfs")
    made = bundle.config(str(root), "sh", "-c", "hostname; grep CapEff /proc/self/status", key=f"runc{os.getpid()}")
    made["mounts"] = [m for m in made["mounts"] if m["type"] != "cgroup"]  # runc 1.1 mounts version 1 differently
    made["linux"]["namespaces"] = [n for n in made["linux"]["namespaces"] if n["type"] != "cgroup"]
    (tmp_path / "config.json").write_text(json.dumps(made))
    done = subprocess.run(
        ["runc", "--root", str(tmp_path / "runc"), "run", "--bundle", str(tmp_path), f"labkit-{os.getpid()}"],
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout.split() == ["inside", "CapEff:", "00000000a80425fb"], done.stderr
