"""What a registry says about an image, without pulling it (Docker API DistributionInspect)."""

from __future__ import annotations

import json
from typing import Any

from labkit.engine.errors import NotFound
from labkit.engine.images.reference import Reference
from labkit.engine.registry import client
from labkit.engine.registry.auth import NOBODY, Credentials
from labkit.engine.registry.client import Client
from labkit.engine.registry.download import document
from labkit.engine.registry.failures import RegistryError
from labkit.engine.registry.manifests import Descriptor, Index, Manifest
from labkit.engine.registry.platforms import Platform, from_fields
from labkit.engine.registry.pull import NOT_FOUND, get_manifest


async def inspect(ref: Reference, who: Credentials = NOBODY) -> dict[str, Any]:
    """The descriptor of a name's manifest, and the platforms that it is for. Raises NotFound and RegistryError."""
    ref = ref.tagged()
    try:
        async with client.connected(ref, who) as registry:
            found = await get_manifest(registry, ref.digest or ref.tag)
            platforms = await _platforms(registry, found.parsed)
    except RegistryError as error:
        raise NotFound(error.message) if error.code in NOT_FOUND else error from error
    return {
        "Descriptor": Descriptor(found.media_type, found.digest, len(found.raw)).as_json(),
        "Platforms": [_shown(platform) for platform in platforms if platform],
    }


async def _platforms(registry: Client, parsed: Manifest | Index) -> list[Platform | None]:
    if isinstance(parsed, Index):
        return [platform for _, platform in parsed.manifests]
    raw = await document(registry, parsed.config)
    try:
        return [from_fields(json.loads(raw))]
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"the config {parsed.config.digest} is not JSON: {error}") from error


def _shown(platform: Platform) -> dict[str, str]:
    fields = {"architecture": platform.architecture, "os": platform.os, "variant": platform.variant}
    return {name: value for name, value in fields.items() if value}
