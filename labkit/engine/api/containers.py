"""Handlers for containers: the query and the body in, one verb, the answer out. Decisions are in engine/containers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from labkit.engine.api.detach import DetachKeys, parse_keys
from labkit.engine.api.hijack import content_type, hijack
from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response, json_text, no_content
from labkit.engine.api.streams import byte_stream, json_stream
from labkit.engine.containers import body as bodies
from labkit.engine.containers import create as creating
from labkit.engine.containers import lifecycle, listing
from labkit.engine.containers import logs as logbook
from labkit.engine.containers import remove as removing
from labkit.engine.containers import start as starting
from labkit.engine.containers import stats as measuring
from labkit.engine.containers import stop as stopping
from labkit.engine.containers import top as processes
from labkit.engine.containers import update as updating
from labkit.engine.containers.record import Container
from labkit.engine.containers.views import log_driver
from labkit.engine.containers.waiting import CONDITIONS
from labkit.engine.engine import Engine
from labkit.engine.errors import BadParameter, NotImplemented_, ServerError
from labkit.engine.networks import linking
from labkit.engine.shim.client import Attachment
from labkit.runtime.create import RuntimeFailed


def named(engine: Engine, request: Request) -> Container:
    """The container that the path names. Raises NoSuchContainer."""
    return engine.containers.get(request.path["id"])


# --- create, look, remove ----------------------------------------------------------------------------------------


async def create(engine: Engine, request: Request) -> web.Response:
    """POST /containers/create"""
    body = await request.json(bodies.CREATE)
    container, warnings = creating.create(engine, body, request.text("name"))
    await creating.furnish(engine, container)
    return json_response({"Id": container.id, "Warnings": warnings}, 201)


async def list_containers(engine: Engine, request: Request) -> web.Response:
    """GET /containers/json"""
    limit = request.number("limit", 0) or 0
    found = listing.chosen(engine, request.filters(), all=request.flag("all"), limit=limit)
    if request.flag("size"):
        return json_response(await listing.with_sizes(engine, found))
    return json_text(listing.text(engine, found))


async def inspect(engine: Engine, request: Request) -> web.Response:
    """GET /containers/{id}/json"""
    container = named(engine, request)
    shown = await engine.containers.inspect(container, size=request.flag("size"))
    if request.api_version < DNS_NAMES_SINCE:
        for settings in shown["NetworkSettings"]["Networks"].values():
            names = [name for name in settings.pop("DNSNames") or () if name != container.name]
            settings["Aliases"] = list(dict.fromkeys([*(settings["Aliases"] or ()), *names])) or None
    return json_response(shown)


DNS_NAMES_SINCE = (1, 45)
"""Until then `Aliases` told every name on a network but the container's own, whether it was asked for or not."""


async def remove(engine: Engine, request: Request) -> web.Response:
    """DELETE /containers/{id}: with `link`, only the link of the path `container/alias`"""
    ref = request.path["name"]
    if request.flag("link"):
        linking.remove(engine, ref)
    else:
        container = engine.containers.get(ref)
        await removing.remove(engine, container, force=request.flag("force"), volumes=request.flag("v"))
    return no_content()


async def prune(engine: Engine, request: Request) -> web.Response:
    """POST /containers/prune"""
    return json_response(await removing.prune(engine, request.filters()))


async def changes(engine: Engine, request: Request) -> web.Response:
    """GET /containers/{id}/changes"""
    found = await asyncio.to_thread(engine.driver.changes, named(engine, request).id)
    return json_response(found or None)  # Go's empty list is null; clients know


# --- verbs -------------------------------------------------------------------------------------------------------


async def start(engine: Engine, request: Request) -> web.Response:
    """POST /containers/{id}/start"""
    await starting.start(engine, named(engine, request))
    return no_content()


async def stop(engine: Engine, request: Request) -> web.Response:
    """POST /containers/{id}/stop"""
    await stopping.stop(engine, named(engine, request), request.number("t"), request.text("signal"))
    return no_content()


async def restart(engine: Engine, request: Request) -> web.Response:
    """POST /containers/{id}/restart"""
    await stopping.restart(engine, named(engine, request), request.number("t"), request.text("signal"))
    return no_content()


async def kill(engine: Engine, request: Request) -> web.Response:
    """POST /containers/{id}/kill"""
    await stopping.kill(engine, named(engine, request), request.text("signal"))
    return no_content()


async def pause(engine: Engine, request: Request) -> web.Response:
    """POST /containers/{id}/pause"""
    await stopping.pause(engine, named(engine, request))
    return no_content()


async def unpause(engine: Engine, request: Request) -> web.Response:
    """POST /containers/{id}/unpause"""
    await stopping.unpause(engine, named(engine, request))
    return no_content()


async def rename(engine: Engine, request: Request) -> web.Response:
    """POST /containers/{id}/rename"""
    await stopping.rename(engine, named(engine, request), request.text("name"))
    return no_content()


async def update(engine: Engine, request: Request) -> web.Response:
    """POST /containers/{id}/update"""
    asked = await request.json(updating.SHAPE)
    return json_response({"Warnings": await updating.update(engine, named(engine, request), asked)})


