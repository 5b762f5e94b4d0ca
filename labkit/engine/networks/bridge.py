"""A Linux bridge, the cables that hang on it, and the container's end of each: rtnetlink, at both ends.

One message makes a cable, one batch sets up all that a container's namespace needs: the larger part of a start.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from labkit import linux
from labkit.engine import rtnetlink
from labkit.engine.networks.endpoint import Endpoint
from labkit.engine.rtnetlink import Rtnetlink

LOOPBACK = 1  # its number in every network namespace


@dataclass(frozen=True)
class Bridge:
    """A software switch that stands: its name, and its interface number."""

    name: str
    index: int
    mtu: int = 0


def stand_up(link: Rtnetlink, name: str, gateway: str, prefix: int, mtu: int = 0) -> Bridge:
    """Make a bridge, or find it, and give this machine the gateway's address on it. Raises OSError."""
    with suppress(FileExistsError):
        link.talk(rtnetlink.new_bridge(name))
    index = socket.if_nametoindex(name)
    with suppress(FileExistsError):
        link.talk(rtnetlink.new_address(index, gateway, prefix))
    with suppress(OSError):  # up already, or without loopback in a namespace of our own
        link.talk(rtnetlink.link_up(LOOPBACK))
    link.talk(rtnetlink.link_up(index, mtu))
    return Bridge(name, index, mtu)


def take_down(link: Rtnetlink, name: str) -> None:
    """Remove a bridge, or any device; nothing happens where there is none."""
    with suppress(OSError):
        link.talk(rtnetlink.delete_link(socket.if_nametoindex(name)))


def plug_in(link: Rtnetlink, pid: int, cables: Iterable[tuple[Endpoint, Bridge]], gateway: str = "") -> None:
    """Lay cables into the network namespace of `pid` and switch its loopback on. Raises OSError.

    `gateway` is where the default route leads; empty for none, or where there is one already.
    """
    pairs = list(cables)
    if pairs:
        link.talk(*(_cable(endpoint, bridge, pid) for endpoint, bridge in pairs))
    inside = [rtnetlink.link_up(LOOPBACK)]
    for endpoint, _ in pairs:
        inside += _inside(endpoint)
    if gateway:
        inside.append(rtnetlink.default_route(gateway))
    configure(pid, inside)


def configure(pid: int, messages: Sequence[bytes]) -> None:
    """Send messages to the kernel about the network namespace of `pid`. Raises OSError."""
    with linux.in_namespace(pid, "net", linux.CLONE_NEWNET):
        there = Rtnetlink()  # the socket stays in the namespace where it was born, we don't
    with there:
        there.talk(*messages)


def _cable(endpoint: Endpoint, bridge: Bridge, pid: int) -> bytes:
    mac = bytes.fromhex(endpoint.mac.replace(":", ""))
    end = (endpoint.device, endpoint.index, mac, pid)
    return rtnetlink.new_veth(endpoint.cable, bridge.index, *end, index=endpoint.cable_index, mtu=bridge.mtu)


def _inside(endpoint: Endpoint) -> Iterable[bytes]:
    yield rtnetlink.new_address(endpoint.index, endpoint.ip, endpoint.prefix)
    for address in endpoint.link_local:
        yield rtnetlink.new_address(endpoint.index, address, 16)
    yield rtnetlink.link_up(endpoint.index)
