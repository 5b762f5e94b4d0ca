"""Fixtures: an image store, the registry inside the test, and no waiting between attempts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from labkit.engine.images import layers
from labkit.engine.images.store import ImageStore
from labkit.engine.registry import failures
from tests.engine.images.conftest import IN_NAMESPACE
from tests.engine.registry.fake import FakeRegistry


def new_store(folder: Path) -> ImageStore:
    """An empty image store, on whatever graph driver works here."""
    folder.mkdir(exist_ok=True)
    return ImageStore(folder, layers.pick(folder / "overlay", userxattr=IN_NAMESPACE))


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return new_store(tmp_path / "state")


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "DELAYS", (0.0,) * len(failures.DELAYS))


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    fake = FakeRegistry()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{any:.*}", fake.answer)
    runner = web.AppRunner(app, auto_decompress=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.port = runner.addresses[0][1]
    yield fake
    await runner.cleanup()
