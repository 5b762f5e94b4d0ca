"""Handlers for networks: the query and the body in, one verb, the answer out. Decisions are in engine/networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response, no_content
from labkit.engine.api.shapes import Shape
from labkit.engine.containers.record import Container
from labkit.engine.engine import Engine
from labkit.engine.errors import BadParameter, NotFound
from labkit.engine.networks import attach, settings
from labkit.engine.networks import create as creating
from labkit.engine.networks.record import Network, shown

CONNECT: Shape = {"Container": str, "EndpointConfig": settings.SHAPE}
DISCONNECT: Shape = {"Container": str, "Force": bool}


def named(engine: Engine, request: Request) -> Network:
    """The network that the path names. Raises NotFound."""
    return engine.networks.get(request.path["id"])


async def list_networks(engine: Engine, request: Request) -> web.Response:
    """GET /networks."""
    return json_response([shown(network) for network in engine.networks.listed(request.filters())])


async def inspect(engine: Engine, request: Request) -> web.Response:
    """GET /networks/{id}: with the containers that are connected now."""
    network = named(engine, request)
    if request.text("scope") not in ("", "local"):
        raise NotFound(f"network {request.path['id']} not found")
    members = engine.networks.members[network.id].values()
    return json_response(shown(network, {c.id: _member(c, c.attached[network.name]) for c in members}))


def _member(container: Container, endpoint: Mapping[str, Any]) -> dict[str, str]:
    return {
        "Name": container.name,
        "EndpointID": endpoint["id"],
        "MacAddress": endpoint["mac"],
        "IPv4Address": f"{endpoint['ip']}/{endpoint['prefix']}" if endpoint["ip"] else "",
        "IPv6Address": "",
    }


async def create(engine: Engine, request: Request) -> web.Response:
    """POST /networks/create."""
    network = await engine.networks.create(await request.json(creating.SHAPE))
    engine.publish("network", "create", network.id, network.event_attributes)
    return json_response({"Id": network.id, "Warning": creating.warning(network)}, 201)


async def remove(engine: Engine, request: Request) -> web.Response:
    """DELETE /networks/{id}."""
    network = named(engine, request)
    await engine.networks.remove(network)
    engine.publish("network", "destroy", network.id, network.event_attributes)
    return no_content()


async def prune(engine: Engine, request: Request) -> web.Response:
    """POST /networks/prune: those that somebody made and no running container is on."""
    removed = await engine.networks.prune(request.filters())
    for network in removed:
        engine.publish("network", "destroy", network.id, network.event_attributes)
    engine.publish("network", "prune", "", {"reclaimed": "0"})
    return json_response({"NetworksDeleted": [network.name for network in removed] or None})


async def connect(engine: Engine, request: Request) -> web.Response:
    """POST /networks/{id}/connect."""
    body = await request.json(CONNECT)
    container = _container(engine, body)
    await attach.connect(engine, container, named(engine, request).id, body.get("EndpointConfig") or {})
    return no_content(200)


async def disconnect(engine: Engine, request: Request) -> web.Response:
    """POST /networks/{id}/disconnect."""
    body = await request.json(DISCONNECT)
    await attach.disconnect(engine, _container(engine, body), named(engine, request).id)
    return no_content(200)


def _container(engine: Engine, body: Mapping[str, Any]) -> Container:
    if not body.get("Container"):
        raise BadParameter('invalid name or ID supplied: ""')
    return engine.containers.get(body["Container"])
