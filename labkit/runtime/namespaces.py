"""Which namespaces a container gets: the table, and what of it an OCI config asks for.

A namespace gives a process its own view of one kind of system resource: namespaces(7).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labkit import linux


@dataclass(frozen=True)
class Namespace:
    """One kind of namespace: its OCI name, its name in /proc/PID/ns, its clone flag, and what it isolates."""

    oci: str
    proc: str
    flag: int
    isolates: str


NAMESPACES = {
    kind.oci: kind
    for kind in (
        Namespace("mount", "mnt", linux.CLONE_NEWNS, "the table of mounts: the file tree"),
        Namespace("uts", "uts", linux.CLONE_NEWUTS, "the host name"),
        Namespace("ipc", "ipc", linux.CLONE_NEWIPC, "System V IPC and POSIX message queues"),
        Namespace("pid", "pid", linux.CLONE_NEWPID, "process ids: the first process inside is number 1"),
        Namespace("network", "net", linux.CLONE_NEWNET, "network devices, addresses, ports, routes"),
        Namespace("cgroup", "cgroup", linux.CLONE_NEWCGROUP, "the root of the control group tree"),
    )
}


@dataclass(frozen=True)
class Plan:
    """What to do about namespaces: clone flags for new ones, and (flag, path) for each to be joined."""

    new: int
    join: tuple[tuple[int, str], ...]


def plan(wanted: Iterable[dict[str, Any]]) -> Plan:
    """Read OCI `linux.namespaces`: an entry with a path is joined, one without is new. ValueError if unknown."""
    new, join = 0, []
    for entry in wanted:
        kind = NAMESPACES.get(entry["type"])
        if kind is None:
            raise ValueError(f"namespace type {entry['type']!r} is not served; known: {', '.join(NAMESPACES)}")
        if entry.get("path"):
            join.append((kind.flag, entry["path"]))
        else:
            new |= kind.flag
    return Plan(new, tuple(join))
