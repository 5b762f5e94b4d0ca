"""Which containers a list shows: the filters of `docker ps`. Pure.

Values of one filter are joined with "or", except labels, which must all be there; different filters with "and".
Source: Docker Engine API, ContainerList, `filters`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from labkit.engine.containers import health, mounts
from labkit.engine.containers.lifecycle import STATES
from labkit.engine.containers.record import Container
from labkit.engine.errors import BadParameter, NotFound
from labkit.engine.matching import has_label, search
from labkit.engine.networks.bindings import normal

Filters = Mapping[str, Sequence[str]]

HEALTH = ("none", "starting", "healthy", "unhealthy")


@dataclass(frozen=True)
class Context:
    """What a filter may have to look up."""

    find: Callable[[str], Container | None] = lambda ref: None
    """A container by name or id."""
    images: Mapping[str, Collection[str]] = field(default_factory=dict)
    """For each value of `ancestor`: the ids of that image and of those made from it."""
    network_ids: Mapping[str, str] = field(default_factory=dict)


Test = Callable[[Container, Sequence[str], Context], bool]


def _label(container: Container, wanted: Sequence[str], context: Context) -> bool:
    return all(has_label(container.labels, want) for want in wanted)


def _name(container: Container, wanted: Sequence[str], context: Context) -> bool:
    """A regular expression, found anywhere in the name; the slash before it may be given or not."""
    names = (container.name, f"/{container.name}")
    return any(search(want, name) for want in wanted for name in names)


def _ports(container: Container, wanted: Sequence[str], context: Context) -> bool:
    exposed = container.config.get("ExposedPorts") or {}
    return any(port in exposed for want in wanted for port in port_range(want))


def _published(container: Container, wanted: Sequence[str], context: Context) -> bool:
    """By the port on the host, as Docker: `expose` finds the one inside."""
    published = {
        f"{row['HostPort']}/{normal(port).partition('/')[2]}"
        for ports in (container.host_config.get("PortBindings") or {}, container.ports)
        for port, rows in ports.items()
        for row in rows or ()
        if row.get("HostPort")
    }
    return any(port in published for want in wanted for port in port_range(want))


def port_range(text: str) -> list[str]:
    """`80`, `80/udp` or `8000-8080` as `80/tcp` and so on. Raises BadParameter."""
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    if not first.isdigit() or not (last or first).isdigit() or int(last or first) > 65535:
        raise BadParameter(f"error while looking up for publish {text}: invalid port")
    return [f"{port}/{protocol or 'tcp'}" for port in range(int(first), int(last or first) + 1)]


def _network(container: Container, wanted: Sequence[str], context: Context) -> bool:
    ids = [context.network_ids.get(name, "") for name in container.endpoints]
    return any(want in container.endpoints or any(i.startswith(want) for i in ids) for want in wanted if want)


def _volume(container: Container, wanted: Sequence[str], context: Context) -> bool:
    """A volume by its name, a bind by its source, and anything by where it is mounted."""
    places = [(point.name or point.source, point.destination) for point in mounts.of(container.mounts)]
    return any(want in place for place in places for want in wanted)


def _before(container: Container, wanted: Sequence[str], context: Context) -> bool:
    return all(container.created < _other(want, context).created for want in wanted)


def _since(container: Container, wanted: Sequence[str], context: Context) -> bool:
    return all(container.created > _other(want, context).created for want in wanted)


def _other(ref: str, context: Context) -> Container:
    found = context.find(ref)
    if found is None:
        raise NotFound(f"no such container {ref}")
    return found


def _exited(container: Container, wanted: Sequence[str], context: Context) -> bool:
    """Only one that has run has an exit code; a running one shows that of its last run, as with Docker."""
    ran = container.state.status not in ("created", "running", "paused")
    return ran and str(container.state.exit_code) in {str(int(want)) for want in wanted}


def _false(value: str) -> bool:
    return value.lower() in ("0", "false")


FILTERS: dict[str, Test] = {
    "ancestor": lambda c, wanted, context: any(c.image_id in context.images.get(want, ()) for want in wanted),
    "before": _before,
    "exited": _exited,
    "expose": _ports,
    "health": lambda c, wanted, context: health.status(c) in wanted,
    "id": lambda c, wanted, context: any(search(want, c.id) for want in wanted),
    "isolation": lambda c, wanted, context: "default" in wanted,
    "is-task": lambda c, wanted, context: _false(wanted[0]),
    "label": _label,
    "name": _name,
    "network": _network,
    "publish": _published,
    "since": _since,
    "status": lambda c, wanted, context: c.state.status in wanted,
    "volume": _volume,
}
"""The filters of `GET /containers/json`."""

SHOW_STOPPED = frozenset({"status", "exited", "before", "since"})
"""With one of these, stopped containers are listed without `all=1` too."""

CHOICES: dict[str, tuple[Collection[str], str]] = {
    "status": (STATES, "invalid filter 'status={value}'"),
    "health": (HEALTH, "Unrecognised filter value for health: {value}"),
    "is-task": (("0", "1", "true", "false", "True", "False"), "invalid filter 'is-task=[{value}]'"),
}
"""Filters of which only some values make sense, and what is said to others."""


def check(filters: Filters) -> None:
    """Raise BadParameter for a filter, or a value, that Docker does not have."""
    for name, wanted in filters.items():
        if name not in FILTERS:
            raise BadParameter(f"invalid filter '{name}'")
        choices, words = CHOICES.get(name, ((), ""))
        for value in wanted:
            if choices and value not in choices:
                raise BadParameter(words.format(value=value))
            if name == "exited" and not value.lstrip("-").isdigit():
                raise BadParameter(f'strconv.Atoi: parsing "{value}": invalid syntax')
            if name in ("publish", "expose"):
                port_range(value)


def passes(container: Container, filters: Filters, context: Context) -> bool:
    """Whether a container passes all filters; one without values lets everything pass."""
    return all(FILTERS[name](container, wanted, context) for name, wanted in filters.items() if wanted)
