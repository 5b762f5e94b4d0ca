"""Containers on networks: plugged in at a start, connected and disconnected while they run, released at their end.

What a container asked for stands in its record as `endpoints`, by the network's name. What it has while it runs
stands beside it as `attached`: so an API process that begins anew knows it too.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import files
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError, Conflict, ServerError
from labkit.engine.networks import bindings, bridge, linking, settings, upstream
from labkit.engine.networks.addresses import mac_for
from labkit.engine.networks.bindings import Binding
from labkit.engine.networks.endpoint import Endpoint, free_number, from_json, new_id
from labkit.engine.networks.names import Neighbour, View, links_of, names_of
from labkit.engine.networks.ports import CannotPublish
from labkit.engine.networks.record import HOST_ADDRESS, PREDEFINED, Network
from labkit.engine.networks.resolver import Resolver, sockets
from labkit.engine.rtnetlink import default_route

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

log = logging.getLogger(__name__)

Json = dict[str, Any]

RESOLV_CONF = "/etc/resolv.conf"


def endpoints(container: Container) -> dict[str, Endpoint]:
    """network name -> the endpoint that the container has there now."""
    return {name: from_json(kept) for name, kept in container.attached.items()}


def way_out(container: Container) -> Endpoint | None:
    """The endpoint that has the default route, and that published ports lead to: the first with a gateway."""
    return next((from_json(kept) for kept in container.attached.values() if kept["gateway"]), None)


def resolves(container: Container) -> bool:
    """Whether the container gets a resolver of ours: on a network that somebody made, it does."""
    return any(name not in PREDEFINED for name in container.endpoints)


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


def plug_in(engine: Engine, container: Container, pid: int) -> None:
    """Connect the network namespace of `pid` to all that was reserved. Raises OSError, ApiError."""
    if not container.attached or "host" in container.attached:
        return
    gateway = way_out(container)
    if gateway:
        engine.networks.firewall.open_way()
    bridge.plug_in(engine.networks.link, pid, _cables(engine, container), gateway.gateway if gateway else "")
    write_hosts(engine, container)
    linking.tell_parents(engine, container, write_hosts)
    _serve_names(engine, container, pid)
    sync_ports(engine, container)


def _cables(engine: Engine, container: Container) -> Iterator[tuple[Endpoint, bridge.Bridge]]:
    for name, endpoint in endpoints(container).items():
        stands = engine.networks.bridge_of(engine.networks.get(name))
        if endpoint.ip and stands:
            yield endpoint, stands


def started(engine: Engine, container: Container) -> None:
    """Tell of the networks that a start connected."""
    for network in _networks(engine, container):
        tell(engine, network, "connect", container)


def _networks(engine: Engine, container: Container) -> list[Network]:
    return [network for name in container.attached if (network := engine.networks.named(name))]


def release(engine: Engine, container: Container) -> list[Network]:
    """Give back what it had, and say where it was. The cables go with the namespace: far quicker than RTM_DELLINK."""
    left = _networks(engine, container)
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
        _serve_names(engine, container, container.state.pid)
        _publish_again(engine, container)
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
        _edit_hosts(engine, container, endpoint.ip, there=True)
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
    _edit_hosts(engine, container, endpoint.ip, there=False)
    _follow(engine, container)


def _follow(engine: Engine, container: Container) -> None:
    """Let names and ports follow from the networks that a running container is on now."""
    served = container.id in engine.networks.resolvers
    if served != resolves(container):
        _serve_names(engine, container, container.state.pid)
        write_resolv_conf(engine, container)
    try:
        sync_ports(engine, container)
    except CannotPublish as refused:
        log.warning("the ports of %s are not published: %s", container.name, refused)


# --- the files inside --------------------------------------------------------------------------------------------


def write_resolv_conf(engine: Engine, container: Container) -> None:
    """/etc/resolv.conf: the machine's resolvers, or ours."""
    text = files.resolv_conf(files.read(RESOLV_CONF), container.host_config, own=resolves(container))
    files.write(engine.containers.folder(container), "resolv.conf", text)


