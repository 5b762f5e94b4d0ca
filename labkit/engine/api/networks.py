"""The networks that are always there: bridge, host, none (Docker Engine API, "Network"). To look at, not to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aiohttp import web

from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response
from labkit.engine.containers import timestamps, views
from labkit.engine.containers.record import Container
from labkit.engine.engine import Engine
from labkit.engine.errors import BadParameter, Forbidden, NotFound

Network = dict[str, Any]

DRIVERS = {"bridge": "bridge", "host": "host", "none": "null"}

# filter of `GET /networks` -> does this network have the value? A network passes with one value of each filter.
FILTERS: dict[str, Callable[[Network, str], bool]] = {
    "dangling": lambda network, value: value in ("0", "false"),
    "driver": lambda network, value: bool(network["Driver"] == value),
    "id": lambda network, value: value in network["Id"],
    "label": lambda network, value: False,
    "name": lambda network, value: value in network["Name"],
    "scope": lambda network, value: value == "local",
    "type": lambda network, value: value == "builtin",
}


def networks(engine: Engine) -> list[Network]:
    """The networks as `GET /networks` shows them."""
    return [_network(engine, name, id_) for name, id_ in engine.containers.network_ids().items()]


def _network(engine: Engine, name: str, id_: str) -> Network:
    known = engine.network.describe() if engine.network and name == "bridge" else {}
    pool = [{"Subnet": known["subnet"], "Gateway": known["gateway"]}] if known else []
    return {
        "Name": name,
        "Id": id_,
        "Created": timestamps.NEVER,
        "Scope": "local",
        "Driver": DRIVERS[name],
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": pool},
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {},
        "Options": {"com.docker.network.bridge.name": known["name"]} if known else {},
        "Labels": {},
    }


def choose(found: Sequence[Network], filters: Mapping[str, Sequence[str]]) -> list[Network]:
    """The networks that pass all filters. Raises BadParameter for a filter that Docker does not have."""
    if unknown := sorted(set(filters) - set(FILTERS)):
        raise BadParameter(f"invalid filter '{unknown[0]}'")
    return [
        network
        for network in found
        if all(any(FILTERS[name](network, value) for value in values) for name, values in filters.items() if values)
    ]


def find(engine: Engine, ref: str) -> Network:
    """A network by its name, id or the beginning of its id. Raises NotFound."""
    found = networks(engine)
    for network in found:
        if ref in (network["Name"], network["Id"]):
            return network
    beginning = [network for network in found if ref and network["Id"].startswith(ref)]
    if len(beginning) != 1:
        raise NotFound(f"network {ref} not found")
    return beginning[0]


async def list_networks(engine: Engine, request: Request) -> web.Response:
    """GET /networks."""
    return json_response(choose(networks(engine), request.filters()))


async def inspect(engine: Engine, request: Request) -> web.Response:
    """GET /networks/{id}: with the containers that are connected now."""
    network = find(engine, request.path["id"])
    network["Containers"] = {c.id: _member(c.name, own) for c, own in _connected(engine, network["Name"])}
    return json_response(network)


def _connected(engine: Engine, name: str) -> Iterator[tuple[Container, dict[str, Any]]]:
    """The running containers on a network, each with its own settings there."""
    ids = engine.containers.network_ids()
    for container in engine.containers:
        own = views.networks(container, ids).get(name)
        if own is not None and container.state.has_process:
            yield container, own


def _member(name: str, own: Mapping[str, Any]) -> dict[str, str]:
    return {
        "Name": name,
        "EndpointID": own["EndpointID"],
        "MacAddress": own["MacAddress"],
        "IPv4Address": f"{own['IPAddress']}/{own['IPPrefixLen']}" if own["IPAddress"] else "",
        "IPv6Address": "",
    }


async def remove(engine: Engine, request: Request) -> web.Response:
    """DELETE /networks/{id}: none of these may go."""
    name = find(engine, request.path["id"])["Name"]
    raise Forbidden(f"{name} is a pre-defined network and cannot be removed")


async def prune(engine: Engine, request: Request) -> web.Response:
    """POST /networks/prune: those that are always there stay."""
    return json_response({"NetworksDeleted": []})
