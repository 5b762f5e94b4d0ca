"""The route table: what it finds, what it holds, and that every handler that it names is there."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from labkit.engine.api.routes import ROUTES, find


@pytest.mark.parametrize(
    ("method", "path", "handler", "holes"),
    [
        ("GET", "/containers/json", "containers.list_containers", {}),
        ("GET", "/containers/json/json", "containers.inspect", {"id": "json"}),
        ("POST", "/containers/web/start", "containers.start", {"id": "web"}),
        ("GET", "/images/json", "images.list_images", {}),
        ("GET", "/images/get", "images.save", {}),
        ("GET", "/images/host:5000/a/b:1/json", "images.inspect", {"name": "host:5000/a/b:1"}),
        ("GET", "/images/a/get/get", "images.save_one", {"name": "a/get"}),
        ("DELETE", "/images/labkit/base", "images.remove", {"name": "labkit/base"}),
        ("HEAD", "/_ping", "system.ping", {}),
    ],
)
def test_found(method: str, path: str, handler: str, holes: dict[str, str]) -> None:
    found = find(method, path)
    assert found is not None
    assert (found[0].handler, found[1]) == (handler, holes)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/nothing"),
        ("GET", "/containers"),
        ("POST", "/containers/a/b/start"),
        ("DELETE", "/_ping"),
        ("GET", "/containers//json"),
    ],
)
def test_not_found(method: str, path: str) -> None:
    assert find(method, path) is None


def test_no_endpoint_twice() -> None:
    keys = [(route.method, route.path) for route in ROUTES]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", sorted({route.handler for route in ROUTES if route.handler}))
def test_every_handler_is_a_coroutine_function(name: str) -> None:
    module, _, function = name.partition(".")
    handler = getattr(import_module(f"labkit.engine.api.{module}"), function)
    assert inspect.iscoroutinefunction(handler)
    assert list(inspect.signature(handler).parameters)[:2] == ["engine", "request"]


def test_every_endpoint_of_the_specification_is_known() -> None:
    lines = Path(__file__).with_name("endpoints.txt").read_text().splitlines()
    wanted = {tuple(line.split(" ", 1)) for line in lines if not line.startswith("#")}
    assert len(wanted) > 100
    # a link is removed under the path of two names: there ours lets the hole hold a slash
    known = {(route.method, route.path.replace("/containers/{name}", "/containers/{id}")) for route in ROUTES}
    assert wanted - known == set()
