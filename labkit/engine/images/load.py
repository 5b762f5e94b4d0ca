"""`docker load`: take in what `docker save` wrote, or any OCI image layout.

Nothing in the archive is believed. Each digest and each size is computed again, layers must be what the config says
they are, and a document that two readers could understand differently is refused (CVE-2021-41190).

Source: OCI image spec, image-layout.md, image-index.md and manifest.md; Docker API ImageLoad.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from labkit.engine.images import blobs, image, reference
from labkit.engine.images.save import DOCKERS_NAME, INDEX, MANIFEST, OCIS_NAME
from labkit.engine.images.tarstream import BadArchive, decompressed, entries

if TYPE_CHECKING:
    from labkit.engine.images.store import ImageStore

INDEXES = {INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"}
MANIFESTS = {MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"}
_LARGEST_DOCUMENT = 4 << 20  # what registries accept as a manifest
_DEEPEST_INDEX, _MOST_MANIFESTS = 3, 100
_NAMED_BY_DIGEST = re.compile(r"(?:.*/)?([0-9a-f]{64})(?:\.json)?")


class Stored(NamedTuple):
    """A file of the archive, on disk."""

    path: Path
    digest: str
    size: int


@dataclass(frozen=True)
class Found:
    """An image in the archive, checked: its config, the file of each layer, and its names."""

    config: bytes
    layers: tuple[Stored, ...]
    names: tuple[str, ...]


def load(store: ImageStore, stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Take in every image; gives Docker's progress objects. Raises BadArchive, and has then changed no name."""
    with store.blobs.folder() as folder:
        files = Files.read(stream, folder)
        for found in list(images(files)):
            yield from _take_in(store, found)


def _take_in(store: ImageStore, found: Found) -> Iterator[dict[str, Any]]:
    stack = image.diff_ids(_parsed(found.config, "the config"))
    if len(stack) != len(found.layers):
        raise BadArchive(f"invalid manifest, layers length mismatch: expected {len(stack)}, got {len(found.layers)}")
    with contextlib.ExitStack() as opened:
        ready = {}
        for height, (diff_id, layer) in enumerate(zip(stack, found.layers, strict=True), 1):
            if not store.has_layer(stack[:height]):
                ready[diff_id] = opened.enter_context(_uncompressed(store, layer, diff_id))
                yield _progress(diff_id, layer.size)
        new = store.add(found.config, ready)
    for name in found.names:
        old = store.tags().get(name)
        if old not in (None, new.id):
            text = f"The image {name} already exists, renaming the old one with ID {old} to empty string\n"
            yield {"stream": text}
        store.tag(new, name)
        yield {"stream": f"Loaded image: {name}\n"}
    if not found.names:
        yield {"stream": f"Loaded image ID: {new.id}\n"}


def _progress(diff_id: str, size: int) -> dict[str, Any]:
    detail = {"current": size, "total": size}
    return {"status": "Loading layer", "progressDetail": detail, "id": image.short_id(diff_id)}


@contextlib.contextmanager
def _uncompressed(store: ImageStore, layer: Stored, diff_id: str) -> Iterator[Path]:
    """The file of a layer as the plain tar that its diff id is the digest of."""
    if layer.digest == diff_id:
        yield layer.path
        return
    with layer.path.open("rb") as file, store.blobs.spooled(decompressed(file)) as (path, digest, _):
        if digest != diff_id:
            raise BadArchive(f"a layer has the digest {digest}, but its image's config promises {diff_id}")
        yield path


@dataclass
class Files:
    """The archive's files by name, spooled to disk: its tables of contents often come last."""

    stored: dict[str, Stored] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, stream: BinaryIO, folder: Path) -> Files:
        """Write every file to `folder` under a number: no name from the archive becomes a path."""
        files = cls()
        for number, entry in enumerate(entries(stream)):
            name, info = "/".join(entry.parts), entry.info
            if info.isreg():
                path = folder / str(number)
                files.stored[name] = Stored(path, *blobs.written(path, entry.chunks()))
            elif info.issym():  # Docker before 25 links a layer that two images share
                files.links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), info.linkname))
            elif info.islnk():
                files.links[name] = posixpath.normpath(info.linkname)
            elif not info.isdir():
                raise BadArchive("not a file, a folder or a link", info.name)
        return files

    def get(self, name: str) -> Stored:
        """A file, through at most one link. If its name is a digest, it must be its own."""
        name = posixpath.normpath(name)
        found = self.stored.get(self.links.get(name, name))
        if found is None:
            raise BadArchive(f"the file {name!r} is missing in it")
        named = _NAMED_BY_DIGEST.fullmatch(name)
        if named and found.digest != f"sha256:{named[1]}":
            raise BadArchive(f"its content has the digest {found.digest}", name)
        return found

    def document(self, name: str) -> bytes:
        """A file small enough to be JSON about images."""
        found = self.get(name)
        if found.size > _LARGEST_DOCUMENT:
            raise BadArchive(f"larger than {_LARGEST_DOCUMENT} bytes", name)
        return found.path.read_bytes()

    def described(self, descriptor: Any) -> Stored:
        """The blob that a descriptor speaks of, with the size that it says: OCI image spec, descriptor.md."""
        digest = _text(descriptor, "digest")
        if not re.fullmatch("sha256:[0-9a-f]{64}", digest):
            raise BadArchive(f"{digest!r} is no sha256 digest")
        found = self.get("blobs/" + digest.replace(":", "/"))
        if found.size != descriptor.get("size"):
            raise BadArchive(f"the blob {digest} has {found.size} bytes, not {descriptor.get('size')!r}")
        return found


