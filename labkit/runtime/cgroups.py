"""Control groups: how much of the machine a container may use, and how all its processes are caught at once.

Version 2 comes first: one folder a container, entered by clone3 itself. Where version 2 has no controllers (a hybrid
host), a limit is set in the version 1 hierarchy that has the controller, and only then: joining one can take the
child 5 to 15 ms. Where nothing may be written (rootless without a delegated group), there is no group at all, and
`missing` says which limits can't be kept. cgroups(7); Documentation/admin-guide/cgroup-v2.rst.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from labkit import linux
from labkit.runtime import devices
from labkit.runtime.hierarchies import Hierarchies, hand_down, hierarchies, read_file, write_file


@dataclass(frozen=True)
class Setting:
    """One file to be written for one limit: in version 2 or in a version 1 controller's hierarchy."""

    controller: str
    file: str
    value: str


def settings(resources: dict[str, Any], *, v2: bool) -> list[Setting]:
    """OCI `linux.resources` as files to write. Pure; 0 and None mean "not asked for"."""
    memory, cpu, pids = (resources.get(part) or {} for part in ("memory", "cpu", "pids"))
    limit, swap = memory.get("limit") or 0, memory.get("swap") or 0
    soft, swappiness = memory.get("reservation") or 0, memory.get("swappiness")
    quota, period, shares = cpu.get("quota") or 0, cpu.get("period") or 100_000, cpu.get("shares") or 0
    most = pids.get("limit") or 0
    if v2:
        rows = [
            (limit, "memory", "memory.max", _or_max(limit)),
            # version 1 counts memory and swap together, version 2 swap alone
            (swap, "memory", "memory.swap.max", "max" if swap < 0 else str(max(swap - limit, 0))),
            (soft, "memory", "memory.low", str(soft)),
            (quota, "cpu", "cpu.max", f"{_or_max(quota)} {period}"),
            (shares, "cpu", "cpu.weight", str(1 + (max(shares, 2) - 2) * 9999 // 262142)),
            (most, "pids", "pids.max", _or_max(most)),
        ]
    else:
        rows = [
            (limit, "memory", "memory.limit_in_bytes", str(limit)),
            (swap, "memory", "memory.memsw.limit_in_bytes", str(swap)),
            (soft, "memory", "memory.soft_limit_in_bytes", str(soft)),
            (swappiness is not None, "memory", "memory.swappiness", str(swappiness)),
            (memory.get("disableOOMKiller"), "memory", "memory.oom_control", "1"),
            (quota, "cpu", "cpu.cfs_period_us", str(period)),
            (quota, "cpu", "cpu.cfs_quota_us", str(quota)),
            (shares, "cpu", "cpu.shares", str(shares)),
            (cpu.get("realtimePeriod"), "cpu", "cpu.rt_period_us", str(cpu.get("realtimePeriod"))),
            (cpu.get("realtimeRuntime"), "cpu", "cpu.rt_runtime_us", str(cpu.get("realtimeRuntime"))),
            (most, "pids", "pids.max", _or_max(most)),
        ]
    rows += [
        (cpu.get("cpus"), "cpuset", "cpuset.cpus", str(cpu.get("cpus"))),
        (cpu.get("mems"), "cpuset", "cpuset.mems", str(cpu.get("mems"))),
    ]
    return [Setting(controller, file, value) for asked, controller, file, value in rows if asked]


def _or_max(value: int) -> str:
    return "max" if value < 0 else str(value)


def missing(resources: dict[str, Any]) -> list[str]:
    """Which controllers the limits asked for need and this process can't set, e.g. ["memory"]."""
    trees = hierarchies()
    wanted = {s.controller for s in settings(resources, v2=True)}
    return sorted(c for c in wanted if not _writable(trees, c))


def has_v1(controller: str, file: str) -> bool:
    """Whether a version 1 hierarchy has this controller with this file: some settings are not in version 2."""
    place = hierarchies().v1.get(controller)
    return place is not None and os.path.exists(f"{place}/{file}")


def _writable(trees: Hierarchies, controller: str) -> bool:
    place = trees.v2 if controller in trees.v2_controllers else trees.v1.get(controller)
    return bool(place) and os.access(str(place), os.W_OK)


@dataclass
class Cgroup:
    """One container's folders: `unified` in version 2, `v1` by controller; any of them may not be there."""

    unified: str | None = None
    v1: dict[str, str] = field(default_factory=dict)
    fd: int | None = None  # of the unified folder, for CLONE_INTO_CGROUP

    @classmethod
    def at(cls, path: str) -> "Cgroup":
        """The group that stands at a cgroupsPath already: what of it exists."""
        trees = hierarchies()
        unified = f"{trees.v2}{path}" if trees.v2 else None
        v1 = {controller: f"{mount}{path}" for controller, mount in trees.v1.items()}
        return cls(
            unified if unified and os.path.isdir(unified) else None,
            {controller: folder for controller, folder in v1.items() if os.path.isdir(folder)},
        )

    @classmethod
    def create(cls, path: str, resources: dict[str, Any]) -> "Cgroup":
        """Make the folders and write the limits. What can't be had is left out: ask `missing` beforehand."""
        group = cls()
        trees = hierarchies()
        if not path:
            return group
        if trees.v2 and _make(f"{trees.v2}{path}", trees.v2_controllers):
            group.unified = f"{trees.v2}{path}"
            group.fd = os.open(group.unified, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for setting in settings(resources, v2=True):
            if group.unified and setting.controller in trees.v2_controllers:
                write_file(f"{group.unified}/{setting.file}", setting.value)
        for setting in settings(resources, v2=False):
            if setting.controller not in trees.v2_controllers and group._join_v1(trees, path, setting.controller):
                write_file(f"{group.v1[setting.controller]}/{setting.file}", setting.value)
        group._limit_devices(trees, path, resources.get("devices") or [])
        return group

    def _join_v1(self, trees: Hierarchies, path: str, controller: str) -> bool:
        if controller not in trees.v1:
            return False
        folder = f"{trees.v1[controller]}{path}"
        if controller not in self.v1 and _make(folder, frozenset()):
            self.v1[controller] = folder
            if controller == "cpuset":  # new ones are empty, and an empty one can't be joined: cpuset(7)
                for inner in (os.path.dirname(folder), folder):
                    _inherit_cpuset(inner)
        return controller in self.v1

    def _limit_devices(self, trees: Hierarchies, path: str, rules: list[dict[str, Any]]) -> None:
        if not rules:
            return
        if self.fd is not None and os.geteuid() == 0:
            with suppress(OSError):
                linux.bpf_prog_attach(self.fd, _device_program(json.dumps(rules)))
                return
        if self._join_v1(trees, path, "devices"):
            for file, line in devices.v1_lines(rules):
                write_file(f"{self.v1['devices']}/{file}", line)

    def open_procs(self, *, unified: bool = False) -> list[int]:
        """Descriptors of the files by which a child joins (it writes "0"): of version 1, and 2 if that is asked for."""
        folders = {*self.v1.values(), *([self.unified] if unified and self.unified else ())}
        return [os.open(f"{folder}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) for folder in folders]

    def pids(self) -> list[int]:
        """The host pids of the processes in the group."""
        folder = self.unified or next(iter(self.v1.values()), None)
        return [int(pid) for pid in read_file(f"{folder}/cgroup.procs").split()] if folder else []

    def freeze(self, pid: int, frozen: bool) -> None:
        """Pause or resume every process: the freezer, or, where there is none, SIGSTOP to each of `pid`'s namespace."""
        if self.unified and os.path.exists(f"{self.unified}/cgroup.freeze"):
            write_file(f"{self.unified}/cgroup.freeze", str(int(frozen)))
            wanted = f"frozen {int(frozen)}"
            for _ in range(200):  # the kernel freezes in the background: wait for its word, at most 1 s
                if wanted in read_file(f"{self.unified}/cgroup.events"):
                    return
                time.sleep(0.005)
            return
        for process in pids_beside(pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP if frozen else signal.SIGCONT)

    def oom_kills(self) -> int:
        """How many processes of the group the kernel has killed because memory ran out."""
        if self.unified and (text := read_file(f"{self.unified}/memory.events")):
            return int(fields(text).get("oom_kill", 0))
        if "memory" in self.v1:
            return int(fields(read_file(f"{self.v1['memory']}/memory.oom_control")).get("oom_kill", 0))
        return 0

    def remove(self) -> None:
        """Remove the folders; processes must be gone. A folder that is still busy stays, for a later sweep."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None
        for folder in {self.unified, *self.v1.values()} - {None}:
            for _ in range(20):  # a process that has just ended may hold its group for a moment
                try:
                    os.rmdir(str(folder))
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.002)
                else:
                    break


@lru_cache(maxsize=16)
def _device_program(rules: str) -> int:
    """The loaded program for a list of device rules (as JSON); one descriptor serves all who ask for the same."""
    return linux.bpf_prog_load(devices.assemble(json.loads(rules)))


def pids_beside(pid: int) -> Iterator[int]:
    """The pids of all processes in the same pid namespace as `pid`, by /proc/PID/ns/pid."""
    home = _namespace_of(pid)
    for name in os.listdir("/proc"):
        if name.isdigit() and home and _namespace_of(int(name)) == home:
            yield int(name)


def _namespace_of(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def _make(folder: str, controllers: frozenset[str]) -> bool:
    """Make a group's folder, and its parent with the controllers handed down. False if that isn't allowed."""
    try:
        os.mkdir(folder)
    except FileNotFoundError:
        parent = os.path.dirname(folder)
        with suppress(OSError):
            os.mkdir(parent)
        hand_down(os.path.dirname(parent), controllers)
        hand_down(parent, controllers)
        with suppress(OSError):
            os.mkdir(folder)
    except FileExistsError:
        pass
    except OSError:
        return False
    return os.path.isdir(folder)


def _inherit_cpuset(folder: str) -> None:
    for file in ("cpuset.cpus", "cpuset.mems"):
        if not read_file(f"{folder}/{file}").strip():
            write_file(f"{folder}/{file}", read_file(f"{os.path.dirname(folder)}/{file}").strip())


def fields(text: str) -> dict[str, str]:
    """Lines of "name value", as cgroup files have them."""
    return dict(line.split(None, 1) for line in text.splitlines() if " " in line)
