"""`docker stats`: what a container uses, in Docker's shape. The measuring itself is the runtime's (usage.py).

CPU shares are computed by the client from two measurements, so each answer carries the one before it too.
Source: Docker Engine API, ContainerStats.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import timestamps
from labkit.engine.containers.record import Container
from labkit.runtime.cgroups import Cgroup, fields
from labkit.runtime.hierarchies import read_file
from labkit.runtime.usage import Usage, usage

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

Json = dict[str, Any]

INTERVAL = 1.0
"""Seconds between two measurements."""

_NSEC_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_NO_CPU: Json = {
    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
}
_NO_BLKIO: Json = {
    f"{name}_recursive": None
    for name in (
        "io_service_bytes",
        "io_serviced",
        "io_queue",
        "io_service_time",
        "io_wait_time",
        "io_merged",
        "io_time",
        "sectors",
    )
}


async def stream(engine: Engine, container: Container) -> AsyncIterator[Json]:
    """A measurement a second, for as long as somebody reads and the container is there."""
    before = measure(container)
    while engine.containers.find(container.id) is container:
        now = measure(container)
        yield joined(now, before)
        before = now
        await asyncio.sleep(INTERVAL)


async def once(container: Container, *, one_shot: bool) -> Json:
    """One answer: two measurements a second apart, or with `one_shot` a single one and nothing before it."""
    first = measure(container)
    if one_shot or not container.state.has_process:
        return joined(first, empty(container))
    await asyncio.sleep(INTERVAL)
    return joined(measure(container), first)


def joined(now: Json, before: Json) -> Json:
    """A measurement together with the one before it."""
    return {**now, "preread": before["read"], "precpu_stats": before["cpu_stats"]}


def empty(container: Container) -> Json:
    """What is said of a container that does not run: zeros, at no time."""
    return {
        "read": timestamps.NEVER,
        "preread": timestamps.NEVER,
        "pids_stats": {},
        "blkio_stats": _NO_BLKIO,
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _NO_CPU,
        "precpu_stats": _NO_CPU,
        "memory_stats": {},
        "name": f"/{container.name}",
        "id": container.id,
    }


def measure(container: Container) -> Json:
    """One measurement, now."""
    blank = empty(container)
    if not container.state.has_process:
        return blank
    group = Cgroup.at(f"/labkit/{container.id}")
    used = usage(group, container.state.pid)
    return blank | {
        "read": timestamps.now(),
        "pids_stats": {"current": used.pids} | ({"limit": used.pids_limit} if used.pids_limit else {}),
        "cpu_stats": cpu_stats(used, _throttling(group)),
        "memory_stats": memory_stats(used),
        **({"networks": used.networks} if used.networks else {}),
    }


def cpu_stats(used: Usage, throttling: Json) -> Json:
    """CPU times in nanoseconds: the container's, and the whole machine's."""
    total = {"total_usage": used.cpu_usec, "usage_in_kernelmode": used.system_usec, "usage_in_usermode": used.user_usec}
    return {
        "cpu_usage": {name: usec * 1000 for name, usec in total.items()},
        "system_cpu_usage": system_cpu(read_file("/proc/stat")),
        "online_cpus": os.cpu_count() or 1,
        "throttling_data": throttling,
    }


def system_cpu(proc_stat: str) -> int:
    """Nanoseconds that all processors have counted, idle ones too: the first seven fields of proc_stat(5)."""
    words = proc_stat.partition("\n")[0].split()[1:8]
    return sum(int(word) for word in words) * _NSEC_PER_TICK


def memory_stats(used: Usage) -> Json:
    """Memory in bytes; without a limit of its own, the machine's memory is the limit."""
    return {"usage": used.memory, "stats": used.memory_stat, "limit": used.memory_limit or _machine_memory()}


def _machine_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _throttling(group: Cgroup) -> Json:
    """How often and how long the kernel held the container back: cpu.stat, whose time is in ns (v1) or us (v2)."""
    v1 = fields(read_file(f"{group.v1['cpu']}/cpu.stat")) if "cpu" in group.v1 else {}
    v2 = fields(read_file(f"{group.unified}/cpu.stat")) if group.unified and not v1 else {}
    seen = v1 or v2
    return {
        "periods": int(seen.get("nr_periods", 0)),
        "throttled_periods": int(seen.get("nr_throttled", 0)),
        "throttled_time": int(v1["throttled_time"])
        if "throttled_time" in v1
        else int(v2.get("throttled_usec", 0)) * 1000,
    }
