"""A blob in: to a file, with digest and size checked while it comes, and from where it stopped after a cut.

Nothing of a blob is used before its last byte is here and its digest is right.

Source: OCI distribution spec, "pulling blobs"; RFC 9110 section 14 (Range).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import aiohttp

from labkit.engine.registry import failures
from labkit.engine.registry.client import LARGEST_DOCUMENT, Client
from labkit.engine.registry.failures import PassingError, RegistryError
from labkit.engine.registry.manifests import Descriptor

CHUNK = 256 << 10


@dataclass
class Partial:
    """A blob of which some bytes may be here: the file, and size and digest of what it holds."""

    blob: Descriptor
    file: BinaryIO
    size: int = 0
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> None:
        """Add what came. Raises RegistryError when it is more than was promised."""
        self.size += len(data)
        if self.size > self.blob.size:
            raise RegistryError(f"the blob {self.blob.digest} is larger than the {self.blob.size} bytes promised")
        self._hash.update(data)
        self.file.write(data)

    def restart(self) -> None:
        """Forget what is here."""
        self.file.seek(0)
        self.file.truncate()
        self.size, self._hash = 0, hashlib.sha256()

    def verify(self) -> None:
        """Raise RegistryError unless the whole is what its digest says."""
        found = f"sha256:{self._hash.hexdigest()}"
        if found != self.blob.digest:
            raise RegistryError(f"filesystem layer verification failed for digest {self.blob.digest}: it is {found}")


async def download(client: Client, blob: Descriptor, path: Path, told: Callable[[int], None]) -> None:
    """Fetch a blob into a file; `told` hears how many bytes are here. Raises RegistryError."""
    with path.open("w+b") as file:
        partial = Partial(blob, file)
        await failures.persist(lambda: _receive(client, partial, told))
        partial.verify()


async def _receive(client: Client, partial: Partial, told: Callable[[int], None]) -> None:
    """One request for what is missing. Raises PassingError if some is still missing at the end."""
    headers = {"Range": f"bytes={partial.size}-"} if partial.size else {}
    url = client.url("blobs", partial.blob.digest)
    async with client.send("GET", url, (200, 206), headers) as answer:
        _agree(partial, answer)
        async for data in answer.content.iter_chunked(CHUNK):
            await asyncio.to_thread(partial.write, data)
            told(partial.size)
    if partial.size < partial.blob.size:
        raise PassingError(f'Get "{url}": unexpected EOF')


def _agree(partial: Partial, answer: aiohttp.ClientResponse) -> None:
    """See what the answer begins with, and whether it ends where it should."""
    if answer.status == 200:  # all of it: a server need not know ranges
        partial.restart()
    elif not re.match(rf"bytes {partial.size}-", answer.headers.get("Content-Range", "")):
        partial.restart()
        raise PassingError(f"{answer.url} sent another range than it was asked for")
    length, missing = answer.content_length, partial.blob.size - partial.size
    if length is not None and length != missing:
        raise RegistryError(
            f"the blob {partial.blob.digest} has {partial.size + length} bytes, but {partial.blob.size} were promised"
        )


async def document(client: Client, blob: Descriptor) -> bytes:
    """A small blob, such as an image's config, as a whole and checked. Raises RegistryError."""
    if blob.size > LARGEST_DOCUMENT:
        raise RegistryError(f"the config {blob.digest} has {blob.size} bytes; {LARGEST_DOCUMENT} are the most allowed")
    raw, _ = await client.document(client.url("blobs", blob.digest))
    found = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    if (found, len(raw)) != (blob.digest, blob.size):
        raise RegistryError(f"the config {blob.digest} of {blob.size} bytes is {found} of {len(raw)} bytes")
    return raw
