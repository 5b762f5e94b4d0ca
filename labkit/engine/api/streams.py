"""Answers that go on: JSON a line at a time, bytes as they come; and request bodies too big for memory.

Memory holds a few chunks of each. A slow client slows the source down, and a client that leaves ends it.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, BinaryIO, cast

from aiohttp import web

from labkit.engine.api.request import Request
from labkit.engine.api.responses import HEADERS
from labkit.engine.errors import ApiError

log = logging.getLogger(__name__)

TAR = "application/x-tar"
CHUNK = 64 * 1024


async def byte_stream(request: Request, source: AsyncIterator[bytes], media_type: str) -> web.StreamResponse:
    """Send bytes as they come (logs, tar). The head goes out at once.

    An error later cuts the connection: the only way left to say that something is missing.
    """
    response = web.StreamResponse(headers=HEADERS | {"Content-Type": media_type})
    await response.prepare(request.http)
    request.answering = response
    await _send(request, response, source)
    return response


async def json_stream(request: Request, source: AsyncIterator[Any]) -> web.StreamResponse:
    """Send JSON a line at a time (events, stats, wait). The head goes out at once.

    `docker run` starts the container only when it has seen the head of its wait.
    """
    return await byte_stream(request, _lines(source), "application/json")


async def progress_stream(request: Request, source: AsyncIterator[Any]) -> web.StreamResponse:
    """Send the progress of a load, a pull or a build.

    An error before the first line is an ordinary error. One after it becomes the last line, as Docker's clients
    expect: `{"errorDetail": {"message": ...}, "error": ...}`.
    """
    try:
        first = await anext(source)
    except StopAsyncIteration:
        return await json_stream(request, source)
    return await json_stream(request, with_error(_after(first, source)))


async def _after(first: Any, source: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yield first
    async for item in source:
        yield item


async def with_error(source: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The items of a source, and, if it fails, a last one that says so in Docker's form."""
    try:
        async for item in source:
            yield item
    except (ApiError, OSError) as error:
        log.info("failed when its answer had begun: %s", error)
        yield {"errorDetail": {"message": str(error)}, "error": str(error)}


async def _lines(source: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    try:
        async for item in source:
            yield json.dumps(item, separators=(",", ":")).encode() + b"\r\n"
    finally:
        await _close(source)


async def _send(request: Request, response: web.StreamResponse, source: AsyncIterator[bytes]) -> None:
    """Write all that `source` gives, until it ends or the client leaves."""
    gone = asyncio.create_task(request.gone.wait())
    try:
        while (data := await _next(source, gone)) is not None:
            await response.write(data)
    except ConnectionError:
        log.debug("%r: the client left", request)
    finally:
        gone.cancel()
        await _close(source)


async def _next(source: AsyncIterator[bytes], gone: asyncio.Task[Any]) -> bytes | None:
    """What `source` gives next; None at its end, or when `gone` is done first."""
    chunk = asyncio.ensure_future(anext(source, None))
    try:
        await asyncio.wait({chunk, gone}, return_when=asyncio.FIRST_COMPLETED)
        return chunk.result() if chunk.done() else None
    finally:
        # a generator that still runs cannot be closed
        chunk.cancel()
        await asyncio.wait({chunk})


async def _close(source: AsyncIterator[Any]) -> None:
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()


# ---- between the event loop and a thread


async def from_thread(source: Iterator[Any]) -> AsyncIterator[Any]:
    """The items of a blocking iterator, each made in a thread when it is asked for."""
    done = object()
    step: asyncio.Future[Any] | None = None
    try:
        while True:
            step = asyncio.ensure_future(asyncio.to_thread(next, source, done))
            if (item := await asyncio.shield(step)) is done:
                return
            yield item
    finally:
        # nobody can stop a thread: the step that it is in must end before the iterator is closed
        if step is not None and not step.done():
            await asyncio.wait({step})
        if close := getattr(source, "close", None):
            await asyncio.to_thread(close)


class _Body(io.RawIOBase):
    """A request's body as a blocking file, to be read in a thread while the event loop receives it."""

    def __init__(self, content: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._content = content
        self._loop = loop

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = asyncio.run_coroutine_threadsafe(self._content.read(len(buffer)), self._loop).result()
        except Exception as error:
            raise ConnectionResetError("the client left before all of its data had come") from error
        buffer[: len(data)] = data
        return len(data)


def body_file(request: Request) -> BinaryIO:
    """The request's body as a blocking file, to be read in a thread (load, import, archive)."""
    raw = _Body(request.http.content, asyncio.get_running_loop())
    return cast(BinaryIO, io.BufferedReader(raw, 4 * CHUNK))
