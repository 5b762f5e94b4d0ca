"""The documents of a registry: manifests and indexes, Docker's and OCI's, taken apart and checked.

A *manifest* names an image's config and its layers; an *index* (Docker: manifest list) names a manifest for each
platform. A document that is both is refused: two readers would see two images in it (CVE-2021-41190). So is one that
says to be of another type than the registry did.

Source: OCI image spec, manifest.md, image-index.md, descriptor.md; Docker's "image manifest version 2, schema 2".
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.engine.images.save import INDEX, MANIFEST
from labkit.engine.registry.failures import RegistryError
from labkit.engine.registry.platforms import Platform, from_fields

DOCKER = "application/vnd.docker."
DOCKER_MANIFEST = f"{DOCKER}distribution.manifest.v2+json"
DOCKER_INDEX = f"{DOCKER}distribution.manifest.list.v2+json"
DOCKER_CONFIG = f"{DOCKER}container.image.v1+json"
DOCKER_LAYER = f"{DOCKER}image.rootfs.diff.tar.gzip"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"

MANIFESTS, INDEXES = (DOCKER_MANIFEST, MANIFEST), (DOCKER_INDEX, INDEX)
ACCEPT = ", ".join((*MANIFESTS, *INDEXES))
"""What we ask for. Without OCI's types in it some registries convert the document, and its digest is another."""

CONFIGS = {DOCKER_CONFIG, OCI_CONFIG}
LAYERS = {DOCKER_LAYER, f"{DOCKER}image.rootfs.diff.tar", OCI_LAYER, f"{OCI_LAYER}+gzip"}
REFUSED_LAYERS = {
    f"{OCI_LAYER}+zstd": "is compressed with zstd, which this engine cannot read; push the image with gzip",
    f"{DOCKER}image.rootfs.foreign.diff.tar.gzip": "is a foreign layer, to be fetched elsewhere: not done",
}
MOST_LAYERS = 125  # Docker's own limit: mount(2) has room for the names of about as many
MOST_MANIFESTS = 500
LARGEST_BLOB = 16 << 30  # bytes

_DIGEST = re.compile("sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Descriptor:
    """How a document speaks of a blob: its type, digest and size in bytes (OCI image spec, descriptor.md)."""

    media_type: str
    digest: str
    size: int

    def as_json(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "size": self.size, "digest": self.digest}


@dataclass(frozen=True)
class Manifest:
    """One image: its config and its layers, base first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True)
class Index:
    """One image for several platforms; a platform is None where the index says nothing about it."""

    manifests: tuple[tuple[Descriptor, Platform | None], ...]


def parse(raw: bytes, announced: str) -> Manifest | Index:
    """Take a document apart. `announced` is the Content-Type that it came with. Raises RegistryError."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"the manifest is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise RegistryError("the manifest is not a JSON object")
    media_type = _media_type(found, announced)
    if "manifests" in found and ("layers" in found or "config" in found):
        raise RegistryError("the manifest has both `manifests` and `layers`: two readers would see two images in it")
    return _index(found) if media_type in INDEXES else _manifest(found)


def media_type_of(raw: bytes, announced: str) -> str:
    """The type of a document that parse() took."""
    return _media_type(json.loads(raw), announced)


def _media_type(found: dict[str, Any], announced: str) -> str:
    announced = announced.partition(";")[0].strip().lower()
    if announced in ("", "application/json", "text/plain", "application/octet-stream"):  # a server of plain files
        announced = ""
    own = found.get("mediaType") or announced
    if announced and own != announced:
        raise RegistryError(f"the manifest says to be {own}, but the registry sent it as {announced}")
    if own not in MANIFESTS + INDEXES or found.get("schemaVersion") != 2:
        raise RegistryError(
            f"unsupported manifest: media type {own or 'unknown'}, schema {found.get('schemaVersion')!r}"
        )
    return str(own)


def _manifest(found: dict[str, Any]) -> Manifest:
    config = descriptor(found.get("config"))
    if config.media_type not in CONFIGS:
        raise RegistryError(f"its config is of type {config.media_type}: this is no image of a container")
    layers = tuple(map(descriptor, _list(found, "layers", MOST_LAYERS)))
    for layer in layers:
        if layer.media_type not in LAYERS:
            why = REFUSED_LAYERS.get(
                layer.media_type, f"is of the type {layer.media_type}, which this engine cannot read"
            )
            raise RegistryError(f"the layer {layer.digest} {why}")
    return Manifest(config, layers)


def _index(found: dict[str, Any]) -> Index:
    items = _list(found, "manifests", MOST_MANIFESTS)
    return Index(tuple((descriptor(item), from_fields(item.get("platform"))) for item in items))


def _list(found: dict[str, Any], key: str, most: int) -> list[Any]:
    items = found.get(key)
    if not isinstance(items, list) or len(items) > most:
        raise RegistryError(f"the manifest needs a list of at most {most} `{key}`")
    return items


def descriptor(fields: Any) -> Descriptor:
    """A descriptor, checked. Raises RegistryError."""
    fields = fields if isinstance(fields, dict) else {}
    media_type, digest, size = (fields.get(key) for key in ("mediaType", "digest", "size"))
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise RegistryError(f"the manifest names a blob by {digest!r}, which is no sha256 digest")
    if type(size) is not int or not 0 <= size <= LARGEST_BLOB:
        raise RegistryError(f"the manifest gives {digest} the size {size!r}")
    return Descriptor(str(media_type or ""), digest, size)


def build(config: Descriptor, layers: Sequence[Descriptor]) -> bytes:
    """The manifest of an image to be pushed, in Docker's type and byte by byte as Docker writes it.

    So an image that came from a registry and goes back has the same digest there, whichever engine pushes it.
    """
    fields = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": config.as_json(),
        "layers": [layer.as_json() for layer in layers],
    }
    return json.dumps(fields, indent=3).encode()
