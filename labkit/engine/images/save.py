"""`docker save`: images as one archive.

The layout is OCI's (`blobs/sha256/<digest>`, `index.json`, `oci-layout`). Docker's own `manifest.json` lies beside
it and points at the same blobs, so old and new engines and OCI tools read it. Layers are the bytes that came in.

Source: OCI image spec, image-layout.md and manifest.md; Docker API ImageGet.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.engine.images import image, reference
from labkit.engine.images.image import Image
from labkit.engine.images.pack import END

if TYPE_CHECKING:
    from labkit.engine.images.store import ImageStore

MANIFEST, INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
CONFIG, LAYER = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"
DOCKERS_NAME, OCIS_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"
_BLOCK, _CHUNK = 512, 1 << 20


def save(store: ImageStore, refs: Sequence[str]) -> Iterator[bytes]:
    """The archive in pieces. Raises NoSuchImage at once, not at the first piece."""
    return _archive(store, selected(store, refs))


def selected(store: ImageStore, refs: Sequence[str]) -> list[tuple[Image, list[str]]]:
    """The images that `refs` mean, with the names to save: an id gives none, a bare name all its tags."""
    chosen: dict[str, tuple[Image, list[str]]] = {}
    for ref in refs:
        for found, name in _meant(store, ref):
            names = chosen.setdefault(found.id, (found, []))[1]
            names += [name] if name and name not in names else []
    return list(chosen.values())


def _meant(store: ImageStore, ref: str) -> list[tuple[Image, str]]:
    found = store.get(ref) if ref.startswith("sha256:") else None
    if found:
        return [(found, "")]
    parsed = reference.parse(ref)
    if not parsed.tag and not parsed.digest:
        tags = [name for name in store.tags() if reference.parse(name).name == parsed.name]
        if tags:
            return [(store.get(name), name) for name in tags]
    found, name = store.get(ref), str(parsed.tagged())
    return [(found, name if name in found.tags else "")]


@dataclass
class _Documents:
    """The JSON files of the archive, as they come together."""

    index: list[dict[str, Any]] = field(default_factory=list)
    manifest: list[dict[str, Any]] = field(default_factory=list)
    repositories: dict[str, dict[str, str]] = field(default_factory=dict)


def _archive(store: ImageStore, chosen: Sequence[tuple[Image, list[str]]]) -> Iterator[bytes]:
    documents, written = _Documents(), set[str]()
    for found, names in chosen:
        layers = []
        for diff_id in found.diff_ids:
            layers.append(_descriptor(LAYER, diff_id, store.blobs.path(diff_id).stat().st_size))
            if diff_id not in written:
                written.add(diff_id)
                yield from _blob_file(store, diff_id)
        config = store.blobs.path(found.id).read_bytes()
        yield from _file(_blob(found.id), config)
        manifest = image.encoded(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor(CONFIG, found.id, len(config)),
                "layers": layers,
            }
        )
        yield from _file(_blob(image.digest(manifest)), manifest)
        _enter(documents, found, names, manifest)
    yield from _file(
        "index.json", image.encoded({"schemaVersion": 2, "mediaType": INDEX, "manifests": documents.index})
    )
    yield from _file("manifest.json", image.encoded(documents.manifest))
    yield from _file("oci-layout", image.encoded({"imageLayoutVersion": "1.0.0"}))
    if documents.repositories:
        yield from _file("repositories", image.encoded(documents.repositories))
    yield END


def _enter(documents: _Documents, found: Image, names: Sequence[str], manifest: bytes) -> None:
    """Say in each of the three tables of contents what this image is called."""
    described = _descriptor(MANIFEST, image.digest(manifest), len(manifest))
    for name in names:
        parsed = reference.parse(name)
        documents.index.append({**described, "annotations": {DOCKERS_NAME: parsed.full(), OCIS_NAME: parsed.tag}})
        top = found.diff_ids[-1].partition(":")[2] if found.diff_ids else ""
        documents.repositories.setdefault(parsed.name, {})[parsed.tag] = top
    if not names:
        documents.index.append(described)
    layers = [_blob(diff_id) for diff_id in found.diff_ids]
    documents.manifest.append({"Config": _blob(found.id), "RepoTags": list(names) or None, "Layers": layers})


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    """How one blob speaks of another: OCI image spec, descriptor.md."""
    return {"mediaType": media_type, "digest": digest, "size": size}


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _file(name: str, content: bytes) -> Iterator[bytes]:
    yield _header(name, len(content)) + content + bytes(-len(content) % _BLOCK)


def _blob_file(store: ImageStore, digest: str) -> Iterator[bytes]:
    with store.blobs.path(digest).open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        yield _header(_blob(digest), size)
        while data := file.read(_CHUNK):
            yield data
        yield bytes(-size % _BLOCK)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT)
