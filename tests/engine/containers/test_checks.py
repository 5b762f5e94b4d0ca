"""What a create request may not say: Docker's limits, and what is not served here."""

import pytest

from labkit.engine.containers import checks, defaults
from labkit.engine.errors import BadParameter, NotImplemented_

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
    ({"Tmpfs": {"rel": ""}}, "invalid mount path: 'rel'"),
]


@pytest.mark.parametrize(("host", "words"), WRONG, ids=[str(host) for host, _ in WRONG])
def test_wrong(host, words):
    with pytest.raises(BadParameter) as refusal:
        checks.check_host_config(defaults.host_config(host))
    assert words in refusal.value.message


UNSERVED = [
    {"Binds": ["data:/data"]},
    {"VolumesFrom": ["other"]},
    {"Devices": [{"PathOnHost": "/dev/fuse"}]},
    {"DeviceRequests": [{"Count": -1}]},
    {"DeviceCgroupRules": ["c 1:3 r"]},
    {"Init": True},
    {"CgroupParent": "/x"},
    {"MemoryReservation": 8 << 20},
    {"OomKillDisable": True},
    {"BlkioWeight": 5},
    {"StorageOpt": {"size": "1g"}},
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
    assert checks.warnings({}, []) == []
    assert checks.warnings({"Healthcheck": {"Test": ["NONE"]}}, []) == []
    health, *_ = checks.warnings({"Healthcheck": {"Test": ["CMD", "true"]}}, [])
    assert "health" in health
    (memory,) = checks.warnings({}, ["memory"])
    assert memory.startswith("Your kernel does not support memory limit")
