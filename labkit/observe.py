"""Ask an engine, through the Docker SDK alone, for its images, containers and their layers, in frozen dataclasses.

The first half is pure: it turns the engine's JSON into layers, changes and states, and needs no engine to be tested.
The second half asks, and holds no decisions. What is left out: what runs in a container (that is `labkit.processes`),
which layer a path comes from (`labkit.provenance`), and anything drawn (`labkit.views`).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from labkit.provenance import LayerFiles, Origin, image_files, origin_in_container

Json = Mapping[str, Any]

# Docker's numbers in GET /containers/{id}/changes
KINDS = {0: "changed", 1: "added", 2: "deleted"}

# History entries of these instructions change the image's config and make no layer.
_METADATA = re.compile(
    r"#\(nop\)\s+(?!ADD|COPY)|^(CMD|ENTRYPOINT|ENV|EXPOSE|LABEL|USER|VOLUME|ARG|STOPSIGNAL|HEALTHCHECK|SHELL|ONBUILD|MAINTAINER)\b"
)
_DIGEST = re.compile(r"\b\w+:[0-9a-f]{64}\b")


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
    """The instruction of a history entry, as in a Dockerfile; "import" where a tar was imported.

    The classic builder writes RUN as the shell that it was given to, and the files of COPY as their digest; BuildKit
    names the shell, too, and itself.
    """
    text = (entry.get("CreatedBy") or "").removesuffix(" # buildkit")
    text = re.sub(r"^(?:RUN )?/bin/sh -c (#\(nop\) )?", lambda marks: "" if marks[1] else "RUN ", text)
    text = _DIGEST.sub("…", text).strip()
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
