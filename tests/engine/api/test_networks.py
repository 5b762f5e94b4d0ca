"""Networks over HTTP: statuses, words and shapes; and the nouns of which there are none. No bridge is made."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from labkit.engine.api import server
from labkit.engine.containers import start
from labkit.engine.engine import Engine
from labkit.engine.networks import bridge
from labkit.engine.networks.store import Networks
from tests.engine.api.harness import Client
from tests.engine.containers.fakes import make_engine, new

Ask = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine whose bridges are names: nothing is asked of the kernel."""
    monkeypatch.setattr(bridge, "stand_up", lambda link, name, *_: bridge.Bridge(name, 7))
    monkeypatch.setattr(bridge, "take_down", lambda link, name: None)
    made = make_engine(tmp_path)
    monkeypatch.setattr(made.networks.firewall, "_usable", False)
    return made


@pytest.fixture
async def ask(ours: Engine, tmp_path: Path) -> AsyncIterator[Ask]:
    running = await server.start(ours, server.listen(tmp_path / "s"))

    async def ask(method: str, url: str, body: Any = None) -> tuple[int, Any]:
        client = await Client.connect(tmp_path / "s")
        data = b"" if body is None else json.dumps(body).encode()
        status, headers = await client.ask(method, url, {"Content-Type": "application/json"}, data)
        text = await client.body(headers)
        client.close()
        return status, json.loads(text) if text else None

    yield ask
    await running.stop()


def filtered(**filters: list[str]) -> str:
    return f"/networks?filters={quote(json.dumps(filters))}"


async def names(ask: Ask, **filters: list[str]) -> list[str]:
    return sorted(network["Name"] for network in (await ask("GET", filtered(**filters)))[1])


async def test_three_networks_are_always_there(ask: Ask) -> None:
    found = (await ask("GET", "/networks"))[1]
    assert [(n["Name"], n["Driver"]) for n in found] == [("bridge", "bridge"), ("host", "host"), ("none", "null")]
    assert found[0]["IPAM"]["Config"][0].keys() == {"Subnet", "Gateway"}
    assert len({n["Id"] for n in found}) == 3


async def test_a_network_is_made_found_and_removed(ask: Ask, ours: Engine) -> None:
    status, made = await ask("POST", "/networks/create", {"Name": "test 01", "Labels": {"a": "1"}})
    assert (status, made["Warning"]) == (201, "")
    for ref in ("test%2001", made["Id"], made["Id"][:12]):
        assert (await ask("GET", f"/networks/{ref}"))[1]["Id"] == made["Id"]
    assert await names(ask, type=["custom"]) == ["test 01"]
    assert await ask("DELETE", "/networks/test%2001") == (204, None)
    assert await ask("GET", "/networks/test%2001") == (404, {"message": "network test 01 not found"})
    told = ours.events.past({"type": ["network"]}, 0)
    assert [(e["Action"], e["Actor"]["Attributes"]["name"]) for e in told] == [
        ("create", "test 01"),
        ("destroy", "test 01"),
    ]


async def test_a_name_is_given_once(ask: Ask) -> None:
    await ask("POST", "/networks/create", {"Name": "web"})
    refusal = await ask("POST", "/networks/create", {"Name": "web", "CheckDuplicate": True})
    assert refusal == (409, {"message": "network with name web already exists"})


async def test_two_networks_do_not_share_a_subnet(ask: Ask) -> None:
    for number in range(3):
        await ask("POST", "/networks/create", {"Name": f"n{number}"})
    subnets = [n["IPAM"]["Config"][0]["Subnet"] for n in (await ask("GET", filtered(driver=["bridge"])))[1]]
    assert len(set(subnets)) == 4
    again = {"Name": "again", "IPAM": {"Config": [{"Subnet": subnets[0]}]}}
    assert (await ask("POST", "/networks/create", again))[0] == 403


async def test_networks_outlive_the_engine_process(ask: Ask, ours: Engine) -> None:
    made = (await ask("POST", "/networks/create", {"Name": "web"}))[1]
    networks = await Networks.load(ours.state, ours.networks.firewall)
    assert networks.get("web").id == made["Id"]
    assert networks.get("bridge").plan == ours.networks.get("bridge").plan
    networks.close()


