"""The namespaces: for each kind, which process is in which one; what differs from the host's is lit.

A container is made of these: the kernel shows a process only what is in its namespaces. `lsns` and
`ls -l /proc/PID/ns` say the same in words. Source: namespaces(7), clone(2).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from docker.models.containers import Container

from labkit.processes import Process, ProcessGroup, own_namespaces, process_group
from labkit.views import base
from labkit.views.base import Picture, cell
from labkit.views.process_tree import namespace_owners, program, state_said

# kind -> (clone(2)'s flag, what a process sees only in its own, what is alone there)
KINDS = {
    "pid": (
        "CLONE_NEWPID",
        "process numbers",
        "Its first process is number 1, and it can't see or signal any outside.",
    ),
    "mnt": ("CLONE_NEWNS", "mounts: the file system", "It has a root directory of its own, made of image layers."),
    "net": ("CLONE_NEWNET", "interfaces and ports", "It has its own addresses, routes and port numbers."),
    "uts": ("CLONE_NEWUTS", "the hostname", "It has a hostname of its own."),
    "ipc": ("CLONE_NEWIPC", "shared memory, queues", "Its processes share memory among themselves only."),
    "cgroup": ("CLONE_NEWCGROUP", "where cgroups begin", "It sees its own control group as the root of all."),
    "user": ("CLONE_NEWUSER", "users and capabilities", "Root in it is an ordinary user outside."),
}
# Every engine gives a container its own of these, unless asked not to; cgroup and user depend on the engine's settings.
ALWAYS = ("pid", "mnt", "net", "uts", "ipc")
MOST_PROCESSES = 4  # of a column, named in its head


# --- pure: from processes to a picture, and from the picture to text and table ----------------------


def picture_of(groups: Sequence[ProcessGroup], host: Mapping[str, int]) -> Picture:
    """Columns of processes that share all their namespaces, and a row of namespaces for each kind."""
    owners = namespace_owners(groups, host)
    host_known = any(owner == "host" for owner in owners.values())
    columns = [_host_column(host)] if host_known else []
    columns += _engine_columns(groups, host) if host_known else []
    columns += [column for group in groups for column in _columns(group)]
    return {
        "view": "Namespaces",
        "containers": [_container(group) for group in groups],
        "columns": [{k: v for k, v in column.items() if k != "namespaces"} for column in columns],
        "kinds": [
            {
                "kind": kind,
                "flag": flag,
                "holds": holds,
                "alone": alone,
                "cells": [_cell(kind, column["namespaces"], owners, column["of"]) for column in columns],
            }
            for kind, (flag, holds, alone) in KINDS.items()
        ],
        "commands": _commands(groups),
    }


def _host_column(host: Mapping[str, int]) -> Picture:
    return {"key": "host", "of": "host", "head": "the host", "processes": ["this notebook"], "namespaces": dict(host)}


def _engine_columns(groups: Sequence[ProcessGroup], host: Mapping[str, int]) -> list[Picture]:
    """The engine's shim, where it is in other namespaces than the host is: a rootless engine's."""
    parents = {group.parent.pid: group.parent for group in groups if group.parent and group.parent.namespaces}
    return [
        {
            "key": f"engine {parent.pid}",
            "of": "engine",
            "head": "the engine",
            "processes": [parent.command],
            "namespaces": dict(parent.namespaces),
        }
        for parent in parents.values()
        if any(host.get(kind, inode) != inode for kind, inode in parent.namespaces.items())
    ][:1]


def _columns(group: ProcessGroup) -> list[Picture]:
    """A container's processes, gathered by their namespaces: one column, unless a process has left one."""
    sets: dict[tuple[tuple[str, int], ...], list[Process]] = {}
    for process in sorted(group.processes, key=lambda p: p.pid != group.container.pid):
        sets.setdefault(tuple(sorted(process.namespaces.items())), []).append(process)
    return [
        {
            "key": f"{group.container.id} {number}",
            "of": group.container.name,
            "head": group.container.name,
            "processes": [process.command for process in processes],
            "namespaces": dict(namespaces),
        }
        for number, (namespaces, processes) in enumerate(sets.items())
    ]


def _cell(kind: str, namespaces: Mapping[str, int], owners: Mapping[tuple[str, int], str], of: str) -> Picture:
    inode = namespaces.get(kind)
    owner = "not known" if inode is None else owners.get((kind, inode), of)
    return {"inode": inode, "owner": owner, "own": owner == of and of not in ("host", "engine")}


