"""Ask an engine, through the Docker SDK alone, what exists; answer in frozen dataclasses.

The first half is pure: it turns the engine's JSON into layers, changes and processes, and needs no engine to be
tested. The second half asks, and holds no decisions. What is left out: which layer a path comes from (that is
`labkit.provenance`), and anything drawn (that is `labkit.views`).
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound

from labkit.provenance import LayerFiles, Origin, image_files, origin_in_container

Json = Mapping[str, Any]

# Docker's numbers in GET /containers/{id}/changes
KINDS = {0: "changed", 1: "added", 2: "deleted"}

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

# History entries of these instructions change the image's config and make no layer.
_METADATA = re.compile(
    r"#\(nop\)\s+(?!ADD|COPY)|^(CMD|ENTRYPOINT|ENV|EXPOSE|LABEL|USER|VOLUME|ARG|STOPSIGNAL|HEALTHCHECK|SHELL|ONBUILD|MAINTAINER)\b"
)


@dataclass(frozen=True)
class Layer:
    """A layer of an image: a set of files, read-only and shared by all that is built on it. Size in bytes."""

    diff_id: str
    created_by: str
    size: int | None
    read_only: bool = True


@dataclass(frozen=True)
class Image:
    """An image: layers from the bottom up, and the instructions that changed only its config."""

    id: str
    name: str
    layers: tuple[Layer, ...]
    metadata: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """A path by which a container differs from its image: added, changed or deleted.

    `on_the_way` marks a folder that is listed only because something beneath it changed.
    """

    path: str
    kind: str
    on_the_way: bool = False


@dataclass(frozen=True)
class ContainerState:
    """What a container is now: Docker's status word (or "removed"), and the host pid of its first process."""

    id: str
    name: str
    image: str
    image_id: str
    status: str
    exit_code: int | None = None
    pid: int | None = None
    mounts: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()  # kinds of namespaces that it has from the engine's machine, as it was asked

    @property
    def running(self) -> bool:
        return self.status in ("running", "paused")


@dataclass(frozen=True)
class ReadWriteLayer:
    """A container's own layer, on top of its image: its changes, their size in bytes, where a path comes from."""

    container: ContainerState
    changes: tuple[Change, ...] = ()
    size: int | None = None
    origin: Origin | None = None


@dataclass(frozen=True)
class Stack:
    """Images and the read-write layers that stand on them; `path` is the one whose origin was asked for."""

    images: tuple[Image, ...]
    containers: tuple[ReadWriteLayer, ...]
    path: str | None = None
    image_origins: Mapping[str, Origin] = field(default_factory=dict)


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


def image_name(reference: str) -> str:
    """A reference as people say it: without the default tag, and an id cut to twelve digits."""
    return reference.removeprefix("sha256:")[:12] if "sha256:" in reference else reference.removesuffix(":latest")


def parse_layers(diff_ids: Sequence[str], history: Sequence[Json]) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
    """Match an image's diff ids with GET /images/{name}/history, whose entries don't say if they made a layer.

    Entries that changed only the config are set aside: by their instruction, then, if there are still too many,
    by a size of zero. Returns the layers from the bottom up, and what was set aside.
    """
    entries = list(reversed(history))
    spare = len(entries) - len(diff_ids)
    aside: set[int] = set()
    for looks_empty in (_is_metadata, lambda entry: not entry.get("Size")):
        candidates = [n for n, entry in enumerate(entries) if n not in aside and looks_empty(entry)]
        aside.update(candidates[: max(0, spare - len(aside))])
    kept = [entry for n, entry in enumerate(entries) if n not in aside]
    if len(kept) != len(diff_ids):  # history was rewritten (a squashed image): say nothing rather than guess
        kept = [{} for _ in diff_ids]
    layers = tuple(Layer(d, made_by(e), e.get("Size")) for d, e in zip(diff_ids, kept, strict=True))
    return layers, tuple(made_by(entries[n]) for n in sorted(aside))


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """What names a layer together with all that is below it. OCI image-spec, config.md, "Layer ChainID"."""
    chain: list[str] = []
    for diff_id in diff_ids:
        both = f"{chain[-1]} {diff_id}" if chain else ""
        chain.append(f"sha256:{hashlib.sha256(both.encode()).hexdigest()}" if both else diff_id)
    return chain


def _is_metadata(entry: Json) -> bool:
    return not entry.get("Size") and bool(_METADATA.search(entry.get("CreatedBy") or ""))


