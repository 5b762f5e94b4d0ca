"""The processes of a container and their namespaces, as the engine's `top` tells them, in frozen dataclasses.

The first half is pure, as in `labkit.observe`. Then the engine is asked; and where its containers run on this machine,
our own /proc tells more: the pid inside, and who started the first process.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from docker import DockerClient
from docker.errors import APIError

from labkit.observe import ContainerState, Json, container_state

# the columns of `ps` that hold a namespace, and the kernel's name for it: namespaces(7)
NAMESPACE_COLUMNS = {
    "PIDNS": "pid",
    "MNTNS": "mnt",
    "NETNS": "net",
    "UTSNS": "uts",
    "IPCNS": "ipc",
    "CGROUPNS": "cgroup",
    "USERNS": "user",
}
NAMESPACES = tuple(NAMESPACE_COLUMNS.values())

# What `docker top` passes on to ps, best first; an engine whose ps lacks a column refuses it, and we ask for less.
# nspid (the pid inside) is a column of labkit's engine; procps has no such column.
_NS = "pidns,mntns,netns,utsns,ipcns,cgroupns,userns"
PS_ARGS = (f"-eo pid,ppid,user,stat,{_NS},args", "-eo pid,ppid,user,stat,args", "-ef")
PS_ARGS_LABKIT = (f"-eo pid,ppid,nspid,user,stat,{_NS},args", *PS_ARGS)


@dataclass(frozen=True)
class Process:
    """A process: its pid on the host, its pid inside the container where known, its namespaces by inode number."""

    pid: int
    pid_inside: int | None
    ppid: int | None
    command: str
    user: str = ""
    stat: str = ""
    namespaces: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ProcessGroup:
    """A container and its processes; `parent` is the process on the host that started the first of them."""

    container: ContainerState
    processes: tuple[Process, ...] = ()
    parent: Process | None = None


# --- pure: from the engine's JSON to dataclasses --------------------------------------------------


def parse_top(top: Json) -> tuple[Process, ...]:
    """GET /containers/{id}/top as processes, in the order of their pids inside (or on the host)."""
    titles = [title.upper() for title in top.get("Titles") or ()]
    rows = [dict(zip(titles, row, strict=False)) for row in top.get("Processes") or ()]
    found = [_process(row) for row in rows if (row.get("PID") or "").isdigit()]
    return tuple(sorted(found, key=lambda p: (p.pid_inside or 0, p.pid)))


def _process(row: Mapping[str, str]) -> Process:
    inodes = {name: _number(row.get(column)) for column, name in NAMESPACE_COLUMNS.items()}
    return Process(
        pid=int(row["PID"]),
        pid_inside=_number((row.get("NSPID") or "").replace(",", " ").split(" ")[-1]),
        ppid=_number(row.get("PPID")),
        command=row.get("COMMAND") or row.get("CMD") or "?",
        user=row.get("USER") or row.get("UID") or "",
        stat=row.get("STAT") or "",
        namespaces={name: inode for name, inode in inodes.items() if inode},
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def parse_nspid(status: str) -> tuple[int, ...]:
    """The NSpid line of /proc/PID/status: the pid in each pid namespace, from ours to the innermost. proc(5)."""
    line = next((line for line in status.splitlines() if line.startswith("NSpid:")), "NSpid:")
    return tuple(int(word) for word in line.split()[1:])


def program_name(argv: Sequence[str]) -> str:
    """What a process is called: its program without the folder; of a Python program also the script's name."""
    program = argv[0].rpartition("/")[2] if argv else ""
    script = next((word for word in argv[1:] if word.endswith(".py")), None)
    if not program.startswith("python") or script is None:
        return program
    path = PurePosixPath(script)
    return f"{program} {path.parent.name if path.name == '__main__.py' else path.name}"


# --- asking the engine ----------------------------------------------------------------------------


def process_group(client: DockerClient, last: ContainerState) -> ProcessGroup:
    """A container's processes as the host sees them. Asks GET /containers/{id}/top."""
    state = container_state(client, last)
    if not state.running:
        return ProcessGroup(state)
    processes = parse_top(_top(client, state.id))
    local = is_local(state, processes)
    if local:
        processes = tuple(_with_pid_inside(p) for p in processes)
    first = next((p for p in processes if p.pid == state.pid), None)
    return ProcessGroup(state, processes, _parent(first, local))


def _top(client: DockerClient, container_id: str) -> Json:
    name = (client.version().get("Platform") or {}).get("Name") or ""
    for ps_args in PS_ARGS_LABKIT if "labkit" in name.lower() else PS_ARGS:
        try:
            return client.api.top(container_id, ps_args)
        except APIError as refused:
            if refused.status_code in (404, 409):  # gone or stopped since we looked: no processes
                return {}
    return {}


# --- what this machine's own /proc adds, when the containers run on it ----------------------------


def is_local(state: ContainerState, processes: Sequence[Process]) -> bool:
    """Whether the engine's pids are pids of this machine: the first process has the same command line here."""
    first = next((p for p in processes if p.pid == state.pid), None)
    if first is None:
        return False
    command = _read(f"/proc/{first.pid}/cmdline").replace("\0", " ").strip()
    return command != "" and command == first.command.strip()


def _with_pid_inside(process: Process) -> Process:
    pids = parse_nspid(_read(f"/proc/{process.pid}/status"))
    return process if process.pid_inside or len(pids) < 2 else replace(process, pid_inside=pids[-1])


def _parent(first: Process | None, local: bool) -> Process | None:
    if first is None or not first.ppid:
        return None
    if not local:
        return Process(first.ppid, None, None, "the engine's shim")
    name = program_name(_read(f"/proc/{first.ppid}/cmdline").split("\0"))
    return Process(first.ppid, None, None, name or "the engine's shim", namespaces=own_namespaces(first.ppid))


def own_namespaces(pid: int | str = "self") -> dict[str, int]:
    """The namespaces of a process of this machine, by inode number; those that may not be read are left out."""
    found: dict[str, int] = {}
    for name in NAMESPACES:
        try:
            found[name] = int(os.readlink(f"/proc/{pid}/ns/{name}").split("[")[1].rstrip("]"))
        except OSError:
            continue
    return found


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
