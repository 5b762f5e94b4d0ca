"""Handlers for exec: a further process in a running container."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from aiohttp import web

from labkit.engine.api.containers import named, terminal_size
from labkit.engine.api.detach import DetachKeys, parse_keys
from labkit.engine.api.hijack import Duplex, hijack
from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response, no_content
from labkit.engine.containers import execs
from labkit.engine.containers.execs import Exec
from labkit.engine.containers.logs import frame
from labkit.engine.containers.record import Container
from labkit.engine.engine import Engine
from labkit.engine.errors import ApiError
from labkit.engine.shim.client import Attachment


async def create(engine: Engine, request: Request) -> web.Response:
    """POST /containers/{id}/exec"""
    container = named(engine, request)
    asked = await request.json(execs.CREATE)
    parse_keys(execs.detach_keys(asked))
    return json_response({"Id": execs.create(engine, container, asked).id}, 201)


async def inspect(engine: Engine, request: Request) -> web.Response:
    """GET /exec/{id}/json"""
    _, one = execs.find(engine, request.path["id"])
    return json_response(execs.inspect(one))


async def resize(engine: Engine, request: Request) -> web.Response:
    """POST /exec/{id}/resize"""
    container, one = execs.find(engine, request.path["id"])
    await execs.resize(engine, container, one, *terminal_size(request))
    return no_content(200)


async def start(engine: Engine, request: Request) -> web.StreamResponse:
    """POST /exec/{id}/start: detached, an empty answer; else the connection becomes the process's streams."""
    container, one = execs.find(engine, request.path["id"])
    asked = await request.json(execs.START)
    execs.check_start(container, one)
    size = asked.get("ConsoleSize")
    if asked.get("Detach"):
        await execs.run(engine, container, one, console_size=size)
        return no_content(200)
    return await _attached(engine, request, container, one, size, raw=bool(asked.get("Tty")))


async def _attached(
    engine: Engine, request: Request, container: Container, one: Exec, size: Any, *, raw: bool
) -> web.StreamResponse:
    """`Tty` stands in both requests: the first says whether there is a terminal, the second how its output is sent."""
    stdin = bool(one.asked.get("AttachStdin"))
    keys = DetachKeys(parse_keys(one.detach_keys)) if one.tty else None
    wrap = partial(frame, 1) if one.tty and not raw else bytes
    ours, theirs = socket.socketpair()
    attachment = Attachment(theirs, stdin, bool(one.asked.get("AttachStdout")), bool(one.asked.get("AttachStderr")))
    try:
        duplex = await hijack(request, raw)
        try:
            await execs.run(engine, container, one, console_size=size, attach=[attachment])
        except ApiError as error:
            await _tell(duplex, error.message, raw)
        else:
            if await duplex.relay(ours, stdin=stdin, detach=keys, wrap=wrap) == "detached":
                engine.containers.tell(container, "exec_detach", execID=one.id)
    finally:
        ours.close()
    return duplex.response


async def _tell(duplex: Duplex, message: str, raw: bool) -> None:
    """It is too late for a status: the reason goes where the output would have gone, as with dockerd."""
    text = f"{message}\r\n".encode()
    await duplex.write(text if raw else frame(1, text))
    duplex.close()
