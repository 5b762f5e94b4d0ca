"""`docker network create`: from a request to a record. Pure.

A request is never obeyed in part: what Docker has and we have not gets 501 and a sentence. What only makes a network
a little less (IPv6) is kept, and a warning says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from labkit.engine.api.shapes import Labels, Shape
from labkit.engine.containers import timestamps
from labkit.engine.errors import ApiError, BadParameter, Forbidden, NotFound, NotImplemented_, Unavailable
from labkit.engine.networks import ipam, record
from labkit.engine.networks.addresses import parse_address
from labkit.engine.networks.record import PREDEFINED, Network

Json = Mapping[str, Any]

SHAPE: Shape = {
    "Name": str,
    "CheckDuplicate": bool,
    "Driver": str,
    "Scope": str,
    "Internal": bool,
    "Attachable": bool,
    "Ingress": bool,
    "ConfigOnly": bool,
    "ConfigFrom": {"Network": str},
    "EnableIPv6": bool,
    "IPAM": {
        "Driver": str,
        "Config": [{"Subnet": str, "IPRange": str, "Gateway": str, "AuxiliaryAddresses": Labels}],
        "Options": Labels,
    },
    "Options": Labels,
    "Labels": Labels,
}

NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)
NO_IPV6 = "IPv6 is kept in the network's record, but this engine gives its containers IPv4 addresses only."

_UNREACHABLE = re.compile(r"[/\x00-\x1f\x7f]")
_DEVICE = re.compile(r"[\w.-]{1,15}", re.ASCII)  # IFNAMSIZ, netdevice(7)


def unserved(what: str) -> NotImplemented_:
    """The error for what Docker has and this engine has not."""
    return NotImplemented_(f"this engine does not serve {what}; leave it out, or use a Docker engine")


# driver -> the error, for all but the one that can be made here
DRIVERS: dict[str, Callable[[], ApiError]] = {
    "host": lambda: Forbidden('only one instance of "host" network is allowed'),
    "null": lambda: Forbidden('only one instance of "null" network is allowed'),
    "overlay": lambda: Unavailable(NO_SWARM),
    "macvlan": lambda: unserved("networks of the driver macvlan"),
    "ipvlan": lambda: unserved("networks of the driver ipvlan"),
}


def network(body: Json, network_id: str, taken: Sequence[IPv4Network]) -> Network:
    """The record for a request of the shape SHAPE. `taken` are ranges that are in use. Raises ApiError."""
    name = check_name(body.get("Name") or "")
    _check_kind(body)
    options = body.get("Options") or {}
    _check_options(options)
    asked = body.get("IPAM") or {}
    return Network(
        network_id,
        name,
        timestamps.now(),
        device=options.get(record.BRIDGE_NAME) or f"lk-{network_id[:12]}",
        plan=ipam.plan(asked, taken),
        internal=bool(body.get("Internal")),
        attachable=bool(body.get("Attachable")),
        ipv6=bool(body.get("EnableIPv6")),
        ipam_options=asked.get("Options"),
        options=dict(options),
        labels=dict(body.get("Labels") or {}),
    )


def check_name(name: str) -> str:
    """A name that may be given. Raises BadParameter, and Forbidden for the names that every engine has."""
    if not name.strip() or _UNREACHABLE.search(name) or len(name) > 255 or name.startswith("container:"):
        raise BadParameter(f"invalid name: {name}")
    if name in PREDEFINED or name == "default":
        raise Forbidden(f"operation is not permitted on predefined {name} network ")
    return name


def _check_kind(body: Json) -> None:
    driver = body.get("Driver") or "bridge"
    if driver in DRIVERS:
        raise DRIVERS[driver]()
    if driver != "bridge":
        raise NotFound(f'plugin "{driver}" not found')
    if body.get("Ingress"):
        raise Forbidden("Ingress network can only be global scope network")
    if body.get("Scope") not in (None, "", "local"):
        raise Unavailable(NO_SWARM)
    if body.get("ConfigOnly") or (body.get("ConfigFrom") or {}).get("Network"):
        raise unserved("networks that only configure others (ConfigOnly, ConfigFrom)")


def _check_options(options: Mapping[str, str]) -> None:
    if options.get(record.BETWEEN_CONTAINERS, "true") == "false":
        raise unserved(f"networks whose containers are kept apart ({record.BETWEEN_CONTAINERS}=false)")
    device = options.get(record.BRIDGE_NAME, "")
    if device and not _DEVICE.fullmatch(device):
        raise BadParameter(f"invalid {record.BRIDGE_NAME} value: {device}")
    mtu = options.get(record.MTU, "")
    if mtu and not (mtu.isdecimal() and 68 <= int(mtu) <= 65535):  # the least that IPv4 asks for, RFC 791
        raise BadParameter(f"failed to parse {record.MTU} value: {mtu}")
    if options.get(record.HOST_ADDRESS):
        parse_address(options[record.HOST_ADDRESS])


def warning(made: Network) -> str:
    """What is kept in the record and has no effect."""
    return NO_IPV6 if made.ipv6 else ""
