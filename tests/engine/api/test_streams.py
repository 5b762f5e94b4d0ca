"""Answers that grow, bodies that do not fit into memory, and clients that leave in the middle of both."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response
from labkit.engine.api.streams import body_file, byte_stream, from_thread, json_stream, progress_stream
from labkit.engine.errors import NotFound, ServerError
from tests.engine.api.harness import Client, serving


async def test_the_head_of_a_wait_comes_before_its_end(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def wait(request: Request) -> web.StreamResponse:
        async def result() -> AsyncIterator[dict[str, int]]:
            await ended.wait()
            yield {"StatusCode": 0}

        return await json_stream(request, result())

    async with serving(tmp_path, wait) as path:
        client = await Client.connect(path)
        status, headers = await asyncio.wait_for(client.ask("POST", "/wait"), 2)
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        ended.set()
        assert await client.body(headers) == b'{"StatusCode":0}\r\n'


async def test_a_follower_that_leaves_is_noticed_while_nothing_happens(tmp_path: Path) -> None:
    left = asyncio.Event()

    async def follow(request: Request) -> web.StreamResponse:
        async def silence() -> AsyncIterator[bytes]:
            try:
                await asyncio.sleep(60)
                yield b""
            finally:
                left.set()

        return await byte_stream(request, silence(), "text/plain")

    async with serving(tmp_path, follow) as path:
        client = await Client.connect(path)
        await client.ask("GET", "/logs?follow=1")
        client.close()
        await asyncio.wait_for(left.wait(), 2)


async def test_a_client_that_does_not_read_stops_the_source(tmp_path: Path) -> None:
    made = 0
    closed = threading.Event()

    def numbers() -> Iterator[bytes]:
        nonlocal made
        try:
            for made in range(1, 2000):  # noqa: B007 - the test looks at it
                yield bytes(64 * 1024)
        finally:
            closed.set()

    async def save(request: Request) -> web.StreamResponse:
        return await byte_stream(request, from_thread(numbers()), "application/x-tar")

    async with serving(tmp_path, save) as path:
        client = await Client.connect(path)
        await client.ask("GET", "/get")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.3)
        assert made < 100  # 6 MiB in all buffers together, of 128
        client.close()
        assert await asyncio.to_thread(closed.wait, 5)


@pytest.mark.parametrize(
    ("before", "status", "last"),
    [
        (0, 404, {"message": "no such thing"}),
        (1, 200, {"errorDetail": {"message": "no such thing"}, "error": "no such thing"}),
    ],
)
async def test_where_an_error_of_a_load_is_told(
    tmp_path: Path, before: int, status: int, last: dict[str, object]
) -> None:
    async def load(request: Request) -> web.StreamResponse:
        async def progress() -> AsyncIterator[dict[str, str]]:
            for _ in range(before):
                yield {"stream": "Loading"}
            raise NotFound("no such thing")

        try:
            return await progress_stream(request, progress())
        except NotFound as error:
            return json_response({"message": error.message}, error.status)

    async with serving(tmp_path, load) as path:
        client = await Client.connect(path)
        got, headers = await client.ask("POST", "/load")
        lines = (await client.body(headers)).splitlines()
        assert (got, json.loads(lines[-1])) == (status, last)


async def test_an_empty_progress_is_an_empty_answer(tmp_path: Path) -> None:
    async def load(request: Request) -> web.StreamResponse:
        return await progress_stream(request, from_thread(iter(())))

    async with serving(tmp_path, load) as path:
        client = await Client.connect(path)
        status, headers = await client.ask("POST", "/load")
        assert (status, await client.body(headers)) == (200, b"")


async def test_a_big_body_is_read_in_a_thread(tmp_path: Path) -> None:
    async def load(request: Request) -> web.StreamResponse:
        file = body_file(request)

        def digest() -> list[object]:
            head, whole = file.read(512), hashlib.sha256()
            while data := file.read(1 << 20):
                whole.update(data)
            return [len(head), whole.hexdigest()]

        return json_response(await asyncio.to_thread(digest))

    body = bytes(range(256)) * 20_000
    async with serving(tmp_path, load) as path:
        client = await Client.connect(path)
        _, headers = await client.ask("POST", "/load", body=body)
        assert json.loads(await client.body(headers)) == [512, hashlib.sha256(body[512:]).hexdigest()]


async def test_a_client_that_leaves_in_the_middle_of_a_body_is_an_error_in_the_thread(tmp_path: Path) -> None:
    outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def load(request: Request) -> web.StreamResponse:
        try:
            outcome.set_result(await asyncio.to_thread(body_file(request).read))
        except OSError as error:
            outcome.set_result(error)
        raise ServerError("nobody hears this")

    async with serving(tmp_path, load) as path:
        client = await Client.connect(path)
        client.writer.write(b"POST /load HTTP/1.1\r\nHost: d\r\nContent-Length: 1000\r\n\r\nhalf")
        await asyncio.sleep(0.05)
        client.close()
        assert isinstance(await asyncio.wait_for(outcome, 5), ConnectionResetError)


async def test_stopping_in_the_middle_of_a_step_waits_for_the_step(tmp_path: Path) -> None:
    begun, release, closed = threading.Event(), threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        try:
            begun.set()
            release.wait(5)
            yield b"x"
        finally:
            closed.set()

    async def save(request: Request) -> web.StreamResponse:
        return await byte_stream(request, from_thread(slow()), "application/x-tar")

    async with serving(tmp_path, save) as path:
        client = await Client.connect(path)
        await client.ask("GET", "/get")
        await asyncio.to_thread(begun.wait, 5)
        client.close()
        await asyncio.sleep(0.05)
        assert not closed.is_set()
        release.set()
        assert await asyncio.to_thread(closed.wait, 5)
