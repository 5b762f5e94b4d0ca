"""Registries over HTTP: pull, push, log in, ask about an image (Docker Engine API, "Images" and "Distribution").

A client sends name and password with each request, in the header X-Registry-Auth; the engine keeps none.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from aiohttp import web

from labkit.engine.api import image_filters
from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response
from labkit.engine.api.streams import progress_stream
from labkit.engine.engine import Engine
from labkit.engine.errors import BadParameter
from labkit.engine.images import reference
from labkit.engine.images.reference import Reference
from labkit.engine.registry import auth, client, distribution, platforms
from labkit.engine.registry.auth import Credentials
from labkit.engine.registry.pull import pull
from labkit.engine.registry.push import push

AUTH_HEADER = "X-Registry-Auth"
LOGIN_SHAPE = dict.fromkeys(("username", "password", "identitytoken", "serveraddress"), str)


async def create(engine: Engine, request: Request) -> web.StreamResponse:
    """POST /images/create?fromImage=NAME: pull. Without a tag, every tag of the repository comes."""
    ref = _reference(request.text("fromImage"), request.text("tag"))
    platform = platforms.parse(request.text("platform"))
    progress = pull(engine.images, ref, _credentials(request), platform)
    return await progress_stream(request, _told(engine, "pull", ref, progress))


async def push_image(engine: Engine, request: Request) -> web.StreamResponse:
    """POST /images/{name}/push: push a tag, or all tags of a repository where none is given."""
    ref = _reference(request.path["name"], request.text("tag"))
    if ref.digest:
        raise BadParameter("cannot push a digest reference")
    progress = push(engine.images, ref, _credentials(request))
    return await progress_stream(request, _told(engine, "push", ref, progress))


async def login(engine: Engine, request: Request) -> web.Response:
    """POST /auth: are this name and password right?"""
    who = auth.from_fields(await request.json(LOGIN_SHAPE))
    token = await client.check_login(who)
    return json_response({"IdentityToken": token, "Status": "Login Succeeded"})


async def inspect(engine: Engine, request: Request) -> web.Response:
    """GET /distribution/{name}/json: what a registry has under a name."""
    ref = _reference(request.path["name"], "")
    return json_response(await distribution.inspect(ref, _credentials(request)))


def _reference(name: str, tag: str) -> Reference:
    """A name, with a tag or a digest that came apart from it."""
    ref = reference.parse(name)
    if not tag:
        return ref
    bare = Reference(ref.registry, ref.path)
    return reference.parse(f"{bare.full()}@{tag}" if ":" in tag else f"{bare.full()}:{tag}")


def _credentials(request: Request) -> Credentials:
    return auth.from_header(request.http.headers.get(AUTH_HEADER, ""))


async def _told(
    engine: Engine, action: str, ref: Reference, progress: AsyncGenerator[dict[str, Any], None]
) -> AsyncIterator[dict[str, Any]]:
    """The progress, and an event when all went well."""
    async with contextlib.aclosing(progress):
        async for line in progress:
            yield line
    labels = image_filters.labels(engine.images.get(str(ref))) if ref.tag or ref.digest else {}
    engine.publish("image", action, str(ref), {**labels, "name": ref.name})
