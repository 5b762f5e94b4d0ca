"""IPAM, address management: from what `docker network create` asks to a subnet, a range and a gateway. Pure.

A network has one IPv4 subnet. IPv6 subnets are kept in its record and shown, but nobody gets an address from them.

Source: Docker Engine API, NetworkCreate, `IPAM`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any

from labkit.engine.errors import BadParameter, Forbidden, NotFound, ServerError
from labkit.engine.networks.addresses import Addresses, parse_address
from labkit.engine.networks.pools import free_pool

Json = dict[str, Any]

FIELDS = ("Subnet", "IPRange", "Gateway", "AuxiliaryAddresses")
SMALLEST = 30
"""The longest prefix that leaves room for the network, everybody, a gateway and one container."""


@dataclass(frozen=True)
class Plan:
    """A network's addresses, as texts: so they are kept in its record."""

    subnet: str
    gateway: str
    within: str = ""
    """The part of the subnet that containers get addresses from; empty for all of it."""
    reserved: tuple[str, ...] = ()
    """Addresses that belong to somebody else (`AuxiliaryAddresses`)."""
    by_hand: bool = False
    """The subnet was asked for. Only then may a container ask for an address of its own."""
    shown: list[Json] = field(default_factory=list)
    """`IPAM.Config` of inspect: what was asked, and the choice where nothing was."""

    @property
    def prefix(self) -> int:
        return IPv4Network(self.subnet).prefixlen

    def addresses(self) -> Addresses:
        """The addresses to give; the gateway's and those of others are taken."""
        within = IPv4Network(self.within) if self.within else None
        return Addresses(IPv4Network(self.subnet), within, [self.gateway, *self.reserved])


def automatic(taken: Sequence[IPv4Network]) -> Plan:
    """A range that collides with nothing in `taken`; its first address is the gateway's. Raises ServerError."""
    try:
        subnet = free_pool(taken)
    except OSError as full:
        raise ServerError(f"{full}; give the network a --subnet, or remove some networks") from full
    gateway = str(subnet.network_address + 1)
    return Plan(str(subnet), gateway, shown=[{"Subnet": str(subnet), "Gateway": gateway}])


def plan(asked: Mapping[str, Any], taken: Sequence[IPv4Network]) -> Plan:
    """The addresses for an `IPAM` as asked. `taken` are the destinations of routes and of our own networks.

    Raises BadParameter, Forbidden where the subnet is in use, NotFound for a driver that is not there.
    """
    driver = asked.get("Driver") or "default"
    if driver != "default":
        raise NotFound(f'plugin "{driver}" not found')
    rows = [{name: row[name] for name in FIELDS if row.get(name)} for row in asked.get("Config") or ()]
    parsed = [(_subnet(str(row.get("Subnet", ""))), row) for row in rows if row]
    v6 = [row for subnet, row in parsed if isinstance(subnet, IPv6Network)]
    v4 = [(subnet, row) for subnet, row in parsed if isinstance(subnet, IPv4Network)]
    if len(v4) > 1:
        raise BadParameter("bridge driver doesn't support multiple subnets")
    made = _by_hand(*v4[0], taken) if v4 else automatic(taken)
    return Plan(**{**vars(made), "shown": made.shown + v6})


def _by_hand(subnet: IPv4Network, row: Json, taken: Sequence[IPv4Network]) -> Plan:
    if any(subnet.overlaps(other) for other in taken):
        raise Forbidden("Pool overlaps with other one on this address space")
    if subnet.prefixlen > SMALLEST:
        raise BadParameter("failed to allocate gateway (): No available addresses on this pool")
    within = _range(str(row.get("IPRange", "")), subnet)
    gateway = _inside(str(row.get("Gateway") or subnet.network_address + 1), subnet, "gateway")
    others = [_inside(str(text), subnet, name) for name, text in (row.get("AuxiliaryAddresses") or {}).items()]
    if str(gateway) in map(str, others):
        raise Forbidden(f"failed to allocate secondary ip address ({gateway}): Address already in use")
    return Plan(
        str(subnet),
        str(gateway),
        str(within) if within else "",
        tuple(map(str, others)),
        True,
        [{"Subnet": row["Subnet"], "Gateway": str(gateway), **row}],
    )


def _subnet(text: str) -> IPv4Network | IPv6Network:
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise BadParameter(f"Invalid subnet {text} : invalid CIDR address: {text}") from None
    if "/" not in text or found.is_loopback or found.is_multicast or found.is_unspecified or not found.prefixlen:
        raise BadParameter(f"Invalid subnet {text} : not a range that containers can have")
    return found


def _range(text: str, subnet: IPv4Network) -> IPv4Network | None:
    if not text:
        return None
    try:
        within = IPv4Network(text, strict=False)
    except ValueError:
        raise BadParameter(f'failed to parse pool request for pool "{subnet}" subpool "{text}"') from None
    if not within.subnet_of(subnet):
        raise BadParameter(f"invalid ip-range {text}: it is not in the subnet {subnet}")
    return within


def _inside(text: str, subnet: IPv4Network, name: str) -> IPv4Address:
    address = parse_address(text)
    if address not in subnet:
        raise BadParameter(f"failed to allocate {name} ({text}): Requested address is out of range")
    return address
