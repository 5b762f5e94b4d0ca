"""The networks that are always there, and the nouns of which there are none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from labkit.engine.api import server
from labkit.engine.containers.record import Container, State
from labkit.engine.engine import Engine
from labkit.engine.events import Events
from tests.engine.api.harness import Client

Ask = Callable[[str, str], Awaitable[tuple[int, Any]]]


class Manager(list[Any]):
    """As much of a containers' manager as the handlers need."""

    def network_ids(self) -> dict[str, str]:
        return {name: hashlib.sha256(name.encode()).hexdigest() for name in ("bridge", "host", "none")}


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Ask]:
    described = {"name": "lk0", "subnet": "172.31.0.0/16", "gateway": "172.31.0.1", "error": ""}
    bridge = SimpleNamespace(describe=lambda: described)
    nothing = cast(Any, None)
    engine = Engine(nothing, Events(), nothing, nothing, nothing, cast(Any, bridge), id="e1")
    address = {"ip": "172.31.0.2", "prefix": 16, "mac": "02:42:ac:1f:00:02"}
    web = Container("c1", "web", "", "", {}, {}, endpoint=address, state=State("running"))
    alone = Container("c2", "alone", "", "", {}, {"NetworkMode": "none"}, state=State("running"))
    engine.containers = cast(Any, Manager([web, alone, Container("c3", "off", "", "", {}, {})]))
    running = await server.start(engine, server.listen(tmp_path / "s"))

    async def ask(method: str, url: str) -> tuple[int, Any]:
        client = await Client.connect(tmp_path / "s")
        status, headers = await client.ask(method, url)
        text = await client.body(headers)
        client.close()
        return status, json.loads(text)

    yield ask
    await running.stop()


async def test_three_networks_are_always_there(ask: Ask) -> None:
    found = (await ask("GET", "/networks"))[1]
    assert [(n["Name"], n["Driver"]) for n in found] == [("bridge", "bridge"), ("host", "host"), ("none", "null")]
    assert found[0]["IPAM"]["Config"] == [{"Subnet": "172.31.0.0/16", "Gateway": "172.31.0.1"}]
    assert len({n["Id"] for n in found}) == 3


async def test_a_network_is_found_by_name_id_and_beginning_of_its_id(ask: Ask) -> None:
    bridge = (await ask("GET", "/networks/bridge"))[1]
    assert (await ask("GET", f"/networks/{bridge['Id']}"))[1]["Name"] == "bridge"
    assert (await ask("GET", f"/networks/{bridge['Id'][:12]}"))[1]["Name"] == "bridge"
    assert await ask("GET", "/networks/nosuch") == (404, {"message": "network nosuch not found"})


async def test_a_network_shows_who_is_connected(ask: Ask) -> None:
    connected = (await ask("GET", "/networks/bridge"))[1]["Containers"]
    assert {key: value["IPv4Address"] for key, value in connected.items()} == {"c1": "172.31.0.2/16"}
    assert list((await ask("GET", "/networks/none"))[1]["Containers"]) == ["c2"]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ('{"name":["o"]}', ["host", "none"]),
        ('{"driver":["null","host"]}', ["host", "none"]),
        ('{"type":["custom"]}', []),
        ('{"scope":["local"],"name":["bridge"]}', ["bridge"]),
    ],
)
async def test_filters(ask: Ask, filters: str, names: list[str]) -> None:
    found = (await ask("GET", f"/networks?filters={filters}".replace('"', "%22")))[1]
    assert [network["Name"] for network in found] == names


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/networks?filters=%7B%22colour%22:%5B%22x%22%5D%7D", 400),
        ("DELETE", "/networks/bridge", 403),
        ("DELETE", "/networks/nosuch", 404),
        ("POST", "/networks/create", 501),
        ("GET", "/volumes/nosuch", 404),
        ("DELETE", "/volumes/nosuch", 404),
        ("POST", "/volumes/create", 501),
        ("GET", "/plugins/nosuch/json", 404),
    ],
)
async def test_refusals(ask: Ask, method: str, url: str, status: int) -> None:
    got, body = await ask(method, url)
    assert (got, list(body)) == (status, ["message"])


async def test_none_of_these_is_a_true_answer(ask: Ask) -> None:
    assert await ask("GET", "/volumes") == (200, {"Volumes": [], "Warnings": []})
    assert await ask("GET", "/plugins") == (200, [])
    assert (await ask("POST", "/volumes/prune"))[1]["SpaceReclaimed"] == 0
    assert (await ask("POST", "/build/prune"))[1]["SpaceReclaimed"] == 0
    assert await ask("POST", "/networks/prune") == (200, {"NetworksDeleted": []})
