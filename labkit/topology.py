"""Who is connected to which network: containers as services, asked for through the Docker SDK, in frozen dataclasses.

A service is known by its name: when a container is removed and another of that name is made, it is the same service,
replaced. Left out: what is sent over the networks, which an engine does not know.
Source: Docker Engine API, "ContainerInspect" (NetworkSettings, State.Health) and "NetworkList".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from labkit.observe import image_name

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Connection:
    """A container's place on one network: its address there, and the names by which others find it."""

    network: str
    address: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service:
    """A container seen from the network: its state and health, where it is connected, what it publishes."""

    id: str
    name: str
    image: str
    status: str
    created: str = ""  # RFC 3339, with nine digits after the point, so that texts sort as times do
    exit_code: int | None = None
    health: str = ""  # "starting", "healthy", "unhealthy"; empty where there is no health check
    connections: tuple[Connection, ...] = ()
    ports: tuple[str, ...] = ()
    replaced: bool = False


# --- pure -------------------------------------------------------------------------------------------


def parse_service(attrs: Json) -> Service:
    """GET /containers/{id}/json as a Service."""
    state, settings = attrs["State"], attrs.get("NetworkSettings") or {}
    health = (state.get("Health") or {}).get("Status") or ""
    name = attrs["Name"].lstrip("/")
    return Service(
        id=attrs["Id"],
        name=name,
        image=image_name(attrs["Config"]["Image"]),
        status=state["Status"],
        created=_sortable(attrs.get("Created") or ""),
        exit_code=state.get("ExitCode") if state["Status"] in ("exited", "dead") else None,
        health="" if health == "none" else health,
        connections=tuple(
            Connection(network, place.get("IPAddress") or "", _names(name, attrs["Id"], place))
            for network, place in sorted((settings.get("Networks") or {}).items())
        ),
        ports=tuple(_published(settings.get("Ports") or {})),
    )


def _sortable(time: str) -> str:
    """A time as text that sorts: Docker drops zeros at the end of the fraction."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<9}Z" if whole else ""


def _names(name: str, container_id: str, place: Json) -> tuple[str, ...]:
    """The container's name and its aliases; Docker's own alias, the short id, is left out."""
    aliases = [alias for alias in place.get("Aliases") or () if not container_id.startswith(alias)]
    return tuple(dict.fromkeys([name, *aliases]))


def _published(ports: Mapping[str, Any]) -> Iterable[str]:
    """Published ports as `docker ps` writes them: "8080->80/tcp", each once though it may have two addresses."""
    found = (f"{place['HostPort']}->{port}" for port, places in ports.items() for place in places or ())
    return sorted(set(found))


def succeed(before: Mapping[str, Service], now: Iterable[Service]) -> dict[str, Service]:
    """The services by name, the oldest first, after another look. One that is gone keeps its place, as removed; a
    new id means a replacement."""
    found = {service.name: service for service in sorted(now, key=lambda service: service.created)}
    for name, last in before.items():
        if name not in found:
            found[name] = replace(last, status="removed", exit_code=None, health="", connections=(), ports=())
        elif last.replaced or last.id != found[name].id:
            found[name] = replace(found[name], replaced=True)
    order = [*before, *(name for name in found if name not in before)]
    return {name: found[name] for name in order}


# --- asking the engine ------------------------------------------------------------------------------


def members(client: DockerClient, network_ids: Sequence[str]) -> list[str]:
    """The ids of all containers of these networks, stopped ones too. Asks GET /containers/json."""
    if not network_ids:
        return []
    listed = client.api.containers(all=True, filters={"network": list(network_ids)})
    return [entry["Id"] for entry in listed]


def services(client: DockerClient, before: Mapping[str, Service], refs: Iterable[str]) -> dict[str, Service]:
    """The containers called `refs` (ids or names), and what has become of those before. GET /containers/{id}/json"""
    found = {service.name: service for ref in dict.fromkeys(refs) if (service := _service(client, ref))}
    again = [service for name in before if name not in found and (service := _service(client, name))]
    return succeed(before, [*found.values(), *again])


def _service(client: DockerClient, ref: str) -> Service | None:
    try:
        return parse_service(client.api.inspect_container(ref))
    except NotFound:
        return None
