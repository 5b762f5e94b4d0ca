"""The default network: a bridge on the host, and for each container a cable from it into the container's namespace.

Left out so far: networks that a user defines, published ports, and a way to the world outside this machine.
"""

import hashlib
import ipaddress
import itertools
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from labkit import linux
from labkit.engine import rtnetlink
from labkit.engine.rtnetlink import Rtnetlink
from labkit.engine.state import State, read_json, write_json

LOOPBACK, FIRST_DEVICE = 1, 2  # interface numbers in a new network namespace
POOLS = [ipaddress.IPv4Network(f"172.{n}.0.0/16") for n in range(31, 17, -1)] + [
    ipaddress.IPv4Network(f"192.168.{n}.0/20") for n in range(240, 0, -16)
]


@dataclass(frozen=True)
class Endpoint:
    """A container's place in the network."""

    ip: str = ""
    prefix: int = 0
    gateway: str = ""
    mac: str = ""

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def free_pool(taken: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """The first address range that collides with none of those in use on this machine."""
    used = list(taken)
    for pool in POOLS:
        if not any(pool.overlaps(other) for other in used):
            return pool
    raise OSError(f"no free address range for the containers' network: all of {POOLS[0]} to {POOLS[-1]} are in use")


def routes(table: str) -> Iterator[ipaddress.IPv4Network]:
    """The destinations in /proc/net/route, whose numbers are in the machine's byte order; the default left out."""
    for line in table.splitlines()[1:]:
        destination, mask = (int(field, 16) for field in (line.split()[1], line.split()[7]))
        if mask:
            address = socket.inet_ntoa(destination.to_bytes(4, "little"))
            yield ipaddress.IPv4Network((address, mask.bit_count()), strict=False)


class Bridge:
    """The engine's bridge and its addresses. `error` says why there is none: containers then have loopback only."""

    def __init__(self, name: str, pool: ipaddress.IPv4Network) -> None:
        self.name, self.pool = name, pool
        self.gateway = str(pool.network_address + 1)
        self.index = 0
        self.error = ""
        self._link = Rtnetlink()
        self._used: set[str] = {self.gateway}
        self._hosts = itertools.cycle(range(2, pool.num_addresses - 1))

    @classmethod
    async def create(cls, state: State) -> "Bridge":
        """Find this engine's bridge, or make it: its name comes from the state folder, so that two can stand."""
        path = state.root / "network.json"
        kept = read_json(path, {})
        name = "lk" + hashlib.sha256(str(state.root).encode()).hexdigest()[:10]
        with open("/proc/net/route") as table:
            pool = ipaddress.IPv4Network(kept["pool"]) if "pool" in kept else free_pool(routes(table.read()))
        bridge = cls(name, pool)
        try:
            bridge._stand_up()
            write_json(path, {"pool": str(pool), "bridge": name})
        except OSError as refusal:
            bridge.error = f"no bridge network: {refusal.strerror}; containers have loopback only"
        return bridge

    def _stand_up(self) -> None:
        with suppress(FileExistsError):
            self._link.talk(rtnetlink.new_bridge(self.name))
        self.index = socket.if_nametoindex(self.name)
        with suppress(FileExistsError):
            self._link.talk(rtnetlink.new_address(self.index, self.gateway, self.pool.prefixlen))
        with suppress(OSError):  # up already, or without loopback in a namespace of our own
            self._link.talk(rtnetlink.link_up(LOOPBACK))
        self._link.talk(rtnetlink.link_up(self.index))

    def reserve(self, endpoint: Endpoint) -> None:
        """Keep the address of a container that lived on while the engine was away."""
        self._used.add(endpoint.ip)

    def attach(self, container_id: str, pid: int, mode: str = "bridge") -> Endpoint:
        """Connect the network namespace of `pid`; mode "none" switches on its loopback only. OSError if refused."""
        if mode == "none" or not self.index:
            with self._inside(pid) as inside:
                inside.talk(rtnetlink.link_up(LOOPBACK))
            return Endpoint()
        endpoint = self._endpoint()
        try:
            self._plug_in(container_id, pid, endpoint)
        except OSError:
            self.release(endpoint)
            raise
        return endpoint

    def _plug_in(self, container_id: str, pid: int, endpoint: Endpoint) -> None:
        mac = bytes.fromhex(endpoint.mac.replace(":", ""))
        name = "lk" + container_id[:12]
        self._link.talk(rtnetlink.new_veth(name, self.index, "eth0", FIRST_DEVICE, mac, pid))
        with self._inside(pid) as inside:
            inside.talk(
                rtnetlink.link_up(LOOPBACK),
                rtnetlink.new_address(FIRST_DEVICE, endpoint.ip, endpoint.prefix),
                rtnetlink.link_up(FIRST_DEVICE),
                rtnetlink.default_route(endpoint.gateway),
            )

    def _inside(self, pid: int) -> Rtnetlink:
        with linux.in_namespace(pid, "net", linux.CLONE_NEWNET):
            return Rtnetlink()  # the socket stays in the namespace where it was born, we don't

    def _endpoint(self) -> Endpoint:
        for host in self._hosts:  # the next free one, not the lowest: an address rests before it is given again
            ip = str(self.pool.network_address + host)
            if ip not in self._used:
                break
            if len(self._used) >= self.pool.num_addresses - 2:
                raise OSError(f"no free address is left in {self.pool}")
        self._used.add(ip)
        mac = "02:42:" + ":".join(f"{byte:02x}" for byte in socket.inet_aton(ip))  # as Docker derives it
        return Endpoint(ip, self.pool.prefixlen, self.gateway, mac)

    def release(self, endpoint: Endpoint) -> None:
        """Give an address back. The cable goes with the container's namespace: far quicker than RTM_DELLINK."""
        self._used.discard(endpoint.ip)

    def remove(self) -> None:
        """Take the bridge down, when the engine is removed for good."""
        if self.index:
            self._link.talk(rtnetlink.delete_link(self.index))

    def describe(self) -> dict[str, Any]:
        """The network's own facts, for `docker info` and inspect."""
        return {"name": self.name, "subnet": str(self.pool), "gateway": self.gateway, "error": self.error}

    def close(self) -> None:
        self._link.close()
