"""Pulls for tests: two layers, a pull with what it says, and the question what is left."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from labkit.engine.errors import ApiError
from labkit.engine.images import reference
from labkit.engine.images.store import ImageStore
from labkit.engine.registry import failures
from labkit.engine.registry.auth import NOBODY, Credentials
from labkit.engine.registry.pull import pull
from tests.engine.registry.fake import FakeRegistry, layer

BASE, TOP = layer(**{"etc.txt": "base"}), layer(**{"top.txt": "top " * 50_000})
ATTEMPTS = len(failures.DELAYS) + 1


async def lines(progress: AsyncGenerator[dict[str, Any], None]) -> list[dict[str, Any]]:
    return [line async for line in progress]


async def pulled(store: ImageStore, registry: FakeRegistry, name: str, who: Credentials = NOBODY) -> list[str]:
    """Pull, and what was said: `id: status`, without the figures."""
    said = await lines(pull(store, reference.parse(f"{registry.host}/{name}"), who))
    return [f"{line['id']}: {line['status']}" if "id" in line else line["status"] for line in said]


def is_empty(store: ImageStore) -> bool:
    """Nothing is left of what did not become an image."""
    return (store.ids(), list(store.blobs.root.iterdir()), store.driver.layers()) == ([], [], [])


async def refused(store: ImageStore, registry: FakeRegistry, words: str, code: int = 500) -> None:
    """The pull of app:v1 fails with these words, and nothing of it stays."""
    with pytest.raises(ApiError, match=words) as told:
        await pulled(store, registry, "app:v1")
    assert told.value.status == code
    assert is_empty(store)
