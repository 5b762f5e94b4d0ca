"""The runtime's decisions, without root: namespaces, mount options, limits."""

import pytest

from labkit import linux
from labkit.runtime import cgroups, mounts, namespaces, process


def test_a_namespace_with_a_path_is_joined_and_one_without_is_new():
    wanted = [{"type": "pid"}, {"type": "mount"}, {"type": "network", "path": "/proc/7/ns/net"}]
    plan = namespaces.plan(wanted)
    assert plan.new == linux.CLONE_NEWPID | linux.CLONE_NEWNS
    assert plan.join == ((linux.CLONE_NEWNET, "/proc/7/ns/net"),)


@pytest.mark.parametrize(
    ("options", "flags", "propagation", "data"),
    [
        ([], 0, 0, None),
        (["ro", "nosuid"], linux.MS_RDONLY | linux.MS_NOSUID, 0, None),
        (["ro", "rw"], 0, 0, None),
        (["rbind", "rprivate"], linux.MS_BIND | linux.MS_REC, linux.MS_PRIVATE | linux.MS_REC, None),
        (["mode=755", "size=1m", "noexec"], linux.MS_NOEXEC, 0, "mode=755,size=1m"),
    ],
)
def test_mount_options(options, flags, propagation, data):
    call = mounts.mount_call({"destination": "/x", "type": "tmpfs", "source": "s", "options": options})
    assert (call.flags, call.propagation, call.data) == (flags, propagation, data)


LIMITS = {
    "memory": {"limit": 64 << 20, "swap": 96 << 20},
    "cpu": {"quota": 50_000, "period": 100_000, "shares": 1024},
    "pids": {"limit": 20},
}


def test_limits_in_version_2():
    written = {s.file: s.value for s in cgroups.settings(LIMITS, v2=True)}
    assert written == {
        "memory.max": str(64 << 20),
        "memory.swap.max": str(32 << 20),
        "cpu.max": "50000 100000",
        "cpu.weight": "39",
        "pids.max": "20",
    }


def test_limits_in_version_1():
    written = {s.file: s.value for s in cgroups.settings(LIMITS, v2=False)}
    assert written["memory.memsw.limit_in_bytes"] == str(96 << 20)
    assert written["cpu.cfs_quota_us"] == "50000"


def test_a_swappiness_of_0_is_asked_for_and_only_version_1_has_it():
    asked = {"memory": {"swappiness": 0, "reservation": 8 << 20, "disableOOMKiller": True}}
    version_1 = {s.file: s.value for s in cgroups.settings(asked, v2=False)}
    assert version_1 == {
        "memory.soft_limit_in_bytes": str(8 << 20),
        "memory.swappiness": "0",
        "memory.oom_control": "1",
    }
    assert {s.file for s in cgroups.settings(asked, v2=True)} == {"memory.low"}


def test_nothing_asked_for_is_nothing_written():
    assert cgroups.settings({"memory": {"limit": 0}, "cpu": {}, "pids": None}, v2=True) == []
    assert cgroups.missing({}) == []


@pytest.mark.parametrize(("shares", "weight"), [(2, "1"), (262144, "10000")])
def test_shares_and_weights_meet_at_both_ends(shares, weight):
    (only,) = cgroups.settings({"cpu": {"shares": shares}}, v2=True)
    assert only.value == weight


def test_a_part_of_the_source_is_kept_for_the_mount():
    call = mounts.mount_call({"destination": "/d", "type": "bind", "source": "/v", "subpath": "a/b"})
    assert (call.source, call.subpath) == ("/v", "a/b")


def test_an_unknown_rlimit_is_named():
    with pytest.raises(ValueError, match="RLIMIT_DREAMS"):
        process.prepare({"args": ["x"], "rlimits": [{"type": "RLIMIT_DREAMS", "soft": 1, "hard": 1}]}, None)


def test_capabilities_of_somebody_else_are_empty():
    asked = {"args": ["x"], "user": {"uid": 5}, "capabilities": {"effective": ["CAP_CHOWN"], "bounding": ["CAP_CHOWN"]}}
    prepared = process.prepare(asked, None)
    assert prepared.effective == 0
    assert 0 not in prepared.drop, "CAP_CHOWN is number 0, and stays in the bounding set"
