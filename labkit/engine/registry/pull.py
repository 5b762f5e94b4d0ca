"""`docker pull`: a manifest, then the config it names, then the layers that are not here yet.

Layers come several at once. Only when all are here, unpacked and checked against the config, the image is stored: in
one step, so that a pull that fails or is given up leaves nothing behind.

Source: OCI distribution spec, "pull"; Docker API ImageCreate for what is told meanwhile.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.engine import crash
from labkit.engine.errors import NotFound
from labkit.engine.images import blobs, image, reference
from labkit.engine.images.reference import Reference
from labkit.engine.images.store import ImageStore
from labkit.engine.images.tarstream import BadArchive, decompressed
from labkit.engine.registry import client, manifests, platforms
from labkit.engine.registry.auth import NOBODY, Credentials
from labkit.engine.registry.client import Client
from labkit.engine.registry.download import document, download
from labkit.engine.registry.failures import RegistryError
from labkit.engine.registry.manifests import Descriptor, Index, Manifest
from labkit.engine.registry.platforms import Platform
from labkit.engine.registry.progress import Meter, Tell, amount, in_thread, step, stream, together

AT_ONCE = 3  # downloads, as in dockerd

NOT_FOUND = {
    "DENIED": "pull access denied for {ref.name}, repository does not exist or may require 'docker login': {error}",
    "NAME_UNKNOWN": "repository {ref.name} not found: {error}",
    "MANIFEST_UNKNOWN": "manifest for {ref} not found: {error}",
}
"""What a registry's codes mean to somebody who pulls: 404, in Docker's words."""


@dataclass(frozen=True)
class Document:
    """A manifest or an index as it came: its bytes, its type and its digest."""

    raw: bytes
    media_type: str
    digest: str
    parsed: Manifest | Index


def pull(
    store: ImageStore, ref: Reference, who: Credentials = NOBODY, platform: Platform | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """Pull an image, or every tag of a repository where `ref` has neither tag nor digest; gives progress objects.

    Raises NotFound (404) and RegistryError (500), the first of them mostly before anything is told.
    """

    async def work(tell: Tell) -> None:
        try:
            async with client.connected(ref, who) as registry:
                await _pull_all(_Pull(store, registry, platform or platforms.here(), tell), ref)
        except RegistryError as error:
            raise translated(error, ref) from error
        except BadArchive as error:
            raise RegistryError(f"failed to register layer: {error}") from error

    return stream(work)


def translated(error: RegistryError, ref: Reference) -> RegistryError | NotFound:
    """A registry's error as dockerd says it."""
    words = NOT_FOUND.get(error.code)
    return NotFound(words.format(ref=ref, error=error.message)) if words else error


async def get_manifest(registry: Client, tag_or_digest: str) -> Document:
    """Fetch a manifest or an index. Its digest is computed, and has to be the one that was asked for."""
    raw, headers = await registry.document(registry.url("manifests", tag_or_digest), {"Accept": manifests.ACCEPT})
    digest = image.digest(raw)
    promised = tag_or_digest if tag_or_digest.startswith("sha256:") else headers.get("Docker-Content-Digest", digest)
    if digest != promised and promised.startswith("sha256:"):
        raise RegistryError(f"manifest verification failed for digest {promised}: it is {digest}")
    announced = headers.get("Content-Type", "")
    parsed = manifests.parse(raw, announced)
    return Document(raw, manifests.media_type_of(raw, announced), digest, parsed)


async def _pull_all(pulling: _Pull, ref: Reference) -> None:
    if ref.tag or ref.digest:
        newer = await pulling.pull(ref)
    else:
        tags = await pulling.registry.tags()
        if not tags:
            raise NotFound(f"repository {ref.name} not found: it has no tags")
        newer = any([await pulling.pull(reference.parse(f"{ref.full()}:{tag}")) for tag in tags])
    told = f"Downloaded newer image for {ref}" if newer else f"Image is up to date for {ref}"
    pulling.tell({"status": f"Status: {told}"})


