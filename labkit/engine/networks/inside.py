"""What a container finds inside of its networks: settings, /etc/hosts, /etc/resolv.conf, the resolver behind it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from labkit import linux
from labkit.engine.containers import files
from labkit.engine.containers.record import Container
from labkit.engine.networks import linking, upstream
from labkit.engine.networks.attached import endpoints, networks, resolves, way_out
from labkit.engine.networks.names import Neighbour, View, links_of, names_of
from labkit.engine.networks.record import Network
from labkit.engine.networks.resolver import Resolver, sockets

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

RESOLV_CONF = "/etc/resolv.conf"

IPV6_OFF = "/proc/sys/net/ipv6/conf/default/disable_ipv6"
"""For the devices that come into the network namespace of whoever writes here; its loopback stays as it is."""


def ipv4_only(container: Container, pid: int) -> None:
    """Switch IPv6 off for the cables to come, unless the container asks for settings of IPv6: none of ours gives it.

    Left on, a device makes an address of its own, and asks all neighbours whether it is free and who is a router: some
    40 packets at each start, each of which a bridge passes on to every other container. Docker switches it off, too.
    """
    if any(name.startswith("net.ipv6.") for name in container.host_config.get("Sysctls") or ()):
        return
    # a kernel without IPv6, or a place where settings are not ours to change: then all works as well, if slower
    with linux.in_namespace(pid, "net", linux.CLONE_NEWNET), contextlib.suppress(OSError), open(IPV6_OFF, "w") as file:
        file.write("1")


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


def edit_hosts(engine: Engine, container: Container, ip: str, *, there: bool) -> None:
    """Put the line of one address in, or take it out. The rest may be the container's own by now."""
    folder = engine.containers.folder(container)
    lines = [line for line in files.read(f"{folder}/hosts").splitlines() if line.split()[:1] != [ip]]
    lines += [f"{ip}\t{_own_names(container)}"] if there else []
    files.write(folder, "hosts", "\n".join(lines) + "\n")


# --- names -------------------------------------------------------------------------------------------------------


def serve_names(engine: Engine, container: Container, pid: int) -> None:
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
    for network in networks(engine, container):
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
