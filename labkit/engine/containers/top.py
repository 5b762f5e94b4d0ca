"""`docker top`: the processes of a container as the host sees them, with the host's pids."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import Any

from labkit.engine.containers import lifecycle, ps
from labkit.engine.containers.record import Container
from labkit.engine.errors import ServerError
from labkit.runtime.cgroups import Cgroup, pids_beside
from labkit.runtime.hierarchies import read_file

Json = dict[str, Any]


def top(container: Container, ps_args: str) -> Json:
    """`GET /containers/{id}/top`: headings and rows. Raises Conflict where it does not run, ServerError from ps."""
    if not container.state.has_process:
        restarting = container.state.status == "restarting"
        refusal = lifecycle.IS_RESTARTING if restarting else lifecycle.NOT_RUNNING
        raise refusal.to_error(container.id, container.name)
    columns = ps.columns((ps_args or "-ef").split())
    titles = [title for title, _ in columns]
    if "PID" not in titles:
        raise ServerError("Couldn't find PID field in ps output")
    now = time.time()
    found = sorted(processes(pids(container)), key=lambda process: process.pid)
    return {"Titles": titles, "Processes": [[value(each, now) for _, value in columns] for each in found]}


def pids(container: Container) -> list[int]:
    """The host's pids of all its processes: those of its cgroup, or else of its pid namespace."""
    return Cgroup.at(f"/labkit/{container.id}").pids() or list(pids_beside(container.state.pid))


def processes(wanted: Iterable[int]) -> Iterator[ps.Process]:
    """What /proc tells of each; one that has just ended is passed over."""
    booted = _boot_time()
    for pid in wanted:
        process = _process(pid, booted)
        if process is not None:
            yield process


def _boot_time() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def _process(pid: int, booted: float) -> ps.Process | None:
    stat, status = read_file(f"/proc/{pid}/stat"), read_file(f"/proc/{pid}/status")
    if not stat or not status:
        return None
    before, _, after = stat.rpartition(")")
    comm, row = before.partition("(")[2], after.split()
    return ps.Process(
        pid=pid,
        # the row begins with field 3 of proc_pid_stat(5)
        state=row[0],
        ppid=int(row[1]),
        group=int(row[2]),
        session=int(row[3]),
        tty=int(row[4]),
        foreground=int(row[5]),
        ticks=int(row[11]) + int(row[12]),
        nice=int(row[16]),
        threads=int(row[17]),
        start=booted + int(row[19]) / ps.TICKS,
        vsize=int(row[20]),
        rss=int(row[21]) * ps.PAGE,
        comm=comm,
        uid=int(_status(status, "Uid:")[1]),  # real, effective, saved, of the file system
        gid=int(_status(status, "Gid:")[1]),
        nspids=tuple(int(word) for word in _status(status, "NSpid:")),
        args=_arguments(pid) or f"[{comm}]",
        namespaces={kind: _inode(pid, kind) for kind in ps.NAMESPACES.values()},
    )


def _status(status: str, name: str) -> list[str]:
    return next((line.split()[1:] for line in status.splitlines() if line.startswith(name)), [])


def _arguments(pid: int) -> str:
    return read_file(f"/proc/{pid}/cmdline").rstrip("\0").replace("\0", " ").replace("\n", "?")


def _inode(pid: int, kind: str) -> str:
    """A namespace's number, as in `pid:[4026531836]`; "-" where we may not look."""
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}").rpartition("[")[2].rstrip("]")
    except OSError:
        return "-"
