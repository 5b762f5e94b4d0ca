"""Handlers for exec: a further process in a running container."""

from __future__ import annotations

import socket
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
    parse_keys(asked.get("DetachKeys") or "")
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
    # docker-py's two calls may differ; the answer is framed as the second one says, and so the process is made
    tty = bool(asked.get("Tty", one.asked.get("Tty")))
    if asked.get("Detach"):
        await execs.run(engine, container, one, tty=tty, console_size=asked.get("ConsoleSize"))
        return no_content(200)
    return await _attached(engine, request, container, one, tty, asked.get("ConsoleSize"))


async def _attached(
    engine: Engine, request: Request, container: Container, one: Exec, tty: bool, size: Any
) -> web.StreamResponse:
    stdin = bool(one.asked.get("AttachStdin"))
    keys = DetachKeys(parse_keys(one.asked.get("DetachKeys") or "")) if tty else None
    ours, theirs = socket.socketpair()
    attachment = Attachment(theirs, stdin, bool(one.asked.get("AttachStdout")), bool(one.asked.get("AttachStderr")))
    try:
        duplex = await hijack(request, tty)
        try:
            await execs.run(engine, container, one, tty=tty, console_size=size, attach=[attachment])
        except ApiError as error:
            await _tell(duplex, error.message, tty)
        else:
            if await duplex.relay(ours, stdin=stdin, detach=keys) == "detached":
                engine.containers.tell(container, "exec_detach", execID=one.id)
    finally:
        ours.close()
    return duplex.response


async def _tell(duplex: Duplex, message: str, tty: bool) -> None:
    """It is too late for a status: the reason goes where the output would have gone, as with dockerd."""
    text = f"{message}\r\n".encode()
    await duplex.write(text if tty else frame(1, text))
    duplex.close()