def images(files: Files) -> Iterator[Found]:
    """The images that the archive's table of contents names: Docker's if there is one, else OCI's."""
    if "manifest.json" in files.stored:
        yield from _dockers(files)
    elif "index.json" in files.stored:
        index = _document(files.document("index.json"), INDEX)
        yield from _ocis(files, index, (), [_MOST_MANIFESTS], 0)
    else:
        raise BadArchive("neither manifest.json nor index.json in it; to make an image of a file tree, import it")


def _dockers(files: Files) -> Iterator[Found]:
    items = _json(files.document("manifest.json"), "manifest.json")
    if not isinstance(items, list):
        raise BadArchive("not a list", "manifest.json")
    for item in items:
        names = [reference.normalize(name) for name in _strings(item, "RepoTags")]
        layers = [files.get(name) for name in _strings(item, "Layers")]
        yield Found(files.document(_text(item, "Config")), tuple(layers), tuple(names))


def _ocis(
    files: Files, index: Mapping[str, Any], names: tuple[str, ...], left: list[int], depth: int
) -> Iterator[Found]:
    """The images below an index, this machine's only where there are several of one name."""
    if depth > _DEEPEST_INDEX:
        raise BadArchive(f"indexes nested deeper than {_DEEPEST_INDEX}")
    for descriptor in _for_this_machine(index.get("manifests"), choose=depth > 0):
        left[0] -= 1
        if left[0] < 0:
            raise BadArchive(f"more than {_MOST_MANIFESTS} manifests")
        raw = files.document("blobs/" + files.described(descriptor).digest.replace(":", "/"))
        document = _document(raw, descriptor.get("mediaType"))
        called = names or _name(descriptor)
        if "manifests" in document:
            yield from _ocis(files, document, called, left, depth + 1)
        else:
            layers = tuple(files.described(layer) for layer in document.get("layers") or ())
            config = files.described(document.get("config"))
            yield Found(files.document("blobs/" + config.digest.replace(":", "/")), layers, called)


def _for_this_machine(descriptors: Any, *, choose: bool) -> list[dict[str, Any]]:
    if not isinstance(descriptors, list) or not all(isinstance(item, dict) for item in descriptors):
        raise BadArchive("an index without a list of manifests")
    here = ("linux", image.architecture())
    fitting = [item for item in descriptors if _platform(item) in (None, here)]
    if descriptors and not fitting:
        raise BadArchive(f"no image for {'/'.join(here)} in it")
    return fitting[:1] if choose else fitting


def _platform(descriptor: Mapping[str, Any]) -> tuple[str, str] | None:
    platform = descriptor.get("platform")
    if not isinstance(platform, dict):
        return None
    return str(platform.get("os")), str(platform.get("architecture"))


def _name(descriptor: Mapping[str, Any]) -> tuple[str, ...]:
    """What an index calls an image. OCI's own annotation is often only a tag, and then says too little."""
    notes = descriptor.get("annotations") or {}
    name = notes.get(DOCKERS_NAME) or notes.get(OCIS_NAME) or ""
    return (reference.normalize(name),) if DOCKERS_NAME in notes or ":" in name else ()


def _document(raw: bytes, media_type: Any) -> dict[str, Any]:
    """An index or a manifest, which must be one of the two and the one that was announced."""
    found = _parsed(raw, "a manifest")
    if "manifests" in found and ("layers" in found or "config" in found):
        raise BadArchive("a document that is both an index and a manifest")
    allowed = INDEXES if "manifests" in found else MANIFESTS
    if not {media_type, found.get("mediaType", media_type)} <= allowed:
        raise BadArchive(
            f"a document of type {found.get('mediaType', media_type)!r} that was announced as {media_type!r}"
        )
    return found


def _json(raw: bytes, what: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadArchive(f"{what} is not JSON ({error})") from error


def _parsed(raw: bytes, what: str) -> dict[str, Any]:
    found = _json(raw, what)
    if not isinstance(found, dict):
        raise BadArchive(f"{what} is not a JSON object")
    return found


def _text(item: Any, key: str) -> str:
    value = item.get(key) if isinstance(item, dict) else None
    if not isinstance(value, str):
        raise BadArchive(f"no {key} in {item!r:.80}")
    return value


def _strings(item: Any, key: str) -> Sequence[str]:
    value = (item.get(key) if isinstance(item, dict) else None) or []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise BadArchive(f"{key} is not a list of names")
    return value
