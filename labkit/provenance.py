"""Which layer a path comes from: what each layer of an image holds, and which of them a container sees.

An image is read once, as `docker save` streams it, and only the names are kept. Both layouts are understood:
Docker's (manifest.json with layer.tar files) and OCI's (manifest.json with blobs). Left out: the files' bytes.
"""

import io
import json
import posixpath
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from docker import DockerClient

# OCI image-spec, layer.md "Whiteouts": an empty file .wh.NAME hides NAME, .wh..wh..opq all that was in the folder
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
# To index an image the engine must send all of it, so there is a limit. Bytes.
LARGEST_IMAGE = 1 << 30


@dataclass(frozen=True)
class LayerFiles:
    """The names in one layer: paths it holds, paths it hides (whiteouts), folders whose former content it hides."""

    paths: frozenset[str] = frozenset()
    whiteouts: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()
    links: dict[str, str] = field(default_factory=dict)

    def hides(self, path: str) -> bool:
        """Whether this layer hides a lower layer's `path`, by a whiteout of it or of a folder above it."""
        above = list(parents(path))
        return path in self.whiteouts or any(p in self.whiteouts or p in self.opaque for p in above)


@dataclass(frozen=True)
class Origin:
    """Where a container's view of a path comes from.

    `kind` is "own" (its read-write layer), "image" (`layer` counts from 1 at the bottom), "deleted" (a whiteout
    hides it), "mount" (something is mounted there) or "absent". `hidden`: the image layers whose copy is covered.
    """

    kind: str
    layer: int | None = None
    hidden: tuple[int, ...] = ()


@dataclass(frozen=True)
class Step:
    """One layer on the kernel's way down to a path: what it holds there ("file", "whiteout" or "nothing").

    `layer` counts from 1 at the bottom; None is the container's own. A step that is not `reached` lies below the one
    that ended the search: what it holds is covered.
    """

    layer: int | None
    holds: str
    reached: bool = True


# --- pure -----------------------------------------------------------------------------------------


def normal(path: str) -> str:
    """A path from the root, without "." and ".." and doubled slashes."""
    return posixpath.normpath("/" + path.strip().lstrip("/"))


def parents(path: str) -> Iterator[str]:
    """The folders above a path, nearest first, without the root."""
    while (path := posixpath.dirname(path)) not in ("/", ""):
        yield path


def read_layer(members: Iterable[tarfile.TarInfo]) -> LayerFiles:
    """What one layer's tar says, in names."""
    paths, whiteouts, opaque, links = set(), set(), set(), {}
    for member in members:
        path = normal(member.name)
        folder, name = posixpath.split(path)
        if name == OPAQUE:
            opaque.add(folder)
        elif name.startswith(WHITEOUT):
            whiteouts.add(posixpath.join(folder, name.removeprefix(WHITEOUT)))
        else:
            paths.add(path)
            if member.issym():
                links[path] = member.linkname
    return LayerFiles(frozenset(paths), frozenset(whiteouts), frozenset(opaque), links)


def origin_in_image(path: str, layers: Sequence[LayerFiles]) -> Origin:
    """Which layer shows `path` in the image: the topmost that holds it, unless one above hides it."""
    holders: list[int] = []  # layers that hold the path and are not hidden by a whiteout higher up
    hidden: list[int] = []
    for number, layer in enumerate(layers, start=1):
        if layer.hides(path):
            hidden, holders = hidden + holders, []
        if path in layer.paths:
            hidden, holders = hidden + holders, [number]
    if holders:
        return Origin("image", holders[0], tuple(hidden))
    return Origin("deleted" if hidden else "absent", None, tuple(hidden))