def _container(group: ProcessGroup) -> Picture:
    container = group.container
    return {
        "key": container.id,
        "name": container.name,
        "status": container.status,
        "exit_code": container.exit_code,
        "processes": len(group.processes),
    }


def _commands(groups: Sequence[ProcessGroup]) -> list[dict[str, str]]:
    running = [group.container for group in groups if group.container.running]
    pids = [base.command(f'client.containers.get("{c.name}").top()', f"docker top {c.name}") for c in running]
    first = next((c for c in running if c.pid), None)
    return pids + ([base.command("processes.own_namespaces(pid)", f"ls -l /proc/{first.pid}/ns")] if first else [])


def owner_said(found: Picture, of: str) -> str:
    """Whose a namespace is, from one column's side: "own", "the host's", "the engine's", "one's"."""
    owner = found["owner"]
    if owner == "not known":
        return "not known"
    if owner == of:
        return "own" if found["own"] else f"the {owner}'s"
    return f"the {owner}'s" if owner in ("host", "engine") else f"{owner}'s"


def text_of(picture: Picture) -> str:
    """The picture as one line: which of the kinds that every engine gives are each container's own.

    The engine's namespaces are called the host's here: which of the two it is depends on how the engine was started.
    """
    said = [f"{container['name']}: {_container_text(picture, container)}" for container in picture["containers"]]
    return "Namespaces: " + " | ".join(said)


def _container_text(picture: Picture, container: Picture) -> str:
    places = [n for n, column in enumerate(picture["columns"]) if column["of"] == container["name"]]
    if not places:
        return state_said(container)
    first = picture["columns"][places[0]]
    kinds: dict[str, list[str]] = {}
    for row in picture["kinds"]:
        if row["kind"] in ALWAYS:
            said = owner_said(row["cells"][places[0]], first["of"]).replace("the engine's", "the host's")
            kinds.setdefault(said, []).append(row["kind"])
    more = f"; {base.number_of(len(places) - 1, 'further set')} of namespaces" if len(places) > 1 else ""
    return "; ".join(f"{said} {' '.join(names)}" for said, names in kinds.items()) + more


def table_of(picture: Picture) -> str:
    """The picture as an HTML table, a kind a row. What depends on the engine's settings stands in marked cells."""
    columns = [column for column in picture["columns"] if column["of"] not in ("host", "engine")]
    places = [n for n, column in enumerate(picture["columns"]) if column in columns]
    heads = ["namespace", "what it holds", *(_head(column) for column in columns)]
    rows = [
        [
            row["kind"],
            cell(row["holds"]),
            *(_cell_text(row["kind"], row["cells"][n], picture["columns"][n]["of"]) for n in places),
        ]
        for row in picture["kinds"]
    ]
    ended = [c for c in picture["containers"] if not any(column["of"] == c["name"] for column in columns)]
    notes = "".join(f"; {container['name']} is {state_said(container)}" for container in ended)
    return base.table(f"Namespaces: whose each one is{notes}", heads, rows)


def _head(column: Picture) -> str:
    return f"{column['of']} ({base.few([program(command) for command in column['processes']], MOST_PROCESSES)})"


def _cell_text(kind: str, found: Picture, of: str) -> str:
    said = owner_said(found, of).replace("the engine's", "the host's") if kind in ALWAYS else owner_said(found, of)
    return cell(said, "" if kind in ALWAYS else "lk-namespaces")


# --- the widget -------------------------------------------------------------------------------------


class Namespaces(base.View):
    """Draw which namespaces the processes of containers are in, beside the host's; what differs is lit.

    Namespaces(one, two) takes Container objects of the Docker SDK, and follows the engine's events until `close()`.
    """

    _esm = base.module("namespaces")
    _css = base.style("namespaces")

    def __init__(self, *containers: Container, **unknown: Any) -> None:
        base.refuse_unknown("Namespaces", unknown, [])
        client = base.one_client("Namespaces", containers, (Container,))
        super().__init__(client, containers)

    def ask(self) -> Picture:
        groups = [process_group(self._client, state) for state in self._states]
        self._states = tuple(group.container for group in groups)
        return picture_of(groups, own_namespaces())

    def text(self) -> str:
        return text_of(self.picture)

    def table(self) -> str:
        return table_of(self.picture)