def write_hosts(engine: Engine, container: Container) -> None:
    """/etc/hosts: this machine's names, extra ones and links, then the container's own addresses."""
    gateway = way_out(container)
    text = files.hosts(
        _own_names(container),
        [endpoint.ip for endpoint in endpoints(container).values() if endpoint.ip],
        container.host_config.get("ExtraHosts") or (),
        gateway.gateway if gateway else "",
        linking.hosts_lines(engine, container),
    )
    files.write(engine.containers.folder(container), "hosts", text)


def _own_names(container: Container) -> str:
    domain = container.config.get("Domainname") or ""
    return f"{container.hostname}.{domain} {container.hostname}" if domain else container.hostname


def _edit_hosts(engine: Engine, container: Container, ip: str, *, there: bool) -> None:
    """Put the line of one address in, or take it out. The rest may be the container's own by now."""
    folder = engine.containers.folder(container)
    lines = [line for line in files.read(f"{folder}/hosts").splitlines() if line.split()[:1] != [ip]]
    lines += [f"{ip}\t{_own_names(container)}"] if there else []
    files.write(folder, "hosts", "\n".join(lines) + "\n")


# --- names -------------------------------------------------------------------------------------------------------


def _serve_names(engine: Engine, container: Container, pid: int) -> None:
    """Give a container its resolver, or take it away, as its networks want it. Raises OSError."""
    resolvers = engine.networks.resolvers
    if not resolves(container):
        if resolver := resolvers.pop(container.id, None):
            resolver.close()
    elif container.id not in resolvers:
        resolvers[container.id] = Resolver(
            sockets(pid), lambda: views(engine, container), lambda: _servers(container), engine.networks.outside
        )


def views(engine: Engine, container: Container) -> list[View]:
    """The user-defined networks that a container is on, as it sees them."""
    found = []
    for network in _networks(engine, container):
        if network.user_defined:
            there = [_neighbour(other, network) for other in engine.networks.members[network.id].values()]
            found.append(View(network.name, there, links_of(container.endpoints.get(network.name) or {})))
    return found


def _neighbour(other: Container, network: Network) -> Neighbour:
    asked = other.endpoints.get(network.name) or {}
    hostname = str(other.config.get("Hostname") or "")
    return Neighbour(other.attached[network.name]["ip"], names_of(other.id, other.name, hostname, asked))


def _servers(container: Container) -> list[str]:
    """Who is asked for other names: nobody, where all networks are internal."""
    if way_out(container) is None:
        return []
    return upstream.servers(files.read(RESOLV_CONF), container.host_config.get("Dns") or ())


# --- published ports ---------------------------------------------------------------------------------------------


def sync_ports(engine: Engine, container: Container) -> None:
    """Publish a container's ports while it has a way out, and only then. Raises CannotPublish."""
    publisher, way = engine.networks.publisher, way_out(container)
    exposed = container.config.get("ExposedPorts") or {}
    if way is None:
        publisher.withdraw(container.id)
        container.ports = bindings.shown(exposed, {}) if any(e.ip for e in endpoints(container).values()) else {}
    elif not publisher.has(container.id):
        wanted = bindings.parse(container.host_config, exposed, _host_address(engine, way))
        published = _publish(engine, container, wanted, way) if wanted else {}
        container.ports = bindings.shown(exposed, published)


def _host_address(engine: Engine, way: Endpoint) -> str:
    network = engine.networks.find(way.network)
    return network.options.get(HOST_ADDRESS, "") if network else ""


def _publish(engine: Engine, container: Container, wanted: list[Binding], way: Endpoint) -> dict[str, list[Json]]:
    def target() -> str:
        now = way_out(container)
        return now.ip if now else ""

    try:
        return engine.networks.publisher.publish(container.id, wanted, target)
    except CannotPublish as refused:
        name = f"{container.name} ({way.id})"
        raise CannotPublish(
            f"driver failed programming external connectivity on endpoint {name}: {refused.message}"
        ) from refused


def _publish_again(engine: Engine, container: Container) -> None:
    """The same ports as before the API process ended, the random ones too."""
    way = way_out(container)
    wanted = [
        Binding(*bindings.split(key), (place["HostIp"],), range(int(place["HostPort"]), int(place["HostPort"]) + 1))
        for key, places in container.ports.items()
        for place in places or ()
    ]
    if wanted and way:
        _publish(engine, container, wanted, way)
