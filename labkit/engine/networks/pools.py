"""Address ranges for networks: one that collides with nothing this machine already has a route to. Pure.

Left out: routes in other tables than `main` (ip-rule(8)). Who has such gives a network its subnet by hand.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

ROUTES = "/proc/thread-self/net/route"
"""Of this thread: the first one may be on a visit in a container's network namespace just now."""

POOLS = (
    *(IPv4Network(f"172.{n}.0.0/16") for n in range(31, 17, -1) if n != 28),
    *(IPv4Network(f"192.168.{n}.0/20") for n in range(240, 0, -16)),
    *(IPv4Network(f"10.213.{n}.0/24") for n in range(256)),
)
"""What is tried, in this order. Docker takes the first two kinds from the low end, so we begin at the high one; they
run out where many learners share a machine, so smaller ones follow. 172.28.0.0/16 is left to those who type it: it is
the example of Docker's manual for a --subnet."""


def free_pool(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first range that collides with none of those in use. Raises OSError when there is none."""
    used = list(taken)
    for pool in POOLS:
        if not any(pool.overlaps(other) for other in used):
            return pool
    raise OSError(f"no free address range for a network: all of {POOLS[0]} to {POOLS[-1]} are in use")


def routes(table: str) -> Iterator[tuple[str, IPv4Network]]:
    """(device, destination) of each line of /proc/net/route, whose numbers are in the machine's byte order.

    The default route is among them, as 0.0.0.0/0.
    """
    for line in table.splitlines()[1:]:
        fields = line.split()
        destination, mask = int(fields[1], 16), int(fields[7], 16)
        address = socket.inet_ntoa(destination.to_bytes(4, "little"))
        yield fields[0], ipaddress.IPv4Network((address, mask.bit_count()), strict=False)


def host_routes(path: str = ROUTES) -> list[tuple[str, IPv4Network]]:
    """The routes of this process's network namespace; none where /proc does not say."""
    try:
        with open(path) as table:
            return list(routes(table.read()))
    except OSError:
        return []


def destinations(found: Iterable[tuple[str, IPv4Network]]) -> list[IPv4Network]:
    """Where routes lead, the default route left out: that one collides with everything, and so says nothing."""
    return [network for _, network in found if network.prefixlen]


def uplinks(found: Iterable[tuple[str, IPv4Network]]) -> list[str]:
    """The devices that the default route goes through: the way to the world."""
    return sorted({device for device, network in found if not network.prefixlen})
