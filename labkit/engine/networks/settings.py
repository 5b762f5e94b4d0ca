"""What a container asks of its networks: `EndpointsConfig` of create, `EndpointConfig` of connect. Pure.

A container's record keeps these settings by the network's name, in the order in which its interfaces come; the first
network with a way out has the default route.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from labkit.engine.api.shapes import Labels, Shape
from labkit.engine.errors import BadParameter, Forbidden
from labkit.engine.networks.addresses import parse_address
from labkit.engine.networks.record import BRIDGE, HOST, NONE, Network

Json = dict[str, Any]

SHAPE: Shape = {
    "IPAMConfig": {"IPv4Address": str, "IPv6Address": str, "LinkLocalIPs": [str]},
    "Links": [str],
    "Aliases": [str],
    "MacAddress": str,
    "DriverOpts": Labels,
}

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")

NO_OWN_IP = "user specified IP address is supported on user defined networks only"
NO_SUBNET = "user specified IP address is supported only when connecting to networks with user configured subnets"
NO_ALIAS = "network-scoped alias is supported only for containers in user defined networks"
SHARES = "container sharing network namespace with another container or host cannot be connected to any other network"
IS_HOST = "container cannot be disconnected from host network or connected to host network"
IS_NONE = "container cannot be connected to multiple networks with one of the networks in private (none) mode"


def wanted(mode: str, asked: Mapping[str, Json | None], name_of: Callable[[str], str]) -> dict[str, Json]:
    """network name -> settings, for a container's NetworkMode and EndpointsConfig.

    As with Docker, EndpointsConfig says it all where it says anything. `name_of` gives the name for a name or an id.
    """
    if mode.startswith("container:"):
        return {}
    mode = name_of(BRIDGE if mode in ("", "default") else mode)
    named = {name_of(BRIDGE if ref == "default" else ref): kept(settings or {}) for ref, settings in asked.items()}
    if not named or mode == HOST:
        return {mode: named.get(mode) or kept({})}
    return {name: named[name] for name in sorted(named, key=lambda name: name != mode)}


def kept(asked: Mapping[str, Any]) -> Json:
    """The settings that a record keeps, checked. Raises BadParameter."""
    settings = {name: asked[name] for name in SHAPE if asked.get(name)}
    if "MacAddress" in settings:
        settings["MacAddress"] = check_mac(settings["MacAddress"])
    return settings


def check_mac(text: str) -> str:
    """A hardware address, in small letters. Raises BadParameter, also for one that means many machines."""
    mac = text.lower().replace("-", ":")
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1:
        raise BadParameter(f"invalid MAC address: {text}")
    return mac


def check_on(network: Network, settings: Mapping[str, Any]) -> None:
    """Whether these settings can be had on this network. Raises BadParameter in Docker's words."""
    ipam = settings.get("IPAMConfig") or {}
    own = ipam.get("IPv4Address") or ""
    if not network.user_defined and (own or ipam.get("IPv6Address")):
        raise BadParameter(NO_OWN_IP)
    if not network.user_defined and settings.get("Aliases"):
        raise BadParameter(NO_ALIAS)
    if own:
        parse_address(own)
        if network.plan is None or not network.plan.by_hand:
            raise BadParameter(NO_SUBNET)
    for address in ipam.get("LinkLocalIPs") or ():
        parse_address(address)


def check_connect(network: Network, mode: str, present: Mapping[str, Any]) -> None:
    """Whether a container of this NetworkMode, on the networks `present`, may be connected. Raises BadParameter."""
    if mode == HOST or mode.startswith("container:"):
        raise BadParameter(SHARES)
    if network.name == HOST:
        raise BadParameter(IS_HOST)
    others = present.keys() - {network.name}
    if others and (network.name == NONE or NONE in others):
        raise BadParameter(IS_NONE)


def check_disconnect(network: Network, mode: str) -> None:
    """Whether a container of this NetworkMode may leave. Raises BadParameter."""
    if network.name == HOST and mode == HOST:
        raise BadParameter(IS_HOST)


def already(container: str, network: str) -> Forbidden:
    """The error for a container that is connected."""
    return Forbidden(f"endpoint with name {container} already exists in network {network}")
