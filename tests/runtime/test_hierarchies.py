"""Which control group trees there are, and which part of them is ours: from texts, and from folders that look alike."""

from pathlib import Path

import pytest

from labkit.runtime import hierarchies
from labkit.runtime.hierarchies import HOME, LEAF, Hierarchies, delegated, mounted

V2 = "30 24 0:26 / {place} rw,nosuid - cgroup2 cgroup2 rw\n"
V1 = "31 24 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"


def test_the_mounts_of_a_hybrid_machine() -> None:
    v2, v1 = mounted(V2.format(place="/sys/fs/cgroup/unified") + V1)
    assert v2 == "/sys/fs/cgroup/unified"
    assert v1["cpu"] == v1["cpuacct"] == "/sys/fs/cgroup/cpu"


def test_where_nothing_is_mounted() -> None:
    assert mounted("22 1 8:1 / / rw - ext4 /dev/root rw\n") == (None, {})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A group below a mount, with the files that its user must be able to write."""
    place = tmp_path / "user.slice" / "ana"
    place.mkdir(parents=True)
    (place / "cgroup.procs").touch()
    (place / "cgroup.controllers").write_text("memory pids rdma")
    (place / "cgroup.subtree_control").write_text("pids")
    return place


@pytest.mark.parametrize("below", ["", f"/{LEAF}"], ids=["in it", "in the leaf already"])
def test_a_delegated_group_is_found(home: Path, tmp_path: Path, below: str) -> None:
    assert delegated(str(tmp_path), f"4:memory:/elsewhere\n0::/user.slice/ana{below}\n") == str(home)


def test_a_group_that_is_not_ours_to_write_is_none(home: Path, tmp_path: Path) -> None:
    (home / "cgroup.subtree_control").unlink()
    assert delegated(str(tmp_path), "0::/user.slice/ana\n") == ""


@pytest.mark.parametrize("membership", ["0::/\n", "4:memory:/user.slice/ana\n", ""])
def test_the_root_and_version_1_are_none(home: Path, tmp_path: Path, membership: str) -> None:
    assert delegated(str(tmp_path), membership) == ""


SETTLED = {
    "not tried yet": (None, {"memory", "pids", "rdma"}),
    "handed down": ("home", {"pids"}),
    "nothing delegated": ("", set()),
}


@pytest.mark.parametrize("case", SETTLED)
def test_only_what_was_handed_down_counts(
    home: Path, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled, controllers = SETTLED[case]
    texts = {"/proc/self/mountinfo": V2.format(place=tmp_path), "/proc/self/cgroup": "0::/user.slice/ana\n"}
    read = hierarchies.read_file
    monkeypatch.setattr(hierarchies, "read_file", lambda path: texts.get(path) or read(path))
    monkeypatch.setattr(hierarchies.os, "access", lambda path, mode: str(path) != str(tmp_path))  # the mount is root's
    monkeypatch.delenv(HOME, raising=False)
    if settled is not None:
        monkeypatch.setenv(HOME, str(home) if settled else "")
    found: Hierarchies = hierarchies.hierarchies.__wrapped__()
    assert found.v2_controllers == controllers
    assert found.v2 == (str(tmp_path) if settled == "" else str(home))
