"""What a create request may not say: Docker's limits, and what is not served here."""

import pytest

from labkit.engine.containers import checks, defaults, hostdevices
from labkit.engine.errors import BadParameter, NotImplemented_, ServerError

# Each was tried on Docker 20.10 (the last few on 26), which answered with these words and 400.
WRONG = [
    ({"Memory": 1000}, "Minimum memory limit allowed is 6MB"),
    ({"Memory": 6291456, "MemorySwap": 5}, "Minimum memoryswap limit should be larger than memory limit, see usage"),
    ({"MemorySwap": 5}, "You should always set the Memory limit when using Memoryswap limit, see usage"),
    ({"CpuPeriod": 5}, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"),
    ({"CpuQuota": 5}, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
    ({"CpuPeriod": 100000, "NanoCpus": 1000}, "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
    ({"NanoCpus": 99_000_000_000_000}, "Range of CPUs is from 0.01 to"),
    ({"ShmSize": -1}, "SHM size can not be less than 0"),
    ({"OomScoreAdj": 5000}, "Invalid value 5000, range for oom score adj is [-1000, 1000]"),
    ({"RestartPolicy": {"Name": "foo"}}, "invalid restart policy 'foo'"),
    ({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -2}}, "maximum retry count cannot be negative"),
    (
        {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 2}},
        "maximum retry count cannot be used with restart policy 'always'",
    ),
    (
        {"RestartPolicy": {"Name": "always"}, "AutoRemove": True},
        "can't create 'AutoRemove' container with restart policy",
    ),
    ({"CapAdd": ["FOO"]}, "FOO"),
    ({"SecurityOpt": ["foo"]}, 'invalid --security-opt 1: "foo"'),
    ({"SecurityOpt": ["seccomp=unconfined", "foo=bar"]}, 'invalid --security-opt 2: "foo=bar"'),
    ({"CgroupnsMode": "foo"}, "invalid cgroup namespace mode: foo"),
    ({"LogConfig": {"Type": "asdf"}}, 'error looking up logging plugin asdf: plugin "asdf" not found'),
    ({"LogConfig": {"Config": {"foo": "x"}}}, "unknown log opt 'foo' for json-file log driver"),
    ({"ExtraHosts": ["foo"]}, 'bad format for add-host: "foo"'),
    ({"Runtime": "foo"}, "unknown or invalid runtime name: foo"),
    ({"IpcMode": "foo"}, "invalid IPC mode: foo"),
    ({"PidMode": "foo"}, "invalid PID mode: foo"),
    ({"UTSMode": "container:x"}, "invalid UTS mode: container:x"),
    ({"MemorySwappiness": 101}, "Invalid value: 101, valid memory swappiness range is 0-100"),
    ({"MemoryReservation": 1 << 20}, "Minimum memory reservation allowed is 6MB"),
    (
        {"Memory": 8 << 20, "MemoryReservation": 9 << 20},
        "Minimum memory limit can not be less than memory reservation limit",
    ),
]


@pytest.mark.parametrize(("host", "words"), WRONG, ids=[str(host) for host, _ in WRONG])
def test_wrong(host, words):
    with pytest.raises(BadParameter) as refusal:
        checks.check_host_config(defaults.host_config(host))
    assert words in refusal.value.message


IMPOSSIBLE = [
    ({"StorageOpt": {"size": "1g"}}, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"),
    ({"StorageOpt": {"foo": "1g"}}, "Unknown option foo"),
    ({"Isolation": "hyperv"}, "Invalid isolation: \"hyperv\" - linux only supports 'default'"),
]


@pytest.mark.parametrize(("host", "words"), IMPOSSIBLE, ids=[words for _, words in IMPOSSIBLE])
def test_what_this_host_cannot_do_is_500_as_with_docker(host, words):
    with pytest.raises(ServerError) as refusal:
        checks.check_host_config(defaults.host_config(host))
    assert refusal.value.message == words


def test_an_init_program_must_be_installed(monkeypatch):
    monkeypatch.setattr(hostdevices, "init_program", lambda: None)
    with pytest.raises(NotImplemented_, match="apt-get install tini"):
        checks.check_host_config(defaults.host_config({"Init": True}))
    monkeypatch.setattr(hostdevices, "init_program", lambda: "/usr/bin/docker-init")
    checks.check_host_config(defaults.host_config({"Init": True}))


UNSERVED = [
    {"CgroupParent": "/x"},
    {"BlkioWeight": 5},
    {"SecurityOpt": ["seccomp={}"]},
]


@pytest.mark.parametrize("host", UNSERVED, ids=str)
def test_what_is_not_served_is_501_and_a_sentence(host):
    with pytest.raises(NotImplemented_) as refusal:
        checks.check_host_config(defaults.host_config(host))
    assert refusal.value.status == 501
    assert "this engine does not serve" in refusal.value.message
    assert "Docker engine" in refusal.value.message


SERVED = [
    {},
    {"NetworkMode": "none"},
    {"NetworkMode": "container:abc"},
    {"PidMode": "host", "IpcMode": "host", "UTSMode": "host"},
    {"MemorySwappiness": -1},
    {"MemorySwappiness": 40, "MemoryReservation": 8 << 20, "OomKillDisable": True},
    {"DeviceCgroupRules": ["c 1:3 r"], "OomScoreAdj": 300, "Isolation": "default"},
    {"Binds": ["/here:/there:ro"]},
    {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
    {"SecurityOpt": ["no-new-privileges", "seccomp=unconfined", "apparmor:unconfined"]},
    {"LogConfig": {"Type": "none"}},
    {"Init": False},
    {"CapAdd": ["ALL"], "CapDrop": ["MKNOD"]},
]


@pytest.mark.parametrize("host", SERVED, ids=str)
def test_served(host):
    checks.check_host_config(defaults.host_config(host))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"Env": ["=b"]}, "invalid environment variable: =b"),
        ({"Env": [""]}, "invalid environment variable: "),
        ({"WorkingDir": "rel"}, "the working directory 'rel' is invalid, it needs to be an absolute path"),
        ({"StopSignal": "FOO"}, "Invalid signal: FOO"),
        ({"Hostname": "a" * 64}, "invalid hostname"),
    ],
)
def test_wrong_config(config, words):
    with pytest.raises(BadParameter, match=words):
        checks.check_config(config)


def test_warnings():
    assert checks.warnings([]) == []
    (memory,) = checks.warnings(["memory"])
    assert memory.startswith("Your kernel does not support memory limit")


@pytest.mark.parametrize("there", [True, False], ids=["version 1", "version 2 alone"])
def test_what_only_version_1_of_control_groups_has(monkeypatch, there):
    monkeypatch.setattr(checks.cgroups, "has_v1", lambda controller, file: there)
    host = defaults.host_config({"MemorySwappiness": 40, "OomKillDisable": True})
    said = checks.discard(host)
    if there:
        assert (host["MemorySwappiness"], host["OomKillDisable"]) == (40, True)
        assert said == [checks.NO_OOM_KILLER]
        assert checks.discard(unset := defaults.host_config({"MemorySwappiness": -1})) == []
        assert unset["MemorySwappiness"] is None
    else:
        assert (host["MemorySwappiness"], host["OomKillDisable"]) == (None, None)
        assert said == [checks.NO_SWAPPINESS, checks.NO_OOM_KILL_DISABLE]
