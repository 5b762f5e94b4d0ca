"""A blob out: not at all where the registry has it, else in one request.

A registry hands out a URL for one upload (POST), then takes the bytes (PUT). An upload that broke is begun anew.

Source: OCI distribution spec, "pushing a blob monolithically".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote, urljoin

from labkit.engine.registry import failures
from labkit.engine.registry.client import Client
from labkit.engine.registry.failures import RegistryError
from labkit.engine.registry.manifests import Descriptor

CHUNK = 64 << 10
OCTETS = {"Content-Type": "application/octet-stream"}


async def has(client: Client, digest: str) -> bool:
    """Does the repository have this blob already?"""

    async def ask() -> bool:
        async with client.send("HEAD", client.url("blobs", digest), (200, 404)) as answer:
            return answer.status == 200

    return await failures.persist(ask)


async def upload(client: Client, blob: Descriptor, path: Path, told: Callable[[int], None]) -> None:
    """Send a blob from a file; `told` hears how many bytes are out. Raises RegistryError."""

    async def attempt() -> None:
        url = await _begin(client)
        url += ("&" if "?" in url else "?") + "digest=" + quote(blob.digest, safe="")
        headers = {**OCTETS, "Content-Length": str(blob.size)}
        async with client.send("PUT", url, (201, 204), headers, lambda: _read(path, told)):
            pass

    await failures.persist(attempt)


async def _begin(client: Client) -> str:
    """Ask for an upload; the URL that it goes to."""
    start = client.url("blobs/uploads/")
    async with client.send("POST", start, (202,)) as answer:
        location = answer.headers.get("Location", "")
    if not location:
        raise RegistryError(f"{start} took the upload, but did not say where to send it (no Location)")
    return urljoin(start, location)


async def _read(path: Path, told: Callable[[int], None]) -> AsyncIterator[bytes]:
    sent = 0
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            yield data
            sent += len(data)
            told(sent)