async def resize(engine: Engine, request: Request) -> web.Response:
    """POST /containers/{id}/resize"""
    container = named(engine, request)
    rows, columns = terminal_size(request)
    if not container.state.has_process:
        raise lifecycle.NOT_RUNNING.to_error(container.id, container.name)
    await engine.shim.resize(container.id, rows, columns)
    engine.containers.tell(container, "resize", height=rows, width=columns)
    return no_content(200)


def terminal_size(request: Request) -> tuple[int, int]:
    """`h` and `w` of the query: rows and columns. Raises BadParameter."""
    rows, columns = request.number("h"), request.number("w")
    if rows is None or columns is None or not (0 <= rows < 65536 and 0 <= columns < 65536):
        raise BadParameter("a terminal's size is two numbers, h and w, of rows and columns")
    return rows, columns


# --- wait, logs, what it uses ------------------------------------------------------------------------------------


async def wait(engine: Engine, request: Request) -> web.StreamResponse:
    """POST /containers/{id}/wait"""
    container = named(engine, request)
    condition = request.text("condition") or "not-running"
    if condition not in CONDITIONS:
        raise BadParameter(f'invalid condition: "{condition}"; known: {", ".join(CONDITIONS)}')
    return await json_stream(request, _end(container, condition))


async def _end(container: Container, condition: str) -> AsyncIterator[dict[str, Any]]:
    if condition == "not-running" and not container.state.alive:
        yield {"StatusCode": container.state.exit_code, "Error": None}
        return
    ended = container.waiters.add(condition)
    try:
        yield {"StatusCode": await ended, "Error": None}
    finally:
        ended.cancel()


async def logs(engine: Engine, request: Request) -> web.StreamResponse:
    """GET /containers/{id}/logs"""
    container = named(engine, request)
    wanted = logbook.Wanted(
        stdout=request.flag("stdout"),
        stderr=request.flag("stderr"),
        tail=_tail(request.text("tail", "all")),
        since=request.time("since"),
        until=request.time("until"),
        timestamps=request.flag("timestamps"),
        raw=container.tty,
    )
    if not (wanted.stdout or wanted.stderr):
        raise BadParameter("Bad parameters: you must choose at least one stream")
    if log_driver(container) == "none":
        raise NotImplemented_("configured logging driver does not support reading")
    follows = request.flag("follow") and container.state.alive
    ended = container.waiters.add("not-running") if follows else None
    pieces = logbook.read(f"{engine.containers.folder(container)}/log.json", wanted, ended)
    return await byte_stream(request, pieces, content_type(request.api_version, container.tty))


def _tail(text: str) -> int | None:
    """A number of lines; None for all of them, as Docker takes every other word."""
    return int(text) if text.isdigit() else None


async def top(engine: Engine, request: Request) -> web.Response:
    """GET /containers/{id}/top"""
    container = named(engine, request)
    shown = processes.top(container, request.text("ps_args"))
    engine.containers.tell(container, "top")
    return json_response(shown)


async def stats(engine: Engine, request: Request) -> web.StreamResponse:
    """GET /containers/{id}/stats"""
    container = named(engine, request)
    if request.flag("stream", True):
        return await json_stream(request, measuring.stream(engine, container))
    return json_response(await measuring.once(container, one_shot=request.flag("one-shot")))


# --- attach ------------------------------------------------------------------------------------------------------


async def attach(engine: Engine, request: Request) -> web.StreamResponse:
    """POST /containers/{id}/attach: before the start, too; then the streams come with it."""
    container = named(engine, request)
    lifecycle.check_attach(container.state.status, container.id, container.name)
    keys = DetachKeys(parse_keys(request.text("detachKeys"))) if container.tty else None
    ours, attachment = _pair(container, request)
    if request.flag("stream"):
        await _hand_over(engine, container, attachment)
    else:
        attachment.sock.close()
    try:
        duplex = await hijack(request, container.tty)
        engine.containers.tell(container, "attach")
        if request.flag("logs"):
            async for piece in logbook.read(
                f"{engine.containers.folder(container)}/log.json", _past(container, request)
            ):
                await duplex.write(piece)
        if await duplex.relay(ours, stdin=attachment.stdin, detach=keys) == "detached":
            engine.containers.tell(container, "detach")
    finally:
        ours.close()
        if attachment in container.attaching:  # gone before the start
            container.attaching.remove(attachment)
            attachment.sock.close()
    return duplex.response


def _pair(container: Container, request: Request) -> tuple[socket.socket, Attachment]:
    ours, theirs = socket.socketpair()
    stdin = request.flag("stdin") and bool(container.config.get("OpenStdin"))
    return ours, Attachment(theirs, stdin, request.flag("stdout"), request.flag("stderr"))


async def _hand_over(engine: Engine, container: Container, attachment: Attachment) -> None:
    if not container.state.has_process:
        container.attaching.append(attachment)
        return
    try:
        await engine.shim.attach(container.id, attachment)
    except RuntimeFailed as failure:
        raise ServerError(f"cannot attach to {container.name}: {failure}") from failure


def _past(container: Container, request: Request) -> logbook.Wanted:
    return logbook.Wanted(stdout=request.flag("stdout"), stderr=request.flag("stderr"), raw=container.tty)
