"""Links between the containers of one engine: which there are, and what follows from them at a start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError, BadParameter, NotFound, ServerError
from labkit.engine.networks import links
from labkit.engine.networks.links import Linked
from labkit.engine.networks.record import BRIDGE

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

Json = dict[str, Any]


def resolve(engine: Engine, host: Mapping[str, Any]) -> dict[str, str]:
    """alias -> container id, for HostConfig.Links on the default bridge. Raises BadParameter in Docker's words."""
    asked = host.get("Links") or ()
    kind = host["NetworkMode"].partition(":")[0]
    if asked and kind in ("host", "container"):
        raise BadParameter(
            f"conflicting options: {kind} type networking can't be used with links. "
            "This would result in undefined behavior"
        )
    found = {}
    for ref, alias in map(links.parse, asked):
        try:
            found[alias] = engine.containers.get(ref).id
        except ApiError as missing:
            raise BadParameter(f"could not get container for {ref}: {missing.message}") from missing
    return found


def _linked(engine: Engine, container: Container) -> dict[str, Linked]:
    """alias -> the running container that it leads to. Raises ServerError where there is none."""
    found = {}
    for alias, child_id in container.links.items():
        child = engine.containers.find(child_id)
        if child is None or not child.state.has_process:
            name = child.name if child else child_id[:12]
            raise ServerError(f"Cannot link to a non running container: /{name} AS /{container.name}/{alias}")
        ip = (child.attached.get(BRIDGE) or {}).get("ip", "")
        if not ip:
            raise ServerError(f"Cannot link to /{child.name}, as it does not belong to the default network")
        config = child.config
        found[alias] = Linked(
            child.id, child.name, ip, config.get("Env") or (), tuple(config.get("ExposedPorts") or ())
        )
    return found


def environment(engine: Engine, container: Container) -> list[str]:
    """The variables that links add for a start. Raises ServerError where a linked container does not run."""
    return [
        entry
        for alias, linked in _linked(engine, container).items()
        for entry in links.environment(container.name, alias, linked)
    ]


def hosts_lines(engine: Engine, container: Container) -> list[str]:
    """The lines that links add to /etc/hosts."""
    return [f"{linked.ip}\t{links.host_names(alias, linked)}" for alias, linked in _linked(engine, container).items()]


def tell_parents(engine: Engine, child: Container, write_hosts: Callable[[Engine, Container], None]) -> None:
    """A container that others link to has started, perhaps with another address: let them know."""
    for parent in engine.containers:
        if parent.links and child.id in parent.links.values() and parent.state.has_process:
            try:
                write_hosts(engine, parent)
            except ApiError:  # another of its links is down: told at the parent's next start
                continue


def names(engine: Engine) -> dict[str, list[str]]:
    """container id -> the further names that links give it: `/web/database`."""
    found: dict[str, list[str]] = {}
    for parent in engine.containers:
        for alias, child in parent.links.items():
            found.setdefault(child, []).append(f"/{parent.name}/{alias}")
    return found


def remove(engine: Engine, path: str) -> None:
    """`docker rm --link web/database`: the link goes, both containers stay. Raises NotFound."""
    parent, _, alias = path.removeprefix("/").partition("/")
    container = engine.containers.get(parent)
    if alias not in container.links:
        raise NotFound(f"No such container: {path}")
    del container.links[alias]
    engine.containers.try_save(container)
