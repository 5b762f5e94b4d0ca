"""Building over HTTP (Docker Engine API, "Image": ImageBuild and BuildPrune).

The body is the build context as a tar, the options are in the query, the answer is the progress, a line at a time.
What is wrong with the request or the Dockerfile is an answer of its own, 400; what goes wrong later is the last line.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import BinaryIO

from aiohttp import web

from labkit.engine import crash
from labkit.engine.api.image_filters import labels
from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response
from labkit.engine.api.streams import body_file, progress_stream
from labkit.engine.build import context, dockerfile, options, progress, stages
from labkit.engine.build.bases import Bases
from labkit.engine.build.builder import Builder
from labkit.engine.build.context import Context
from labkit.engine.build.options import Options
from labkit.engine.build.progress import Quiet, Tell
from labkit.engine.build.run import CommandFailed, stream
from labkit.engine.engine import Engine
from labkit.engine.errors import ApiError
from labkit.engine.images.image import short_id
from labkit.engine.images.reference import ALIASES
from labkit.engine.registry import auth
from labkit.engine.registry.auth import Credentials
from labkit.engine.registry.progress import in_thread

AT_ONCE = 2
"""Builds that run at the same time; more of them wait for their turn."""

_turn = asyncio.Semaphore(AT_ONCE)


async def build(engine: Engine, request: Request) -> web.StreamResponse:
    """POST /build: an image from a Dockerfile and a build context."""
    wanted = options.read(request)
    bases = Bases(engine, wanted.pull, credentials(request.http.headers.get("X-Registry-Config", "")))

    async def work(tell: Tell) -> None:
        async with _unpacked(engine, body_file(request), wanted.dockerfile) as received, _turn:
            crash.at("build: context unpacked")
            await _build(engine, wanted, bases, received, tell)

    return await progress_stream(request, progress.lines(work, request.gone))


@contextlib.asynccontextmanager
async def _unpacked(engine: Engine, body: BinaryIO, name: str) -> AsyncIterator[Context]:
    """The build context in a folder that is gone afterwards, whatever happens. Threads do the work on the disk."""
    stack = contextlib.ExitStack()

    def unpack() -> Context:
        folder = stack.enter_context(engine.images.blobs.folder())
        return stack.enter_context(context.unpacked(body, folder, name))

    try:
        yield await in_thread(unpack)
    finally:
        await in_thread(stack.close)


async def _build(engine: Engine, wanted: Options, bases: Bases, received: Context, tell: Tell) -> None:
    """Build, and tell a command's failure with its exit code."""
    parsed = dockerfile.parse(received.dockerfile)
    plan = stages.plan(parsed, wanted.target, wanted.labels)
    quiet = Quiet()
    try:
        heard = quiet.tell if wanted.quiet else tell
        image = await Builder(engine, wanted, parsed, received, bases, heard).build(plan)
    except CommandFailed as failure:
        await quiet.pass_on(tell)
        detail = {"code": failure.code, "message": failure.message}
        await tell({"errorDetail": detail, "error": failure.message})
        return
    except ApiError:
        await quiet.pass_on(tell)
        raise
    crash.at("build: image made")
    await tell(stream(f"{image.id}\n" if wanted.quiet else f"Successfully built {short_id(image.id)}\n"))
    for name in wanted.names:
        await in_thread(engine.images.tag, image, name)
        crash.at("build: image named")
        engine.publish("image", "tag", image.id, {**labels(image), "name": name})
        if not wanted.quiet:
            await tell(stream(f"Successfully tagged {name}\n"))


def credentials(header: str) -> Mapping[str, Credentials]:
    """Whom each registry knows us as: X-Registry-Config, base64 of a JSON object. What makes no sense is nobody."""
    try:
        found = json.loads(base64.urlsafe_b64decode(header.translate(str.maketrans("+/", "-_")) + "=="))
    except (ValueError, RecursionError):
        return {}
    fields = found.items() if isinstance(found, dict) else ()
    return {_host(name): auth.from_fields(one) for name, one in fields if isinstance(one, dict)}


def _host(address: str) -> str:
    """The registry's name in `https://index.docker.io/v1/`."""
    name = address.partition("://")[2] or address
    name = name.partition("/")[0]
    return ALIASES.get(name, name)


async def prune(engine: Engine, request: Request) -> web.Response:
    """POST /build/prune: nothing, as in Docker. The classic builder's cache is images, for `docker image prune`."""
    request.filters()
    return json_response({"CachesDeleted": None, "SpaceReclaimed": 0})
