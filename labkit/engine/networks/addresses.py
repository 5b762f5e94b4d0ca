"""The addresses of one network: which are free, and which comes next. Pure.

An address rests before it is given again: neighbours keep for a while which machine it belonged to (arp(7)).
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from labkit.engine.errors import ApiError, BadParameter, Forbidden

ALL_TAKEN = "no available IPv4 addresses on this network's address pools: {subnet}"


class Addresses:
    """A subnet, the part of it that containers get addresses from, and what is in use."""

    def __init__(self, subnet: IPv4Network, within: IPv4Network | None = None, taken: Iterable[str] = ()) -> None:
        self.subnet, self.within = subnet, within or subnet
        # the first address names the network, the last one means everybody: neither is a host's
        self._used: set[str] = {str(subnet.network_address), str(subnet.broadcast_address), *taken}
        self._offsets = itertools.cycle(range(self.within.num_addresses))

    def take(self, asked: str = "") -> str:
        """Reserve the address asked for, or the next free one. Raises BadParameter, Forbidden in Docker's words."""
        address = self._asked(asked) if asked else self._next()
        self._used.add(address)
        return address

    def _asked(self, asked: str) -> str:
        address = parse_address(asked)
        if address not in self.subnet:
            raise BadParameter(f"Invalid address {asked}: It does not belong to any of this network's subnets")
        if str(address) in self._used:
            raise Forbidden("Address already in use")
        return str(address)

    def _next(self) -> str:
        for offset in itertools.islice(self._offsets, self.within.num_addresses):
            address = str(self.within.network_address + offset)
            if address not in self._used:
                return address
        raise ApiError(ALL_TAKEN.format(subnet=self.subnet))

    def reserve(self, address: str) -> None:
        """Keep the address of a container that lived on while the engine was away."""
        self._used.add(address)

    def give_back(self, address: str) -> None:
        """It may be used again, when all others have had their turn."""
        self._used.discard(address)


def parse_address(text: str) -> IPv4Address:
    """An IPv4 address that a client sent. Raises BadParameter."""
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        raise BadParameter(f"Invalid IPv4 address: {text}") from None


def mac_for(address: str) -> str:
    """The hardware address that Docker derives from an IPv4 address: 02:42 and its four bytes."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed)
