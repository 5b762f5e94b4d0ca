"""What a container uses and how much it may use: `docker stats` as numbers beside their limits. Pure.

Left out: disk and network bytes, which have no limit to be held against.
Source: Docker Engine API, "ContainerStats" and "ContainerInspect" (HostConfig).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

UNLIMITED = 1 << 60  # some engines write "no limit" as a huge number


@dataclass(frozen=True)
class Limits:
    """What a container may use; None where only the machine is the limit. Bytes, processors, processes."""

    memory: int | None = None
    cpu: float | None = None
    pids: int | None = None


@dataclass(frozen=True)
class Usage:
    """What a container uses now; None where it is not known. Bytes, processors, processes.

    `throttled` is the share of the last periods in which the kernel held it back at its processor limit, 0 to 1.
    """

    memory: int | None = None
    cpu: float | None = None
    pids: int | None = None
    throttled: float = 0.0
    machine_memory: int | None = None
    machine_cpus: int | None = None


def parse_limits(attrs: Json) -> Limits:
    """The limits in GET /containers/{id}/json: zero and below mean none."""
    host = attrs.get("HostConfig") or {}
    nano, quota, period = host.get("NanoCpus") or 0, host.get("CpuQuota") or 0, host.get("CpuPeriod") or 100_000
    cpu = nano / 1e9 if nano > 0 else quota / period if quota > 0 else None
    return Limits(_positive(host.get("Memory")), cpu, _positive(host.get("PidsLimit")))


def parse_usage(stats: Json) -> Usage:
    """One answer of GET /containers/{id}/stats. The use of processors needs the measurement before, `precpu_stats`."""
    memory, cpu = stats.get("memory_stats") or {}, stats.get("cpu_stats") or {}
    if not memory.get("usage"):  # it does not run: the answer is all zeros
        return Usage()
    return Usage(
        memory=memory_of(memory),
        cpu=cpu_of(cpu, stats.get("precpu_stats") or {}),
        pids=(stats.get("pids_stats") or {}).get("current"),
        throttled=throttled_of(cpu, stats.get("precpu_stats") or {}),
        machine_memory=_positive(memory.get("limit")),
        machine_cpus=_positive(cpu.get("online_cpus")),
    )


def memory_of(memory: Json) -> int:
    """Bytes in use as `docker stats` counts them: without the file cache that the kernel would give back at once."""
    used = int(memory["usage"])
    stat = memory.get("stats") or {}
    cache = stat.get("total_inactive_file", stat.get("inactive_file", 0))  # cgroup v1, v2
    return used - cache if cache < used else used


def cpu_of(now: Json, before: Json) -> float | None:
    """Processors in use between two measurements: 0.5 is half of one. None without the one before."""
    if not before.get("system_cpu_usage"):
        return None
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = now["system_cpu_usage"] - before["system_cpu_usage"]  # of all processors together
    return max(0.0, used / passed * now.get("online_cpus", 1)) if passed > 0 else None


def throttled_of(now: Json, before: Json) -> float:
    """The share of the kernel's periods between two measurements in which it held the container back, 0 to 1."""
    data, old = now.get("throttling_data") or {}, before.get("throttling_data") or {}
    periods = data.get("periods", 0) - old.get("periods", 0)
    held = data.get("throttled_periods", 0) - old.get("throttled_periods", 0)
    return min(1.0, held / periods) if periods > 0 else 0.0


def _positive(number: Any) -> int | None:
    return int(number) if isinstance(number, int | float) and 0 < number < UNLIMITED else None
