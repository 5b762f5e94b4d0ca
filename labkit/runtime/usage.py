"""What a container uses: CPU time, memory, processes, disk and network bytes, read from the kernel's own files.

A cgroup that has the controller answers first; where there is none, the sum over the container's processes does.
"""

import os
from dataclasses import dataclass, field

from labkit.runtime.cgroups import Cgroup, fields, pids_beside
from labkit.runtime.hierarchies import read_file

_TICK_USEC = 1_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_UNLIMITED_V1 = 1 << 62  # version 1 writes "no limit" as a huge number


@dataclass
class Usage:
    """Use so far. CPU times are microseconds, memory bytes; a limit is None where there is none."""

    cpu_usec: int = 0
    user_usec: int = 0
    system_usec: int = 0
    memory: int = 0
    memory_limit: int | None = None
    memory_stat: dict[str, int] = field(default_factory=dict)
    pids: int = 0
    pids_limit: int | None = None
    networks: dict[str, dict[str, int]] = field(default_factory=dict)


def usage(group: Cgroup, pid: int) -> Usage:
    """Measure the container whose first process is `pid` and whose cgroup is `group`."""
    members = group.pids() or list(pids_beside(pid))
    used = Usage(pids=len(members), networks=networks(pid))
    _read_cpu(used, group, members)
    _read_memory(used, group, members)
    used.pids_limit = _limit(group, "pids", "pids.max", "pids.max")
    return used


def _read_cpu(used: Usage, group: Cgroup, members: list[int]) -> None:
    stat = fields(read_file(f"{group.unified}/cpu.stat")) if group.unified else {}
    if stat:  # there even without the cpu controller
        used.cpu_usec, used.user_usec, used.system_usec = (
            int(stat.get(name, 0)) for name in ("usage_usec", "user_usec", "system_usec")
        )
        return
    for member in members:
        after_name = read_file(f"/proc/{member}/stat").rpartition(")")[2].split()
        if after_name:  # utime and stime are fields 14 and 15 of proc_pid_stat(5)
            used.user_usec += int(after_name[11]) * _TICK_USEC
            used.system_usec += int(after_name[12]) * _TICK_USEC
    used.cpu_usec = used.user_usec + used.system_usec


def _read_memory(used: Usage, group: Cgroup, members: list[int]) -> None:
    if group.unified and (now := read_file(f"{group.unified}/memory.current")):
        used.memory = int(now)
        used.memory_stat = _numbers(read_file(f"{group.unified}/memory.stat"))
    elif "memory" in group.v1:
        used.memory = int(read_file(f"{group.v1['memory']}/memory.usage_in_bytes") or 0)
        used.memory_stat = _numbers(read_file(f"{group.v1['memory']}/memory.stat"))
    else:
        resident = (read_file(f"/proc/{member}/statm").split() for member in members)
        used.memory = sum(int(row[1]) * _PAGE for row in resident if row)
    used.memory_limit = _limit(group, "memory", "memory.max", "memory.limit_in_bytes")


def _limit(group: Cgroup, controller: str, v2_file: str, v1_file: str) -> int | None:
    text = read_file(f"{group.unified}/{v2_file}") if group.unified else ""
    if not text and controller in group.v1:
        text = read_file(f"{group.v1[controller]}/{v1_file}")
    text = text.strip()
    return int(text) if text.isdigit() and int(text) < _UNLIMITED_V1 else None


def networks(pid: int) -> dict[str, dict[str, int]]:
    """Bytes, packets, errors and drops by device, of the network namespace of `pid`: proc_pid_net(5)."""
    columns = [f"rx_{c}" for c in ("bytes", "packets", "errors", "dropped")] + [""] * 4
    columns += [f"tx_{c}" for c in ("bytes", "packets", "errors", "dropped")]
    found = {}
    for line in read_file(f"/proc/{pid}/net/dev").splitlines()[2:]:
        device, _, numbers = line.partition(":")
        if device.strip() != "lo":
            found[device.strip()] = {c: int(n) for c, n in zip(columns, numbers.split(), strict=False) if c}
    return found


def _numbers(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in fields(text).items() if value.strip().isdigit()}