async def test_a_container_is_connected_while_it_does_not_run(ask: Ask, ours: Engine) -> None:
    container = new(ours, "web", HostConfig={"NetworkMode": "bridge"})
    await ask("POST", "/networks/create", {"Name": "back"})
    asked = {"Container": "web", "EndpointConfig": {"Aliases": ["shop"], "MacAddress": "02:42:ac:11:00:02"}}
    assert (await ask("POST", "/networks/back/connect", asked))[0] == 200
    shown = (await ask("GET", "/containers/web/json"))[1]["NetworkSettings"]["Networks"]
    assert list(shown) == ["bridge", "back"]
    assert (shown["back"]["Aliases"], shown["back"]["MacAddress"]) == (["shop"], "02:42:ac:11:00:02")
    assert shown["back"]["DNSNames"] == ["web", "shop", container.id[:12]]
    assert (await ask("POST", "/networks/bridge/disconnect", {"Container": "web"}))[0] == 200
    assert list(container.endpoints) == ["back"]
    status, _ = await ask("POST", "/networks/bridge/disconnect", {"Container": "web"})
    assert status == 500, "as dockerd"


async def test_a_network_shows_who_is_connected_and_cannot_go(ask: Ask, ours: Engine) -> None:
    container = new(ours, "web")
    await start.start(ours, container)
    members = (await ask("GET", "/networks/host"))[1]["Containers"]
    assert [one["Name"] for one in members.values()] == ["web"]
    assert [e["Action"] for e in ours.events.past({}, 0)] == ["create", "connect", "start"]


REFUSED = [
    ("POST", "/networks/create", {"Name": "host"}, 403),
    ("POST", "/networks/create", {"Name": "x", "Driver": "host"}, 403),
    ("POST", "/networks/create", {"Name": 7}, 400),
    ("POST", "/networks/create", {}, 400),
    ("GET", filtered(colour=["x"]), None, 400),
    ("DELETE", "/networks/bridge", None, 403),
    ("DELETE", "/networks/nosuch", None, 404),
    ("POST", "/networks/bridge/connect", {}, 400),
    ("POST", "/networks/bridge/connect", {"Container": "nosuch"}, 404),
    ("POST", "/networks/nosuch/connect", {"Container": "web"}, 404),
    ("POST", "/networks/host/connect", {"Container": "web"}, 400),
    ("POST", "/networks/none/connect", {"Container": "web"}, 400),
    ("POST", "/networks/nosuch/disconnect", {"Container": "web"}, 404),
    ("GET", "/plugins/nosuch/json", None, 404),
]


@pytest.mark.parametrize(("method", "url", "body", "status"), REFUSED)
async def test_refusals(ask: Ask, ours: Engine, method: str, url: str, body: Any, status: int) -> None:
    new(ours, "web", HostConfig={"NetworkMode": "bridge"})
    got, said = await ask(method, url, body)
    assert (got, list(said)) == (status, ["message"])


async def test_prune(ask: Ask) -> None:
    assert await ask("POST", "/networks/prune") == (200, {"NetworksDeleted": None})
    await ask("POST", "/networks/create", {"Name": "old", "Labels": {"keep": "1"}})
    await ask("POST", "/networks/create", {"Name": "new"})
    unlabelled = quote(json.dumps({"label!": ["keep"]}))
    assert (await ask("POST", f"/networks/prune?filters={unlabelled}"))[1] == {"NetworksDeleted": ["new"]}
    assert await names(ask, type=["custom"]) == ["old"]


async def test_links_are_removed_by_the_path_of_their_name(ask: Ask, ours: Engine) -> None:
    new(ours, "db", HostConfig={"NetworkMode": "bridge"})
    web = new(ours, "web", HostConfig={"NetworkMode": "bridge", "Links": ["db:database"]})
    assert (await ask("GET", "/containers/web/json"))[1]["HostConfig"]["Links"] == ["/db:/web/database"]
    rows = (await ask("GET", "/containers/json?all=1"))[1]
    assert sorted(name for row in rows for name in row["Names"]) == ["/db", "/web", "/web/database"]
    assert (await ask("DELETE", "/containers/web/database?link=1"))[0] == 204
    assert web.links == {}
    assert (await ask("DELETE", "/containers/web/database?link=1"))[0] == 404


async def test_none_of_these_is_a_true_answer(ask: Ask) -> None:
    assert await ask("GET", "/plugins") == (200, [])
