"""What the engine tells about the machine it runs on: `docker info` prints it. Only reads, and never fails."""

from __future__ import annotations

import os
import platform
import shlex
from pathlib import Path
from typing import Any

from labkit.runtime import cgroups
from labkit.runtime.hierarchies import hierarchies

LIMITS: dict[str, dict[str, Any]] = {
    "MemoryLimit": {"memory": {"limit": 1}},
    "CpuCfsQuota": {"cpu": {"quota": 1}},
    "CpuCfsPeriod": {"cpu": {"quota": 1}},
    "CPUShares": {"cpu": {"shares": 2}},
    "CPUSet": {"cpu": {"cpus": "0"}},
    "PidsLimit": {"pids": {"limit": 1}},
}
"""The fields of `GET /info` that say whether a limit can be set, and the OCI resources that stand for it."""

REFUSED = {
    "MemoryLimit": "WARNING: No memory limit support",
    "CpuCfsQuota": "WARNING: No cpu cfs quota support",
    "CPUShares": "WARNING: No cpu shares support",
    "CPUSet": "WARNING: No cpuset support",
    "PidsLimit": "WARNING: No pids limit support",
}
"""Docker's words for a limit that cannot be set."""


def limits() -> dict[str, bool]:
    """Which limits can be set on this machine by this process."""
    return {field: not cgroups.missing(resources) for field, resources in LIMITS.items()}


def limit_warnings() -> list[str]:
    """What `docker info` warns about, as limits go."""
    possible = limits()
    return [words for field, words in REFUSED.items() if not possible[field]]


def cgroup_version() -> str:
    """2 where nothing of version 1 is mounted; on a hybrid host 1, as that is where the limits are."""
    return "1" if hierarchies().v1 else "2"


def os_release() -> dict[str, str]:
    """/etc/os-release as a dict: os-release(5)."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: "".join(shlex.split(value)) for key, _, value in pairs}


def memory_total() -> int:
    """Bytes of memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def file_system(path: Path) -> str:
    """The type of the file system that a folder is on, from proc_pid_mountinfo(5)."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2] == wanted:
            return after.split()[0]
    return "unknown"


def facts() -> dict[str, Any]:
    """The host's part of `GET /info`."""
    release = os_release()
    return {
        "NCPU": len(os.sched_getaffinity(0)),
        "MemTotal": memory_total(),
        "Name": platform.node(),
        "KernelVersion": platform.release(),
        "OperatingSystem": release.get("PRETTY_NAME", "Linux"),
        "OSVersion": release.get("VERSION_ID", ""),
        "OSType": "linux",
        "Architecture": platform.machine(),
        "CgroupVersion": cgroup_version(),
    }