@dataclass
class _Pull:
    """What the steps of one pull share."""

    store: ImageStore
    registry: Client
    platform: Platform
    tell: Tell

    async def pull(self, ref: Reference) -> bool:
        """Pull one image; is there anything new? A digest in its name decides, whatever the tag says."""
        ref = Reference(ref.registry, ref.path, "" if ref.digest else ref.tag, ref.digest)
        found = await get_manifest(self.registry, ref.digest or ref.tag)
        manifest = await self._choose(found)
        self.tell({"status": f"Pulling from {ref.path}", "id": str(ref) if ref.digest else ref.tag})
        name = f"{ref.name}@{found.digest}"
        before = self.store.names().get(str(ref))
        await self._image(manifest, ref)
        self.store.digests.remember(name, manifest.config.digest)
        crash.at("pull: digest noted")
        self.tell({"status": f"Digest: {found.digest}"})
        return before != manifest.config.digest

    async def _choose(self, found: Document) -> Manifest:
        """The manifest itself, or the one for our platform out of an index."""
        if isinstance(found.parsed, Manifest):
            return found.parsed
        number = platforms.best((platform for _, platform in found.parsed.manifests), self.platform)
        if number is None:
            raise NotFound(f"no matching manifest for {self.platform} in the manifest list entries")
        chosen = found.parsed.manifests[number][0]
        inner = await get_manifest(self.registry, chosen.digest)
        if not isinstance(inner.parsed, Manifest) or len(inner.raw) != chosen.size:
            raise RegistryError(
                f"{chosen.digest} should be the manifest of {chosen.size} bytes that the index promises"
            )
        return inner.parsed

    async def _image(self, manifest: Manifest, ref: Reference) -> None:
        """Have the manifest's image in the store, under the name if it has a tag."""
        name = str(ref) if ref.tag else None
        if manifest.config.digest in self.store.ids():
            if name:
                await in_thread(self.store.tag, self.store.get(manifest.config.digest), name)
            return
        raw = await document(self.registry, manifest.config)
        stack = _diff_ids(raw, manifest)
        with self.store.blobs.folder() as folder:
            files = await self._layers(manifest.layers, stack, folder)
            crash.at("pull: layers unpacked")
            await in_thread(functools.partial(self.store.add, raw, files, ref=name))
        crash.at("pull: image stored")
        for layer, diff_id in zip(manifest.layers, stack, strict=True):
            if diff_id in files:
                self.tell(step("Pull complete", layer.digest))
            self.store.digests.remember_layer(diff_id, layer.digest, layer.size)

    async def _layers(self, layers: tuple[Descriptor, ...], stack: tuple[str, ...], folder: Path) -> dict[str, Path]:
        """The tars of those layers that are not here yet, by their diff ids."""
        missing: dict[str, Descriptor] = {}
        for layer, diff_id in zip(layers, stack, strict=True):
            here = self.store.blobs.has(diff_id)
            self.tell(step("Already exists" if here else "Pulling fs layer", layer.digest))
            if not here:
                missing[diff_id] = layer
        slots = asyncio.Semaphore(AT_ONCE)
        jobs = (self._layer(layer, diff_id, folder, slots) for diff_id, layer in missing.items())
        return dict(zip(missing, await together(jobs), strict=True))

    async def _layer(self, layer: Descriptor, diff_id: str, folder: Path, slots: asyncio.Semaphore) -> Path:
        """Fetch one layer and unpack it to a plain tar, which must be the one that the config promises."""
        packed, tar = folder / f"{image.short_id(diff_id)}.packed", folder / f"{image.short_id(diff_id)}.tar"
        if slots.locked():
            self.tell(step("Waiting", layer.digest))
        async with slots:
            meter = Meter(self.tell, "Downloading", layer.digest, layer.size)
            await download(self.registry, layer, packed, meter)
        crash.at("pull: layer downloaded")
        self.tell(step("Verifying Checksum", layer.digest))
        self.tell(step("Download complete", layer.digest))
        self.tell(amount("Extracting", layer.digest, layer.size, layer.size))
        await in_thread(_unpack, packed, tar, diff_id)
        return tar


def _diff_ids(raw: bytes, manifest: Manifest) -> tuple[str, ...]:
    """The layers that a config names, one for each of the manifest's. Raises RegistryError."""
    try:
        config = json.loads(raw)
        stack = image.diff_ids(config)
        system = config.get("os") or "linux"
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise RegistryError(f"the config {manifest.config.digest} is none of an image: {error}") from error
    if system != "linux":
        raise RegistryError(f'image operating system "{system}" cannot be used on this platform')
    if len(stack) != len(manifest.layers):
        raise RegistryError(f"the manifest has {len(manifest.layers)} layers, the image's config {len(stack)}")
    return stack


def _unpack(packed: Path, tar: Path, diff_id: str) -> None:
    """Decompress a layer if it is compressed, whatever its type says, and check what comes out."""
    with packed.open("rb") as file:
        digest, _ = blobs.written(tar, decompressed(file))
    packed.unlink()
    if digest != diff_id:
        raise RegistryError(f"a layer has the digest {digest}, but its image's config promises {diff_id}")
