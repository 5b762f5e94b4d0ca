"""The process tree: each container's processes as the host sees them, host pid beside the pid inside.

A container is not a box around processes, it is processes of this host with their own namespaces; so the picture
shows whose each namespace is. `docker top` says the same in words.
"""

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from docker.models.containers import Container

from labkit.processes import ProcessGroup, own_namespaces, process_group
from labkit.views import base
from labkit.views.base import Picture, cell

MOST_NAMES = 8  # processes of a container in the text form
MOST_SIGNALS = 6  # the last ones that were sent to a container

# ps(1), PROCESS STATE CODES
STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "waiting for a device",
    "T": "stopped",
    "t": "stopped by a debugger",
    "Z": "zombie",
    "I": "idle",
}


# --- pure: whose a namespace is ---------------------------------------------------------------------


def namespace_owners(groups: Sequence[ProcessGroup], host: Mapping[str, int]) -> dict[tuple[str, int], str]:
    """Whose each (kind, inode) is: "host", "engine", or the name of the first container that has it.

    The host's are those of this very process, the engine's those of its shim; where the engine runs on another
    machine neither is known, and a namespace belongs to the first container that has it, or to the engine if the
    container was asked to share the engine's.
    """
    owners: dict[tuple[str, int], str] = {}
    for group in groups:
        if group.parent is not None and group.parent.namespaces:
            owners.update(dict.fromkeys(group.parent.namespaces.items(), "engine"))
    if owners:
        owners.update(dict.fromkeys(host.items(), "host"))
    for group in groups:
        for process in group.processes:
            for kind, inode in process.namespaces.items():
                owner = "engine" if kind in group.container.shared else group.container.name
                owners.setdefault((kind, inode), owner)
    return owners


# --- pure: from processes to a picture, and from the picture to text and table ----------------------


def picture_of(
    groups: Sequence[ProcessGroup],
    host: Mapping[str, int],
    signals: Mapping[str, Sequence[str]] | None = None,
) -> Picture:
    """The processes as plain data. `signals` are those that were sent to each container since one looks, by its id."""
    owners = namespace_owners(groups, host)
    parents = {group.parent.pid: group.parent.command for group in groups if group.parent is not None}
    sent = signals or {}
    containers = [
        {**_container(group, owners), "signals": list(sent.get(group.container.id, ()))[-MOST_SIGNALS:]}
        for group in groups
    ]
    running = [group.container.name for group in groups if group.container.running]
    return {
        "view": "ProcessTree",
        "parents": [{"pid": pid, "command": name} for pid, name in parents.items()],
        "containers": containers,
        "owners": _owners_in_use(containers),
        "commands": [base.command(f'client.containers.get("{n}").top()', f"docker top {n}") for n in running],
    }


def _container(group: ProcessGroup, owners: Mapping[tuple[str, int], str]) -> Picture:
    first = next((p for p in group.processes if p.pid == group.container.pid), None)
    shared = first.namespaces if first else {}
    inside = {process.pid for process in group.processes}
    return {
        "key": group.container.id,
        "name": group.container.name,
        "image": group.container.image,
        "status": group.container.status,
        "exit_code": group.container.exit_code,
        "parent": group.parent.pid if group.parent else None,
        "namespaces": _named(shared, owners),
        "processes": [
            {
                "pid": p.pid,
                "pid_inside": 1 if p is first and p.pid_inside is None else p.pid_inside,
                "parent": p.ppid if p.ppid in inside else None,
                "command": p.command,
                "user": p.user,
                "state": STATES.get(p.stat[:1], p.stat),
                # only those that differ from the container's first process
                "namespaces": _named({k: v for k, v in p.namespaces.items() if shared.get(k) != v}, owners),
            }
            for p in group.processes
        ],
    }


def signal_name(number: object) -> str:
    """A signal as kill(1) calls it, from the number that an event tells: "SIGTERM"."""
    try:
        return signal.Signals(int(str(number))).name
    except ValueError:
        return str(number)


def _named(namespaces: Mapping[str, int], owners: Mapping[tuple[str, int], str]) -> list[Picture]:
    return [{"kind": k, "inode": inode, "owner": owners[k, inode]} for k, inode in namespaces.items()]


