"""Published ports as they are asked for: `-p 127.0.0.1:8080:80/tcp`, in Docker's API HostConfig.PortBindings. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.engine.errors import BadParameter, NotImplemented_

Json = dict[str, Any]

EVERYWHERE = ("0.0.0.0", "::")
"""The host's addresses where none is given: all, of both kinds."""

PROTOCOLS = ("tcp", "udp")
ANY = range(0, 1)
"""The kernel chooses a port for number 0."""

_NUMBERS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


@dataclass(frozen=True)
class Binding:
    """One port of a container, and where on the host it is wanted."""

    port: int
    protocol: str
    addresses: tuple[str, ...]
    numbers: range
    """The host's ports that will do, the first free one is taken."""

    @property
    def key(self) -> str:
        """As `NetworkSettings.Ports` has it."""
        return f"{self.port}/{self.protocol}"


def split(port: str) -> tuple[int, str]:
    """`80/tcp` or `80` as (80, "tcp"). Raises BadParameter, NotImplemented_."""
    number, _, protocol = port.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol == "sctp":
        raise NotImplemented_("this engine does not serve ports of the protocol sctp; tcp and udp it does")
    if protocol not in PROTOCOLS:
        raise BadParameter(f"invalid proto: {protocol}")
    numbers = _numbers(number, port)
    if len(numbers) != 1 or not numbers[0]:
        raise BadParameter(f'invalid port specification: "{port}"')
    return numbers[0], protocol


def _numbers(text: str, shown: str) -> range:
    match = _NUMBERS.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if not 0 <= first <= last <= 65535:
        raise BadParameter(f'invalid port specification: "{shown}"')
    return range(first, last + 1)


def parse(host: Mapping[str, Any], exposed: Iterable[str] = (), default: str = "") -> list[Binding]:
    """All that a HostConfig publishes; `exposed` ports too where it publishes all.

    `default` is the host's address where the request gives none; empty for all of them.
    """
    found = [
        _binding(port, row, default)
        for port, rows in sorted((host.get("PortBindings") or {}).items())
        for row in rows or [{}]
    ]
    asked = {binding.key for binding in found}
    if host.get("PublishAllPorts"):
        found += [_binding(port, {}, default) for port in sorted(exposed) if normal(port) not in asked]
    return found


def _binding(port: str, row: Mapping[str, Any], default: str) -> Binding:
    number, protocol = split(port)
    text = row.get("HostPort") or ""
    numbers = _numbers(text, text) if text else ANY
    address = row.get("HostIp") or default
    return Binding(number, protocol, (_address(address),) if address else EVERYWHERE, numbers)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise BadParameter(f"invalid IP address: {text}") from None


def normal(port: str) -> str:
    """`80` as `80/tcp`."""
    number, _, protocol = port.partition("/")
    return f"{number}/{protocol.lower() or 'tcp'}"


def shown(exposed: Iterable[str], published: Mapping[str, list[Json]]) -> Json:
    """`NetworkSettings.Ports` of a running container: exposed ports that are not published have null."""
    return {**dict.fromkeys(map(normal, exposed)), **published}


def rows(ports: Mapping[str, list[Json] | None]) -> Iterator[Json]:
    """`Ports` of a row of `GET /containers/json`, from `NetworkSettings.Ports`."""
    for port, places in sorted(ports.items()):
        number, _, protocol = port.partition("/")
        inside = {"PrivatePort": int(number), "Type": protocol}
        if not places:
            yield inside
        for place in places or ():
            yield {"IP": place["HostIp"], **inside, "PublicPort": int(place["HostPort"])}
