"""`docker rm`: the layer, the files and the name go; and `docker container prune`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import filters, lifecycle, start, stop, timestamps
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError, BadParameter, ServerError

if TYPE_CHECKING:
    from labkit.engine.engine import Engine


async def remove(engine: Engine, container: Container, *, force: bool = False) -> None:
    """Remove a container, with `force` a running one too (it is killed). Raises Conflict, ServerError."""
    verb = "remove by force" if force else "remove"
    lifecycle.check(verb, container.state.status, container.id, container.name)
    if force and container.state.alive:
        await _kill(engine, container)
    async with container.lock:
        if engine.containers.find(container.id) is not container:
            return  # it removed itself meanwhile (--rm)
        lifecycle.check(verb, container.state.status, container.id, container.name)
        container.state.status = "removing"
        # a crash from here on is finished by the next start of the engine
        engine.containers.try_save(container)
        await _erase(engine, container)


async def finish(engine: Engine, container: Container) -> None:
    """Go on with a removal that the end of the engine cut short."""
    async with container.lock:
        await _erase(engine, container)


async def _kill(engine: Engine, container: Container) -> None:
    with contextlib.suppress(ApiError):  # it ended just now
        await stop.kill(engine, container)


async def _erase(engine: Engine, container: Container) -> None:
    start.free_waiting(container)
    try:
        await discard(engine, container.id)
    except OSError as refused:
        container.state.status, container.state.error = "dead", str(refused)
        engine.containers.try_save(container)
        raise ServerError(f"cannot remove the files of {container.name}: {refused}") from refused
    engine.containers.forget(container)
    engine.containers.tell(container, "destroy")
    container.waiters.removed(container.state.exit_code)


async def discard(engine: Engine, container_id: str) -> None:
    """Delete what a container has on disk. What it wrote may be much: then a thread does it."""
    upper = engine.driver.data(container_id).get("UpperDir") if has_layer(engine, container_id) else None
    if upper and not any(os.scandir(upper)):
        engine.driver.remove(container_id)
    else:
        await asyncio.to_thread(engine.driver.remove, container_id)
    shutil.rmtree(engine.state.container(container_id), ignore_errors=True)


def has_layer(engine: Engine, container_id: str) -> bool:
    return os.path.exists(f"{engine.driver.root}/{container_id}")


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