def _owners_in_use(containers: Sequence[Picture]) -> list[str]:
    found = [c["name"] for c in containers if c["processes"]]
    listed = [ns for c in containers for ns in c["namespaces"]]
    return found + [owner for owner in ("engine", "host") if any(ns["owner"] == owner for ns in listed)]


def text_of(picture: Picture) -> str:
    """The picture as one line: each container's programs, a parent before its children."""
    return "ProcessTree: " + " | ".join(f"{c['name']}: {_container_text(c)}" for c in picture["containers"])


def _container_text(container: Picture) -> str:
    if not container["processes"]:
        return state_said(container)
    roots = [p for p in container["processes"] if p["parent"] is None]
    return " + ".join(_branch(root, container["processes"]) for root in roots[:MOST_NAMES])


def _branch(process: Picture, processes: Sequence[Picture]) -> str:
    name = program(process["command"])
    name = f"1 {name}" if process["pid_inside"] == 1 else name
    children = [_branch(p, processes) for p in processes if p["parent"] == process["pid"]]
    return f"{name} > ({base.few(children, MOST_NAMES)})" if children else name


def program(command: str) -> str:
    """The program of a command line, without its folder and arguments."""
    return command.split(" ")[0].rpartition("/")[2] or command


def state_said(container: Picture) -> str:
    """A container's state in words, with the exit code where it has ended."""
    code = container["exit_code"]
    return container["status"] if code is None else f"{container['status']} ({code}), no process"


def table_of(picture: Picture) -> str:
    """The picture as an HTML table. Pids and namespaces stand in cells of classes that name them."""
    heads = ["container", "pid inside", "pid on the host", "user", "command", "namespaces"]
    rows = [row for container in picture["containers"] for row in _rows(container)]
    return base.table("Processes of each container, as the host sees them", heads, rows)


def _rows(container: Picture) -> list[list[str]]:
    if not container["processes"]:
        return [[container["name"], cell("-"), cell("-"), cell("-"), cell(state_said(container)), cell("-")]]
    namespaces = namespaces_said(container["namespaces"])
    return [
        [
            container["name"],
            # 1 is 1 everywhere; the runtime may have used up other numbers before the first process began
            cell(1) if p["pid_inside"] == 1 else cell(p["pid_inside"] or "-", "lk-pid-inside"),
            cell(p["pid"], "lk-host-pid"),
            cell(p["user"] or "-"),
            cell(p["command"]),
            cell(namespaces, "lk-namespaces"),
        ]
        for p in container["processes"]
    ]


def namespaces_said(namespaces: Sequence[Picture]) -> str:
    """Whose the namespaces are, in words: "one: pid mnt net; host: user"."""
    kinds: dict[str, list[str]] = {}
    for namespace in namespaces:
        kinds.setdefault(namespace["owner"], []).append(namespace["kind"])
    return "; ".join(f"{owner}: {' '.join(listed)}" for owner, listed in kinds.items()) or "-"


# --- the widget -------------------------------------------------------------------------------------


class ProcessTree(base.View):
    """Draw the processes of containers, with their pids on both sides and whose their namespaces are.

    ProcessTree(one, two) takes Container objects of the Docker SDK, and follows the engine's events until `close()`.
    """

    _esm = base.module("process_tree")
    _css = base.style("process_tree")

    def __init__(self, *containers: Container, **unknown: Any) -> None:
        base.refuse_unknown("ProcessTree", unknown, [])
        client = base.one_client("ProcessTree", containers, (Container,))
        self._signals: dict[str, list[str]] = {}
        super().__init__(client, containers)

    def ask(self) -> Picture:
        groups = [process_group(self._client, state) for state in self._states]
        self._states = tuple(group.container for group in groups)
        return picture_of(groups, own_namespaces(), self._signals)

    def saw(self, event: Mapping[str, Any]) -> None:
        """An engine tells of each signal that it sends to a container's first process."""
        if event.get("Action") == "kill":
            number = event["Actor"]["Attributes"].get("signal", "")
            self._signals.setdefault(event["Actor"]["ID"], []).append(signal_name(number))

    def text(self) -> str:
        return text_of(self.picture)

    def table(self) -> str:
        return table_of(self.picture)
