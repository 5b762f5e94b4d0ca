"""Handlers for volumes: the query and the body in, one verb, the answer out. Decisions are in engine/volumes."""

from __future__ import annotations

from aiohttp import web

from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response, no_content
from labkit.engine.api.shapes import Labels, Shape
from labkit.engine.engine import Engine
from labkit.engine.errors import NotFound
from labkit.engine.volumes.filters import everything

CREATE: Shape = {"Name": str, "Driver": str, "DriverOpts": Labels, "Labels": Labels}


async def list_volumes(engine: Engine, request: Request) -> web.Response:
    """GET /volumes."""
    found = engine.volumes.listed(request.filters())
    return json_response({"Volumes": [volume.shown() for volume in found], "Warnings": None})


async def create(engine: Engine, request: Request) -> web.Response:
    """POST /volumes/create: one that is there already is no error, its own facts are the answer."""
    asked = await request.json(CREATE)
    volume = engine.volumes.create(
        asked.get("Name") or "", asked.get("Driver") or "", asked.get("DriverOpts"), asked.get("Labels")
    )
    return json_response(volume.shown(), 201)


async def inspect(engine: Engine, request: Request) -> web.Response:
    """GET /volumes/{name}."""
    return json_response(engine.volumes.get(request.path["name"]).shown())


async def remove(engine: Engine, request: Request) -> web.Response:
    """DELETE /volumes/{name}: `force` forgives one that is not there, never one that is in use."""
    try:
        await engine.volumes.remove(engine.volumes.get(request.path["name"]))
    except NotFound:
        if not request.flag("force"):
            raise
    return no_content()


async def prune(engine: Engine, request: Request) -> web.Response:
    """POST /volumes/prune."""
    wanted = request.filters()
    return json_response(await engine.volumes.prune(wanted, named_too=everything(wanted, request.api_version)))
