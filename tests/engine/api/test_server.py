"""The server around the handlers: versions, errors, headers, what a body and a query may be, and its socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from labkit.engine.api import server
from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response, no_content
from labkit.engine.api.server import listen, split_version
from labkit.engine.api.shapes import Each, check
from labkit.engine.api.streams import json_stream
from labkit.engine.engine import Engine
from labkit.engine.errors import BadParameter, Conflict, NotModified, StateError
from labkit.engine.events import Events
from tests.engine.api.harness import Client

JSON = {"Content-Type": "application/json"}


async def _echo(engine: Engine, request: Request) -> web.StreamResponse:
    body = await request.json({"Image": str, "HostConfig": {"Memory": int}})
    return json_response({"body": body, "t": request.number("t"), "filters": request.filters()}, 201)


async def _conflict(engine: Engine, request: Request) -> web.StreamResponse:
    raise Conflict(f"{request.path['id']} is running")


async def _not_modified(engine: Engine, request: Request) -> web.StreamResponse:
    raise NotModified


async def _bug(engine: Engine, request: Request) -> web.StreamResponse:
    raise RuntimeError("a bug")


async def _late_bug(engine: Engine, request: Request) -> web.StreamResponse:
    async def lines() -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("too late for a status")

    return await json_stream(request, lines())


async def _nothing(engine: Engine, request: Request) -> web.StreamResponse:
    return no_content()


HANDLERS = {
    "containers.create": _echo,
    "containers.stop": _conflict,
    "containers.start": _not_modified,
    "containers.kill": _bug,
    "containers.stats": _late_bug,
    "containers.pause": _nothing,
}


@pytest.fixture
async def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A server with a few handlers of the test's own; all others are the engine's."""
    real = server._handler
    monkeypatch.setattr(server, "_handler", lambda name: HANDLERS.get(name) or real(name))
    engine = cast(Engine, SimpleNamespace(events=Events()))
    sock = listen(tmp_path / "s")
    running = await server.start(engine, sock)
    yield tmp_path / "s"
    await running.stop()


async def ask(path: Path, method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Any:
    client = await Client.connect(path)
    status, fields = await client.ask(method, url, headers, body)
    text = b"" if method == "HEAD" else await client.body(fields)
    client.close()
    return status, fields, json.loads(text) if fields.get("content-type") == "application/json" else text


@pytest.mark.parametrize("prefix", ["", "/v1.24", "/v1.41", "/v1.45"])
async def test_ping_with_any_accepted_version(path: Path, prefix: str) -> None:
    status, headers, body = await ask(path, "GET", f"{prefix}/_ping")
    assert (status, body) == (200, b"OK")
    assert (headers["api-version"], headers["ostype"], headers["docker-experimental"]) == ("1.45", "linux", "false")
    assert headers["server"].startswith("labkit/")
    assert headers["cache-control"] == "no-cache, no-store, must-revalidate"


async def test_head_ping_has_no_body(path: Path) -> None:
    status, headers, _ = await ask(path, "HEAD", "/_ping")
    assert (status, headers["api-version"]) == (200, "1.45")


@pytest.mark.parametrize(
    ("url", "status", "message"),
    [
        ("/v1.46/_ping", 400, "client version 1.46 is too new. Maximum supported API version is 1.45"),
        ("/v1.23/_ping", 400, "client version 1.23 is too old. Minimum supported API version is 1.24"),
        ("/nothing", 404, "page not found"),
        ("/v1.45/containers", 404, "page not found"),
        ("/v1.45/nodes", 501, "GET /nodes (list nodes) is not served by this engine"),
        ("/events?filters=%7B%22colour%22:%5B%22red%22%5D%7D", 400, "invalid filter 'colour'"),
        ("/events?filters=%7B", 400, "invalid filters"),
        ("/events?since=yesterday", 400, "invalid value 'yesterday' for since: not a number"),
    ],
)
async def test_errors_have_dockers_shape(path: Path, url: str, status: int, message: str) -> None:
    got, headers, body = await ask(path, "GET", url)
    assert (got, headers["content-type"], list(body)) == (status, "application/json", ["message"])
    assert body["message"].startswith(message)
    assert headers["api-version"] == "1.45"


async def test_errors_of_handlers(path: Path) -> None:
    assert (await ask(path, "POST", "/containers/web/stop"))[::2] == (409, {"message": "web is running"})
    assert (await ask(path, "POST", "/containers/web/start"))[::2] == (304, b"")
    assert (await ask(path, "POST", "/containers/web/kill"))[::2] == (500, {"message": "RuntimeError: a bug"})
    assert (await ask(path, "POST", "/containers/web/pause"))[::2] == (204, b"")


async def test_an_error_after_the_head_cuts_the_connection(path: Path) -> None:
    client = await Client.connect(path)
    _, headers = await client.ask("GET", "/containers/web/stats")
    with pytest.raises((asyncio.IncompleteReadError, ValueError, ConnectionError)):
        await client.body(headers)


async def test_swarm_leave_says_503(path: Path) -> None:
    status, _, body = await ask(path, "POST", "/swarm/leave?force=True")
    assert status == 503
    assert "This node is not part of a swarm" in body["message"]


@pytest.mark.parametrize(
    ("url", "location"),
    [("/v1.45/images//json?all=1", "/v1.45/images/json?all=1"), ("//_ping", "/_ping"), ("/a/../_ping", "/_ping")],
)
async def test_an_unclean_path_is_redirected(path: Path, url: str, location: str) -> None:
    status, headers, _ = await ask(path, "GET", url)
    assert (status, headers["location"]) == (301, location)


async def test_a_body_and_a_query(path: Path) -> None:
    url = '/containers/create?t=3&filters={"label":{"a=b":true,"c":false},"name":["x"]}'.replace('"', "%22")
    status, _, got = await ask(path, "POST", url, JSON, b'{"Image":"x","Unknown":1}')
    assert status == 201
    assert got == {"body": {"Image": "x", "Unknown": 1}, "t": 3, "filters": {"label": ["a=b"], "name": ["x"]}}
    assert (await ask(path, "POST", "/containers/create"))[2]["body"] == {}


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        (JSON, b"{", "invalid JSON"),
        (JSON, b"[]", "invalid JSON: an object is needed"),
        (JSON, b'{"Image": 1}', "invalid JSON: body.Image cannot be of type number"),
        (JSON, b'{"HostConfig": {"Memory": true}}', "invalid JSON: body.HostConfig.Memory cannot be of type bool"),
        (JSON, b"\xff", "invalid JSON"),
        (JSON, b"[" * 100_000, "invalid JSON"),
        ({"Content-Type": "text/plain"}, b"{}", "unsupported Content-Type header (text/plain)"),
        ({}, b"{}", "unsupported Content-Type header ()"),
    ],
)
async def test_bad_bodies(path: Path, headers: dict[str, str], body: bytes, message: str) -> None:
    status, _, got = await ask(path, "POST", "/containers/create", headers, body)
    assert status == 400
    assert got["message"].startswith(message)


