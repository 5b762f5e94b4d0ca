"""A registry on this machine, for an engine that is asked to pull; a rootless one comes out to it by its helper."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from aiohttp import web

from tests.engine.registry.fake import FakeRegistry, layer

SECONDS = 10


@contextlib.contextmanager
def registry(*, slow: bool = False) -> Iterator[str]:
    """A registry with the image `victim:v1`, on the loopback; its name, `127.0.0.1:PORT`.

    A slow one gives half of a layer, and then nothing for a long time.
    """
    ready, stop = threading.Event(), threading.Event()
    found: list[FakeRegistry] = []
    thread = threading.Thread(target=lambda: asyncio.run(_until(stop, slow, found, ready)), daemon=True)
    thread.start()
    assert ready.wait(SECONDS)
    try:
        yield found[0].host
    finally:
        stop.set()
        thread.join(SECONDS)


async def _until(stop: threading.Event, slow: bool, found: list[FakeRegistry], ready: threading.Event) -> None:
    fake = FakeRegistry()
    fake.add_image("victim", "v1", [layer(a="1"), layer(b="2" * 100_000)])
    if slow:
        fake.fail("GET", "/blobs/" + max(fake.blobs, key=lambda name: len(fake.blobs[name])), _half, times=1_000_000)
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.port = runner.addresses[0][1]
    found.append(fake)
    ready.set()
    while not stop.is_set():
        await asyncio.sleep(0.02)
    await runner.cleanup()


async def _half(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "100000"})
    await answer.prepare(request)
    await answer.write(bytes(100))
    await asyncio.sleep(600)
    return answer
