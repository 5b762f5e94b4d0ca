"""The HTTP server: from a unix socket to a handler, and from whatever the handler says to an answer.

aiohttp parses HTTP; finding the handler, Docker's version prefix and its shape for errors are here. There is no
TCP: the socket's mode, 0600, is the whole of the access control, for who may speak to an engine is root in its
containers.
"""

from __future__ import annotations

import importlib
import logging
import os
import posixpath
import re
import socket
import time
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

from aiohttp import web

from labkit.engine.api import routes
from labkit.engine.api.hijack import Connection
from labkit.engine.api.request import Request
from labkit.engine.api.responses import API_VERSION, HEADERS, MIN_API_VERSION, error_response
from labkit.engine.engine import Engine
from labkit.engine.errors import ApiError, BadParameter, Forbidden, NotFound, NotImplemented_, StateError
from labkit.runtime.create import RuntimeFailed

log = logging.getLogger(__name__)

Handler = Callable[[Engine, Request], Awaitable[web.StreamResponse]]
"""What a handler is: `async def start(engine, request) -> response`."""

_VERSION = re.compile(r"/v(\d+)\.(\d+)(/.*)")


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


NEWEST, OLDEST = _numbers(API_VERSION), _numbers(MIN_API_VERSION)


def split_version(path: str) -> tuple[tuple[int, int], str]:
    """`/v1.41/info` as ((1, 41), "/info"); without a prefix, the newest version. Raises BadParameter."""
    match = _VERSION.fullmatch(path)
    if match is None:
        return NEWEST, path
    major, minor, rest = match.groups()
    version = int(major), int(minor)
    if version > NEWEST:
        raise BadParameter(f"client version {major}.{minor} is too new. Maximum supported API version is {API_VERSION}")
    if version < OLDEST:
        raise BadParameter(
            f"client version {major}.{minor} is too old. Minimum supported API version is {MIN_API_VERSION}, "
            "please upgrade your client to a newer version"
        )
    return version, rest


@cache
def _handler(name: str) -> Handler:
    """The function that a route names. Its module is imported at its first request, so the engine is up sooner."""
    module, _, function = name.partition(".")
    found: Handler = getattr(importlib.import_module(f"labkit.engine.api.{module}"), function)
    return found


def _redirect(http: web.BaseRequest) -> web.Response | None:
    """301 to the clean form of a path with `//`, `/./` or `/../` in it, as Go's router does."""
    path = http.rel_url.raw_path
    clean = posixpath.normpath(path).replace("//", "/")
    if path in (clean, clean + "/"):
        return None
    query = f"?{http.query_string}" if http.query_string else ""
    return web.Response(status=301, headers={**HEADERS, "Location": clean + query})


def refuse_pages(http: web.BaseRequest) -> None:
    """Raise Forbidden for what a browser sends: no page has business here, should a relay ever open the socket to one.

    A page tells its Origin, and a name that was bound anew to this machine stands in Host (DNS rebinding). What
    Docker's clients call a socket's host has no dot: localhost, docker, api.moby.localhost, the socket's path escaped.
    """
    name = http.headers.get("Host", "").rsplit(":", 1)[0].lower()
    local = "." not in name or name.endswith(".localhost") or name == "127.0.0.1" or "%2f" in name or "/" in name
    page = "Origin" in http.headers or http.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
    if page or not local:
        raise Forbidden("this engine answers programs on its socket, not pages in a browser (Host, Origin)")


class Api:
    """Answers requests for one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def __call__(self, http: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever happens."""
        began = time.monotonic()
        response = _redirect(http) or await self._answer(http)
        if log.isEnabledFor(logging.DEBUG):
            took = (time.monotonic() - began) * 1000
            log.debug("%s %s %d %.1f ms", http.method, http.rel_url, response.status, took)
        return response

    async def _answer(self, http: web.BaseRequest) -> web.StreamResponse:
        request = Request(http, NEWEST, {})
        try:
            return await self._route(request)
        except ApiError as error:
            answer = error_response(error.status, error.message)
        except web.HTTPException as error:
            answer = error_response(error.status, error.text or error.reason)
        except RuntimeFailed as error:
            answer = error_response(500, str(error))
        except ConnectionError:
            answer = error_response(499, "the client left")
        except Exception as error:
            log.exception("%s %s failed", http.method, http.rel_url)
            answer = error_response(500, f"{type(error).__name__}: {error}")
        return self._too_late(request) or answer

    async def _route(self, request: Request) -> web.StreamResponse:
        http = request.http
        refuse_pages(http)
        if http.headers.get("Expect", "").lower() == "100-continue" and http.transport is not None:
            http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.api_version, path = split_version(http.path)
        found = routes.find(http.method, path)
        if found is None:
            raise NotFound("page not found")
        route, request.path = found
        if route.handler is None:
            raise NotImplemented_(f"{route.method} {route.path} ({route.summary}) is not served by this engine")
        return await _handler(route.handler)(self.engine, request)

    def _too_late(self, request: Request) -> web.StreamResponse | None:
        """Cut the connection where the answer has begun already, so that the client sees that it is not whole."""
        if not request.answering:
            return None
        log.debug("%r failed when its answer had begun", request)
        if request.http.transport is not None:
            request.http.transport.abort()
        return request.answering


class Server(web.Server):
    """aiohttp's server, whose connections tell when their client has left."""

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


def refuse_live(path: Path) -> None:
    """Raise StateError where somebody listens on the socket at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise StateError(f"an engine already listens on {path}; use it, or give this one another --socket")


def listen(path: Path) -> socket.socket:
    """A listening unix socket of mode 0600 at `path`. Raises StateError where somebody else listens there."""
    refuse_live(path)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # the mode comes with bind(2): a chmod afterwards would leave a moment for others
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        raise StateError(f"cannot listen on {path}: {error}; choose a shorter or another --socket") from error
    finally:
        os.umask(before)
    sock.listen(128)
    sock.setblocking(False)
    return sock


class Running:
    """A server that runs; `stop` ends it."""

    def __init__(self, runner: web.ServerRunner, path: Path) -> None:
        self._runner = runner
        self._path = path

    async def stop(self) -> None:
        """Stop listening and drop the clients. Containers go on."""
        self._path.unlink(missing_ok=True)
        await self._runner.cleanup()


async def start(engine: Engine, sock: socket.socket) -> Running:
    """Serve the API on a listening socket."""
    server = Server(
        Api(engine),
        access_log=None,
        # a body may be a compressed image: it is for the handler to see it as it came
        auto_decompress=False,
        lingering_time=2.0,
    )
    # clients that follow events or logs never end by themselves
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    return Running(runner, Path(sock.getsockname()))