async def test_a_body_that_is_too_big(path: Path) -> None:
    status, _, got = await ask(path, "POST", "/containers/create", JSON, b" " * (2 << 20))
    assert status == 413
    assert "1048576" in got["message"]


async def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(path: Path) -> None:
    client = await Client.connect(path)
    head = JSON | {"Expect": "100-continue", "Content-Length": "2"}
    assert (await client.ask("POST", "/containers/create", head))[0] == 100
    client.writer.write(b"{}")
    assert (await client.reader.readline()).startswith(b"HTTP/1.1 201")
    client.close()


async def test_a_slow_client_delays_nobody(path: Path) -> None:
    slow = await Client.connect(path)
    slow.writer.write(b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\n{")
    assert (await asyncio.wait_for(ask(path, "GET", "/_ping"), 2))[0] == 200
    slow.close()


async def test_the_socket_is_private_and_a_live_one_is_left_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StateError, match="an engine already listens on"):
        listen(path)


def test_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    with listen(tmp_path / "s") as sock:
        assert sock.getsockname() == str(tmp_path / "s")


async def test_stopping_does_not_wait_for_those_who_follow(tmp_path: Path) -> None:
    engine = cast(Engine, SimpleNamespace(events=Events()))
    running = await server.start(engine, listen(tmp_path / "s"))
    client = await Client.connect(tmp_path / "s")
    assert (await client.ask("GET", "/events"))[0] == 200
    await asyncio.wait_for(running.stop(), 2)
    assert not (tmp_path / "s").exists()


def test_versions() -> None:
    assert split_version("/v1.41/info") == ((1, 41), "/info")
    assert split_version("/info") == ((1, 45), "/info")
    assert split_version("/v1/info") == ((1, 45), "/v1/info")


def test_shapes() -> None:
    shape = {"Ports": Each([{"HostPort": str}]), "Cmd": ([str], str)}
    check({"Ports": {"80/tcp": [{"HostPort": "8080"}], "81/tcp": None}, "Cmd": "ls", "More": 1}, shape)
    check({"Cmd": ["ls"]}, shape)
    for wrong in ({"Ports": {"80/tcp": [{"HostPort": 8080}]}}, {"Ports": []}, {"Cmd": 1}, {"Cmd": [1]}):
        with pytest.raises(BadParameter):
            check(wrong, shape)
