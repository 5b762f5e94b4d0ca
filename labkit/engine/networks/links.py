"""Links, the older way by which a container learned of another on the default bridge: a name and some variables.

    docker run --link db:database ...
        a line in /etc/hosts                  172.17.0.2  database 6292a0a19ff2 db
        variables, from the exposed ports     DATABASE_PORT_5432_TCP_ADDR=172.17.0.2
        and from its environment              DATABASE_ENV_PGUSER=postgres

On a network that somebody made, a link is a further name and no more; there the resolver knows it. Pure.

Source: Docker's manual, "Legacy container links".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

PRIVATE_VARIABLES = ("HOME", "PATH")
"""What one container does not tell of its environment to another."""


@dataclass(frozen=True)
class Linked:
    """The container that a link leads to, as it is at the moment."""

    id: str
    name: str
    ip: str
    environment: Sequence[str] = ()
    exposed: Sequence[str] = ()
    """Ports like `80/tcp`."""


def parse(text: str) -> tuple[str, str]:
    """`db:database` as ("db", "database"); the alias is the name where none is given.

    What inspect shows, `/db:/web/database`, is understood too.
    """
    ref, _, alias = text.partition(":")
    ref = ref.removeprefix("/")
    return ref, alias.rpartition("/")[2] or ref


def host_names(alias: str, linked: Linked) -> str:
    """The names of a line in /etc/hosts."""
    return " ".join(dict.fromkeys((alias, linked.id[:12], linked.name)))


def environment(parent: str, alias: str, linked: Linked) -> Iterator[str]:
    """The variables that the container `parent` gets from a link."""
    prefix = alias.replace("-", "_").upper()
    yield f"{prefix}_NAME=/{parent}/{alias}"
    for number, (port, kind) in enumerate(_ports(linked.exposed)):
        url = f"{kind}://{linked.ip}:{port}"
        if number == 0:
            yield f"{prefix}_PORT={url}"
        yield from _port_variables(f"{prefix}_PORT_{port}_{kind.upper()}", linked.ip, port, kind, url)
    for entry in linked.environment:
        name, equals, _ = entry.partition("=")
        if equals and name not in PRIVATE_VARIABLES:
            yield f"{prefix}_ENV_{entry}"


def _port_variables(prefix: str, ip: str, port: int, kind: str, url: str) -> Iterator[str]:
    yield f"{prefix}={url}"
    yield f"{prefix}_ADDR={ip}"
    yield f"{prefix}_PORT={port}"
    yield f"{prefix}_PROTO={kind}"


def _ports(exposed: Sequence[str]) -> list[tuple[int, str]]:
    """(number, protocol), the lowest first."""
    split = (port.partition("/") for port in exposed)
    return sorted((int(number), kind or "tcp") for number, _, kind in split if number.isdecimal())


def shown(links: Mapping[str, str], parent: str, names: Mapping[str, str]) -> list[str]:
    """`HostConfig.Links` of inspect: `/db:/web/database`. `links` are alias -> id, `names` id -> name."""
    rows = [f"/{names[child]}:/{parent}/{alias}" for alias, child in links.items() if child in names]
    return sorted(rows)