def made_by(entry: Json) -> str:
    """The instruction of a history entry, without the builder's own marks; "import" where a tar was imported."""
    text = (entry.get("CreatedBy") or "").removeprefix("/bin/sh -c ").removeprefix("#(nop) ").strip()
    if text or "mport" not in (entry.get("Comment") or ""):
        return text
    return "import"


def parse_changes(entries: Iterable[Json] | None) -> tuple[Change, ...]:
    """GET /containers/{id}/changes as Change objects, sorted by path."""
    found = sorted((entry["Path"], KINDS[entry["Kind"]]) for entry in entries or ())
    folders = {str(parent) for path, _ in found for parent in PurePosixPath(path).parents}
    return tuple(Change(p, kind, on_the_way=kind == "changed" and p in folders) for p, kind in found)


def count_changes(changes: Iterable[Change]) -> dict[str, int]:
    """How many paths were added, changed and deleted; folders listed only for what is in them don't count."""
    counts = {"added": 0, "changed": 0, "deleted": 0}
    for change in changes:
        if not change.on_the_way:
            counts[change.kind] += 1
    return counts


MODES = {"NetworkMode": "net", "PidMode": "pid", "IpcMode": "ipc", "UTSMode": "uts"}


def parse_state(attrs: Json) -> ContainerState:
    """GET /containers/{id}/json as a ContainerState."""
    state = attrs["State"]
    status = state["Status"]
    return ContainerState(
        id=attrs["Id"],
        name=attrs["Name"].lstrip("/"),
        image=image_name(attrs["Config"]["Image"]),
        image_id=attrs["Image"],
        status=status,
        exit_code=state.get("ExitCode") if status in ("exited", "dead") else None,
        pid=state.get("Pid") or None,
        mounts=tuple(sorted(m["Destination"] for m in attrs.get("Mounts") or ())),
        shared=frozenset(kind for mode, kind in MODES.items() if (attrs.get("HostConfig") or {}).get(mode) == "host"),
    )


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


def image(client: DockerClient, image_id: str, name: str | None = None) -> Image:
    """An image and its layers. Asks GET /images/{name}/json and /history."""
    found = client.images.get(image_id)
    attrs = found.attrs
    named = name or next(iter(found.tags), attrs["Id"])
    layers, metadata = parse_layers(attrs["RootFS"].get("Layers") or (), found.history())
    return Image(attrs["Id"], image_name(named), layers, metadata)


def container_state(client: DockerClient, last: ContainerState) -> ContainerState:
    """What the container is now; one that is gone has the status "removed". Asks GET /containers/{id}/json."""
    try:
        return parse_state(client.api.inspect_container(last.id))
    except NotFound:
        return replace(last, status="removed", pid=None)


def read_write_layer(client: DockerClient, state: ContainerState) -> ReadWriteLayer:
    """A container's own layer. Asks GET /containers/{id}/changes, and /containers/json?size=1 for its size."""
    try:
        changes = parse_changes(client.api.diff(state.id))
        listed = client.api.containers(all=True, size=True, filters={"id": state.id})
    except NotFound:
        return ReadWriteLayer(replace(state, status="removed", pid=None))
    size = next((entry.get("SizeRw", 0) for entry in listed if entry["Id"] == state.id), None)
    return ReadWriteLayer(state, changes, size)


def stack(
    client: DockerClient,
    containers: Sequence[ContainerState],
    images: Sequence[tuple[str, str]] = (),
    path: str | None = None,
) -> Stack:
    """The layers of these images (id, name) and of these containers' images, and the containers' own on top."""
    tops = [read_write_layer(client, container_state(client, last)) for last in containers]
    wanted = {top.container.image_id: top.container.image for top in tops} | dict(images)
    known = tuple(_image_or_name(client, image_id, name) for image_id, name in wanted.items())
    if path is None:
        return Stack(known, tuple(tops))
    files = {found.id: image_files(client, found.id) if found.layers else None for found in known}
    return Stack(
        images=known,
        containers=tuple(_with_origin(top, files[top.container.image_id], path) for top in tops),
        path=path,
        image_origins={i: origin_in_container(path, layers, ()) for i, layers in files.items() if layers is not None},
    )


def _image_or_name(client: DockerClient, image_id: str, name: str) -> Image:
    try:
        return image(client, image_id, name)
    except NotFound:  # removed since: its name is all that is left
        return Image(image_id, image_name(name), ())


def _with_origin(top: ReadWriteLayer, files: Sequence[LayerFiles] | None, path: str) -> ReadWriteLayer:
    if files is None or top.container.status == "removed":
        return top
    changes = [(change.path, change.kind) for change in top.changes if not change.on_the_way]
    return replace(top, origin=origin_in_container(path, files, changes, top.container.mounts))


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