def origin_in_container(
    path: str, layers: Sequence[LayerFiles], changes: Iterable[tuple[str, str]], mounts: Iterable[str] = ()
) -> Origin:
    """Which layer a container sees `path` in. `changes` are (path, kind) of its own layer, `mounts` its volumes."""
    path = follow_links(normal(path), layers)
    if any(path == mount or mount in parents(path) for mount in mounts):
        return Origin("mount")
    kinds = dict(changes)
    below = origin_in_image(path, layers)
    covered = below.hidden + ((below.layer,) if below.layer else ())
    if kinds.get(path) in ("added", "changed"):
        return Origin("own", None, covered)
    if any(kinds.get(p) == "deleted" for p in (path, *parents(path))):
        return Origin("deleted", None, covered)
    return below


def walk(path: str, layers: Sequence[LayerFiles], changes: Iterable[tuple[str, str]]) -> tuple[Step, ...]:
    """How the kernel looks for `path` in a container: its own layer first, then the image's from the top down."""
    path = follow_links(normal(path), layers)
    kinds = dict(changes)
    whiteout = any(kinds.get(p) == "deleted" for p in (path, *parents(path)))
    own = "file" if kinds.get(path) in ("added", "changed") else "whiteout" if whiteout else "nothing"
    below = [
        (number, "file" if path in layer.paths else "whiteout" if layer.hides(path) else "nothing")
        for number, layer in reversed(list(enumerate(layers, start=1)))
    ]
    steps, reached = [], True
    for number, holds in [(None, own), *below]:
        steps.append(Step(number, holds, reached))
        reached = reached and holds == "nothing"
    return tuple(steps)


def follow_links(path: str, layers: Sequence[LayerFiles]) -> str:
    """The path with links among its folders followed, as in an image whose /bin is a link to usr/bin."""
    links: dict[str, str] = {}
    for layer in layers:
        links.update(layer.links)
    for _ in range(40):  # the kernel's own limit: path_resolution(7)
        folder = next((p for p in parents(path) if p in links), None)
        if folder is None:
            break
        target = posixpath.join(posixpath.dirname(folder), links[folder])
        path = normal(target + path[len(folder) :])
    return path


# --- reading `docker save` ------------------------------------------------------------------------


class _Chunks(io.RawIOBase):
    """The SDK's iterator of chunks as a file that tarfile can read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest = iter(chunks), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._chunks, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def read_saved(chunks: Iterable[bytes]) -> tuple[LayerFiles, ...]:
    """The layers, from the bottom up, of the one image in a stream of `docker save`."""
    found: dict[str, LayerFiles] = {}
    links: dict[str, str] = {}
    manifest: list[dict[str, Any]] = []
    with tarfile.open(fileobj=io.BufferedReader(_Chunks(chunks), 1 << 16), mode="r|*") as saved:
        for member in saved:
            if member.issym() or member.islnk():  # Docker stores a layer that occurs twice as a link to the first
                folder = posixpath.dirname(member.name) if member.issym() else ""
                links[member.name] = posixpath.normpath(posixpath.join(folder, member.linkname))
            elif member.isfile() and (content := saved.extractfile(member)):
                if member.name == "manifest.json":
                    manifest = json.load(content)
                elif (layer := _try_layer(content)) is not None:
                    found[member.name] = layer
    names = manifest[0]["Layers"] if manifest else []
    return tuple(found[links.get(name, name)] for name in names)


def _try_layer(content: IO[bytes]) -> LayerFiles | None:
    """A layer's names, or None where the file is no tar (an image's config, a version number)."""
    try:
        with tarfile.open(fileobj=content, mode="r|*") as tar:
            return read_layer(tar)
    except tarfile.ReadError:
        return None


_known: dict[str, tuple[LayerFiles, ...]] = {}  # by image id: an image never changes, so neither does its index


def image_files(client: DockerClient, image_id: str) -> tuple[LayerFiles, ...] | None:
    """The names in each layer of an image, from the bottom up; None if it is too big to ask for. GET /images/get"""
    if image_id not in _known:
        found = client.images.get(image_id)
        if found.attrs.get("Size", 0) > LARGEST_IMAGE:
            return None
        _known[image_id] = read_saved(found.save())
    return _known[image_id]
