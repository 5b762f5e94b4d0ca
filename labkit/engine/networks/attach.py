"""Containers on networks: plugged in at a start, connected and disconnected while they run, released at their end.

What a container asked for stands in its record as `endpoints`, by the network's name. What it has while it runs
stands beside it as `attached`: so an API process that begins anew knows it too.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError, Conflict, ServerError, StateError
from labkit.engine.networks import bridge, inside, linking, publishing, settings
from labkit.engine.networks.addresses import mac_for
from labkit.engine.networks.attached import endpoints, networks, resolves, way_out
from labkit.engine.networks.endpoint import Endpoint, free_number, from_json, new_id
from labkit.engine.networks.ports import CannotPublish
from labkit.engine.networks.record import Network
from labkit.engine.rtnetlink import default_route
from labkit.engine.state import read_json

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

log = logging.getLogger(__name__)

Json = dict[str, Any]


def tell(engine: Engine, network: Network, action: str, container: Container) -> None:
    """Publish an event about a container on a network."""
    engine.publish("network", action, network.id, {"container": container.id, **network.event_attributes})


# --- start and end -----------------------------------------------------------------------------------------------


def reserve(engine: Engine, container: Container) -> None:
    """Choose the addresses for a start, before there is a process. Raises ApiError; `release` undoes it."""
    release(engine, container)
    for name, asked in container.endpoints.items():
        network = engine.networks.get(name)
        settings.check_on(network, asked)
        _join(engine, container, network, asked)


def _join(engine: Engine, container: Container, network: Network, asked: Json) -> Endpoint:
    number = free_number(kept["number"] for kept in container.attached.values() if kept["ip"])
    endpoint = _endpoint(engine, network, asked, number)
    container.attached[network.name] = endpoint.to_json()
    engine.networks.members[network.id][container.id] = container
    return endpoint


def _endpoint(engine: Engine, network: Network, asked: Json, number: int) -> Endpoint:
    addresses = engine.networks.addresses_of(network.id)
    if network.plan is None or addresses is None or engine.networks.bridge_of(network) is None:
        return Endpoint(new_id(), network.id)
    ipam = asked.get("IPAMConfig") or {}
    ip = addresses.take(ipam.get("IPv4Address") or "")
    return Endpoint(
        new_id(),
        network.id,
        ip,
        network.plan.prefix,
        network.plan.gateway if network.external else "",
        asked.get("MacAddress") or mac_for(ip),
        number,
        tuple(ipam.get("LinkLocalIPs") or ()),
    )


ANNOTATION = "labkit.attached"


def oci_annotations(container: Container) -> dict[str, str]:
    """What was reserved, for the OCI config: it is written before there is a process, the record only afterwards."""
    return {ANNOTATION: json.dumps(container.attached)}


def read_oci_annotations(container: Container, path: str) -> None:
    """Learn from the OCI config where a container is whose start the last engine did not live to write down."""
    try:
        container.attached = json.loads((read_json(path) or {})["annotations"][ANNOTATION])
    except (StateError, OSError, KeyError, TypeError, ValueError) as missing:
        log.warning("the addresses of %s are not known: %r", container.name, missing)


def plug_in(engine: Engine, container: Container, pid: int) -> None:
    """Connect the network namespace of `pid` to all that was reserved. Raises OSError, ApiError."""
    if not container.attached or "host" in container.attached:
        return
    gateway = way_out(container)
    if gateway:
        engine.networks.firewall.open_way()
    inside.ipv4_only(container, pid)
    bridge.plug_in(engine.networks.link, pid, _cables(engine, container), gateway.gateway if gateway else "")
    inside.write_hosts(engine, container)
    linking.tell_parents(engine, container, inside.write_hosts)
    inside.serve_names(engine, container, pid)
    publishing.sync(engine, container)


def _cables(engine: Engine, container: Container) -> Iterator[tuple[Endpoint, bridge.Bridge]]:
    for name, endpoint in endpoints(container).items():
        stands = engine.networks.bridge_of(engine.networks.get(name))
        if endpoint.ip and stands:
            yield endpoint, stands


def started(engine: Engine, container: Container) -> None:
    """Tell of the networks that a start connected."""
    for network in networks(engine, container):
        tell(engine, network, "connect", container)


def release(engine: Engine, container: Container) -> list[Network]:
    """Give back what it had, and say where it was. The cables go with the namespace: far quicker than RTM_DELLINK."""
    left = networks(engine, container)
    for network in left:
        _leave(engine, container, network)
    container.attached, container.ports = {}, {}
    engine.networks.publisher.withdraw(container.id)
    if resolver := engine.networks.resolvers.pop(container.id, None):
        resolver.close()
    return left


def _leave(engine: Engine, container: Container, network: Network) -> None:
    kept = container.attached.pop(network.name)
    engine.networks.members[network.id].pop(container.id, None)
    if addresses := engine.networks.addresses_of(network.id):
        addresses.give_back(kept["ip"])


def resume(engine: Engine, container: Container) -> None:
    """Serve a container again that lived on while the engine was away."""
    for name, endpoint in endpoints(container).items():
        network = engine.networks.named(name)
        if network is None:
            del container.attached[name]
            continue
        engine.networks.members[network.id][container.id] = container
        if endpoint.ip and (addresses := engine.networks.addresses_of(network.id)):
            addresses.reserve(endpoint.ip)
    try:
        inside.serve_names(engine, container, container.state.pid)
        (publishing.again if container.ports else publishing.sync)(engine, container)
    except (OSError, ApiError) as refused:
        log.error("%s lives on, but its names and published ports are not served: %s", container.name, refused)


# --- connect, disconnect -----------------------------------------------------------------------------------------


async def connect(engine: Engine, container: Container, ref: str, asked: Json) -> None:
    """Connect a container to a network, at once if it runs and else at its next start. Raises ApiError."""
    wanted = settings.kept(asked)
    async with container.lock:
        network = engine.networks.get(ref)
        _check_there(container)
        settings.check_connect(network, container.network_mode, container.endpoints)
        settings.check_on(network, wanted)
        if container.state.has_process:
            _connect_now(engine, container, network, wanted)
        container.endpoints[network.name] = wanted
        engine.containers.try_save(container)
        if network.name in container.attached:
            tell(engine, network, "connect", container)


def _check_there(container: Container) -> None:
    if container.state.status in ("removing", "dead"):
        raise Conflict(f"container {container.id} is marked for removal and cannot be connected or disconnected")


def _connect_now(engine: Engine, container: Container, network: Network, asked: Json) -> None:
    if network.name in container.attached:
        raise settings.already(container.name, network.name)
    had_way_out = way_out(container)
    endpoint = _join(engine, container, network, asked)
    stands = engine.networks.bridge_of(network)
    try:
        if endpoint.ip and stands:
            if endpoint.gateway:
                engine.networks.firewall.open_way()
            gateway = "" if had_way_out else endpoint.gateway
            bridge.plug_in(engine.networks.link, container.state.pid, [(endpoint, stands)], gateway)
    except OSError as refused:
        _leave(engine, container, network)
        raise ServerError(f"cannot connect {container.name} to {network.name}: {refused}") from refused
    if endpoint.ip:
        inside.edit_hosts(engine, container, endpoint.ip, there=True)
    container.endpoints[network.name] = asked
    _follow(engine, container)


async def disconnect(engine: Engine, container: Container, ref: str) -> None:
    """Disconnect a container from a network, at once if it runs. Raises ApiError."""
    async with container.lock:
        network = engine.networks.get(ref)
        _check_there(container)
        settings.check_disconnect(network, container.network_mode)
        there = container.attached if container.state.has_process else container.endpoints
        if network.name not in there:
            raise ServerError(f"container {container.id} is not connected to network {network.name}")
        container.endpoints.pop(network.name, None)
        if container.state.has_process:
            _disconnect_now(engine, container, network)
        engine.containers.try_save(container)
        tell(engine, network, "disconnect", container)


def _disconnect_now(engine: Engine, container: Container, network: Network) -> None:
    endpoint, had_way_out = from_json(container.attached[network.name]), way_out(container)
    _leave(engine, container, network)
    if not endpoint.ip:
        return
    bridge.take_down(engine.networks.link, endpoint.cable)
    now = way_out(container)
    if now and now != had_way_out:
        with contextlib.suppress(OSError):  # a container with NET_ADMIN may have routes of its own
            bridge.configure(container.state.pid, [default_route(now.gateway)])
    inside.edit_hosts(engine, container, endpoint.ip, there=False)
    _follow(engine, container)


def _follow(engine: Engine, container: Container) -> None:
    """Let names and ports follow from the networks that a running container is on now."""
    served = container.id in engine.networks.resolvers
    if served != resolves(container):
        inside.serve_names(engine, container, container.state.pid)
        inside.write_resolv_conf(engine, container)
    try:
        publishing.sync(engine, container)
    except CannotPublish as refused:
        log.warning("the ports of %s are not published: %s", container.name, refused)
