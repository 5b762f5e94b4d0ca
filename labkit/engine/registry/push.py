"""`docker push`: the layers that the registry has not, then the config, and last the manifest that names them.

The order matters: a registry takes a manifest only when it has all that the manifest names.

Layers go out packed by gzip, with no time in the header, so that the same layer gives the same bytes and the registry
can say that it has them. What a layer was packed as before is remembered, and is asked for first.

Source: OCI distribution spec, "push"; Docker API ImagePush for what is told meanwhile.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.engine.errors import NotFound
from labkit.engine.images import blobs, image, reference
from labkit.engine.images.image import Image
from labkit.engine.images.reference import Reference
from labkit.engine.images.store import ImageStore
from labkit.engine.registry import client, failures, manifests
from labkit.engine.registry.auth import NOBODY, Credentials
from labkit.engine.registry.client import Client
from labkit.engine.registry.manifests import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, Descriptor
from labkit.engine.registry.progress import Meter, Tell, in_thread, step, stream, together
from labkit.engine.registry.upload import has, upload

AT_ONCE = 3
LEVEL = 6  # gzip's own default
GZIP = zlib.MAX_WBITS | 16  # a gzip header and trailer around zlib's data
CHUNK = 256 << 10


def push(store: ImageStore, ref: Reference, who: Credentials = NOBODY) -> AsyncGenerator[dict[str, Any], None]:
    """Push an image, or every tag of a repository where `ref` has none; gives progress objects.

    Raises NotFound and RegistryError.
    """

    async def work(tell: Tell) -> None:
        tell({"status": f"The push refers to repository [{ref.registry}/{ref.path}]"})
        names = _names(store, ref)
        async with client.connected(ref, who, "pull,push") as registry:
            pushing = _Push(store, registry, tell, asyncio.Semaphore(AT_ONCE))
            for name in names:
                await pushing.push(name)

    return stream(work)


def _names(store: ImageStore, ref: Reference) -> list[Reference]:
    """What is here under this name, with its tags."""
    if ref.tag:
        if str(ref) not in store.tags():
            raise NotFound(f"tag does not exist: {ref}")
        return [ref]
    found = [parsed for parsed in map(reference.parse, store.tags()) if parsed.name == ref.name and parsed.tag]
    if not found:
        raise NotFound(f"An image does not exist locally with the tag: {ref.name}")
    return found


@dataclass
class _Push:
    """What the steps of one push share."""

    store: ImageStore
    registry: Client
    tell: Tell
    slots: asyncio.Semaphore

    async def push(self, ref: Reference) -> None:
        """Push the image of one tag."""
        found = self.store.get(str(ref))
        with self.store.blobs.folder() as folder:
            layers = await self._layers(found, folder)
            config = await self._config(found)
        raw = manifests.build(config, layers)
        digest = image.digest(raw)
        await self._manifest(ref.tag, raw)
        self.store.digests.remember(f"{ref.name}@{digest}", found.id)
        self.tell({"status": f"{ref.tag}: digest: {digest} size: {len(raw)}"})
        self.tell({"progressDetail": {}, "aux": {"Tag": ref.tag, "Digest": digest, "Size": len(raw)}})

    async def _layers(self, found: Image, folder: Path) -> list[Descriptor]:
        distinct = list(dict.fromkeys(reversed(found.diff_ids)))  # people see the topmost first
        for diff_id in distinct:
            self.tell(step("Preparing", diff_id))
        pushed = await together(self._layer(diff_id, folder / image.short_id(diff_id)) for diff_id in distinct)
        by_diff_id = dict(zip(distinct, pushed, strict=True))
        return [by_diff_id[diff_id] for diff_id in found.diff_ids]

    async def _layer(self, diff_id: str, packed: Path) -> Descriptor:
        """Have one layer in the registry; how the manifest will speak of it."""
        digests = self.store.digests
        if self.slots.locked():
            self.tell(step("Waiting", diff_id))
        async with self.slots:
            for known in digests.layer(diff_id):
                if await has(self.registry, known[0]):
                    self.tell(step("Layer already exists", diff_id))
                    return Descriptor(DOCKER_LAYER, *known)
            digest, size = await in_thread(pack, self.store.blobs.path(diff_id), packed)
            blob = Descriptor(DOCKER_LAYER, digest, size)
            await upload(self.registry, blob, packed, Meter(self.tell, "Pushing", diff_id, size))
            packed.unlink()
        digests.remember_layer(diff_id, digest, size)
        self.tell(step("Pushed", diff_id))
        return blob

    async def _config(self, found: Image) -> Descriptor:
        path = self.store.blobs.path(found.id)
        blob = Descriptor(DOCKER_CONFIG, found.id, path.stat().st_size)
        if not await has(self.registry, found.id):
            await upload(self.registry, blob, path, lambda _: None)
        return blob

    async def _manifest(self, tag: str, raw: bytes) -> None:
        url, headers = self.registry.url("manifests", tag), {"Content-Type": DOCKER_MANIFEST}

        async def put() -> None:
            async with self.registry.send("PUT", url, (200, 201), headers, lambda: raw):
                pass

        await failures.persist(put)


def pack(tar: Path, packed: Path) -> tuple[str, int]:
    """Compress a layer with gzip; digest and size of the result."""
    return blobs.written(packed, _packed(tar))


def _packed(tar: Path) -> Iterator[bytes]:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)  # its header holds neither name nor time
    with tar.open("rb") as file:
        while data := file.read(CHUNK):
            yield packer.compress(data)
    yield packer.flush()
