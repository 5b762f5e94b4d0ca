"""An endpoint: a container's place in one network, while the container runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

FIRST_DEVICE = 100
"""The interface number of eth0 inside. Far above those that the kernel itself gives to tunnels in a new namespace."""

CABLE = "lk"
"""How the names of our ends of the cables begin."""


@dataclass(frozen=True)
class Endpoint:
    """Its addresses and devices. One in host or none, or without a bridge, has an id and nothing else."""

    id: str
    network: str = ""
    """The network's id."""
    ip: str = ""
    prefix: int = 0
    gateway: str = ""
    mac: str = ""
    number: int = 0
    """The 0 of eth0."""
    link_local: tuple[str, ...] = ()
    """Further addresses, of 169.254.0.0/16."""

    @property
    def device(self) -> str:
        """Its interface inside the container."""
        return f"eth{self.number}"

    @property
    def index(self) -> int:
        """The interface's number, chosen by us, so that nobody has to ask for it."""
        return FIRST_DEVICE + self.number

    @property
    def cable(self) -> str:
        """The end of its cable outside. Endpoints are made anew at each start, as the last cable may still be there."""
        return CABLE + self.id[:12]

    @property
    def cable_index(self) -> int:
        """The interface number of that end: far from the small ones that the kernel gives, and nobody else's."""
        return 1 << 28 | int(self.id[:7], 16)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "link_local": list(self.link_local)}


def from_json(kept: Mapping[str, Any]) -> Endpoint:
    """The endpoint of a container's record."""
    return Endpoint(**{**kept, "link_local": tuple(kept["link_local"])})


def new_id() -> str:
    """64 hex digits."""
    return os.urandom(32).hex()


def free_number(taken: Iterable[int]) -> int:
    """The lowest number of an interface that is free."""
    used = set(taken)
    return next(number for number in range(len(used) + 1) if number not in used)
