"""`docker rm`: the layer, the files and the name go; and `docker container prune`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import filters, lifecycle, stop, timestamps
from labkit.engine.containers.erase import erase
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError, BadParameter, Conflict

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

TRIES = 3


async def remove(engine: Engine, container: Container, *, force: bool = False, volumes: bool = False) -> None:
    """Remove a container, with `force` a running one too (it is killed). Raises Conflict, ServerError.

    `volumes`: those that nobody named go with it.
    """
    verb = "remove by force" if force else "remove"
    for _ in range(TRIES):
        lifecycle.check(verb, container.state.status, container.id, container.name)
        if container.state.alive:
            await _kill(engine, container)
        async with container.lock:
            if engine.containers.find(container.id) is not container:
                return  # it removed itself meanwhile (--rm)
            if not container.state.alive:  # it may have been started while we waited for the lock
                lifecycle.check(verb, container.state.status, container.id, container.name)
                await erase(engine, container, volumes=volumes)
                return
    raise Conflict(f"container {container.name} is started again and again; stop what starts it, then remove it")


async def _kill(engine: Engine, container: Container) -> None:
    with contextlib.suppress(ApiError):  # it ended just now
        await stop.kill(engine, container)


# --- prune -------------------------------------------------------------------------------------------------------

PRUNE_FILTERS = ("label", "label!", "until")


async def prune(engine: Engine, wanted: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Remove all that do not run and pass the filters: `POST /containers/prune`."""
    for name in wanted:
        if name not in PRUNE_FILTERS:
            raise BadParameter(f"invalid filter '{name}'")
    removed, freed = [], 0
    for container in engine.containers:
        if container.state.status in ("created", "exited", "dead") and _prunable(container, wanted):
            size = await asyncio.to_thread(engine.driver.size, container.id)
            with contextlib.suppress(ApiError):
                await remove(engine, container)
                removed.append(container.id)
                freed += size
    return {"ContainersDeleted": removed or None, "SpaceReclaimed": freed}


def _prunable(container: Container, wanted: Mapping[str, Sequence[str]]) -> bool:
    context = filters.Context()
    labels, but_not = wanted.get("label", ()), wanted.get("label!", ())
    until = [timestamps.moment(text) for text in wanted.get("until", ())]
    return (
        filters.FILTERS["label"](container, labels, context)
        and not any(filters.FILTERS["label"](container, [one], context) for one in but_not)
        and all(timestamps.parse(container.created) < moment for moment in until)
    )
