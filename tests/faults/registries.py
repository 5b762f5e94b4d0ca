"""A registry for an engine that is asked to pull: in the engine's own network, in which a rootless one is alone."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator

from aiohttp import web

from labkit import linux
from tests.backends import not_for_this_engine
from tests.engine.registry.fake import FakeRegistry, layer

SECONDS = 10


@contextlib.contextmanager
def registry(pid: int, *, slow: bool = False) -> Iterator[str]:
    """A registry with the image `victim:v1`, on the loopback of process `pid`; its name, `127.0.0.1:PORT`.

    A slow one gives half of a layer, and then nothing for a long time.
    """
    ready, stop = threading.Event(), threading.Event()
    found: list[FakeRegistry | OSError] = []
    thread = threading.Thread(target=_serve, args=[pid, slow, found, ready, stop], daemon=True)
    thread.start()
    assert ready.wait(SECONDS)
    if isinstance(found[0], OSError):
        not_for_this_engine(f"to enter a rootless engine's network takes root: {found[0]}")
    try:
        yield found[0].host
    finally:
        stop.set()
        thread.join(SECONDS)


def _serve(pid: int, slow: bool, found: list, ready: threading.Event, stop: threading.Event) -> None:
    """The thread's whole life. setns(2) moves it alone: the other threads stay in their network."""
    try:
        descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            linux.setns(descriptor, linux.CLONE_NEWNET)
        finally:
            os.close(descriptor)
        asyncio.run(_until(stop, slow, found, ready))
    except OSError as error:
        found.append(error)
    finally:
        ready.set()


async def _until(stop: threading.Event, slow: bool, found: list, ready: threading.Event) -> None:
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
