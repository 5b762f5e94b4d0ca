"""Who is called what on a network that somebody made. Pure.

A container answers to its name, its aliases, the beginning of its id and its host name. Several may share an alias:
all their addresses are given, so that an alias can stand for a service. Who asks sees the networks that it is on, and
the links of its own.

Source: Docker's manual, "Networking overview", DNS services.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Neighbour:
    """A container on a network: its address there, and its names, the first of which is its own."""

    ip: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """A network as one container sees it: alias -> name for its links, and who is there."""

    network: str
    neighbours: Sequence[Neighbour]
    links: Mapping[str, str]


def names_of(container_id: str, name: str, hostname: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What a container with these endpoint settings answers to."""
    return tuple(dict.fromkeys(n for n in (name, *(settings.get("Aliases") or ()), container_id[:12], hostname) if n))


def links_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """alias -> name, from the `Links` of endpoint settings (`db:database`)."""
    pairs = (link.partition(":") for link in settings.get("Links") or ())
    return {(alias or ref).lower(): ref.removeprefix("/").lower() for ref, _, alias in pairs}


def addresses(views: Iterable[View], asked: str) -> list[str]:
    """The addresses of a name, or of `name.network`; empty where nobody is called so. Case makes no difference."""
    wanted = asked.rstrip(".").lower()
    found: dict[str, None] = {}
    for view in views:
        short = wanted.removesuffix(f".{view.network.lower()}")
        for name in dict.fromkeys((wanted, short)):
            name = view.links.get(name, name)
            found |= dict.fromkeys(one.ip for one in view.neighbours if name in map(str.lower, one.names))
    return list(found)


def name_at(views: Iterable[View], ip: str) -> str:
    """`name.network` of whoever has an address; empty where nobody has."""
    return next((f"{one.names[0]}.{view.network}" for view in views for one in view.neighbours if one.ip == ip), "")


def reverse_address(asked: str) -> str:
    """The address in a name of a reverse query, `2.0.18.172.in-addr.arpa`; empty where it is none (RFC 1035, 3.5)."""
    parts = asked.rstrip(".").lower().removesuffix(".in-addr.arpa").split(".")
    return ".".join(reversed(parts)) if len(parts) == 4 and asked.lower().rstrip(".").endswith("in-addr.arpa") else ""
