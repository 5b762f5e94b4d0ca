"""Handlers for files in and out of a container: `docker cp`, `docker export`."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Iterator

from aiohttp import web

from labkit.engine.api.containers import named
from labkit.engine.api.request import Request
from labkit.engine.api.responses import HEADERS, no_content
from labkit.engine.api.streams import TAR, body_file, from_thread
from labkit.engine.containers import mounts, roots
from labkit.engine.containers.record import Container
from labkit.engine.engine import Engine
from labkit.engine.errors import BadParameter, Forbidden, NotFound
from labkit.engine.images import archive

STAT = "X-Docker-Container-Path-Stat"


async def stat(engine: Engine, request: Request) -> web.Response:
    """HEAD /containers/{id}/archive"""
    container = named(engine, request)
    path = _path(request)
    async with roots.opened(engine, container) as root:
        with _explained(container, path):
            found = await asyncio.to_thread(archive.stat_path, root, path)
    return web.Response(headers=HEADERS | {STAT: _header(found)})


async def get(engine: Engine, request: Request) -> web.StreamResponse:
    """GET /containers/{id}/archive: the path as a tar, what it is in a header."""
    container = named(engine, request)
    path = _path(request)
    async with roots.opened(engine, container) as root:
        with _explained(container, path):
            found = await asyncio.to_thread(archive.stat_path, root, path)
        engine.containers.tell(container, "archive-path")
        response = web.StreamResponse(headers=HEADERS | {"Content-Type": TAR, STAT: _header(found)})
        await response.prepare(request.http)
        request.answering = response
        await _send(response, from_thread(archive.pack(root, path)))
    return response


async def put(engine: Engine, request: Request) -> web.Response:
    """PUT /containers/{id}/archive: unpack a tar into a folder."""
    container = named(engine, request)
    path = _path(request)
    check_writable(container, path)
    async with roots.opened(engine, container) as root:
        with _explained(container, path):
            await asyncio.to_thread(
                archive.extract,
                body_file(request),
                root,
                path,
                no_overwrite_dir_non_dir=request.flag("noOverwriteDirNonDir"),
            )
    engine.containers.tell(container, "extract-to-dir")
    return no_content(200)


def check_writable(container: Container, path: str) -> None:
    """Whether files may be put there: not into a read-only mount, nor into a read-only root. Raises Forbidden."""
    points = [point for point in mounts.of(container.mounts) if point.holds(path)]
    if any(not point.writable for point in points):
        raise Forbidden("mounted volume is marked read-only")
    if not points and container.host_config.get("ReadonlyRootfs"):
        raise Forbidden("container rootfs is marked read-only")


async def export(engine: Engine, request: Request) -> web.StreamResponse:
    """GET /containers/{id}/export: all of its files as one tar, without what is mounted in it."""
    container = named(engine, request)
    async with roots.opened(engine, container) as root:
        engine.containers.tell(container, "export")
        response = web.StreamResponse(headers=HEADERS | {"Content-Type": "application/octet-stream"})
        await response.prepare(request.http)
        request.answering = response
        await _send(response, from_thread(archive.pack(root, "/", top="", one_mount=True)))
    return response


async def _send(response: web.StreamResponse, pieces: AsyncIterator[bytes]) -> None:
    async with contextlib.aclosing(pieces) as source:  # type: ignore[type-var]
        async for piece in source:
            await response.write(piece)


def _path(request: Request) -> str:
    path = request.text("path")
    if not path:
        raise BadParameter('Bad parameter: the query must say which path: "path" is empty')
    return path


def _header(found: dict[str, object]) -> str:
    return base64.b64encode(json.dumps(found).encode()).decode()


@contextlib.contextmanager
def _explained(container: Container, path: str) -> Iterator[None]:
    """What the system says of a path, as the client's mistake that it is."""
    try:
        yield
    except FileNotFoundError as missing:
        raise NotFound(f"Could not find the file {path} in container {container.name}") from missing
    except NotADirectoryError as wrong:
        raise BadParameter(f"{path} in container {container.name}: a file stands where a folder is needed") from wrong
