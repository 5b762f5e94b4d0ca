"""The end of a container: its layer, its files, its name and its record go. Whoever calls has checked that it may."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

from labkit.engine import crash
from labkit.engine.containers import storage
from labkit.engine.containers.record import Container
from labkit.engine.errors import ServerError

if TYPE_CHECKING:
    from labkit.engine.engine import Engine


async def erase(engine: Engine, container: Container, *, volumes: bool = False) -> None:
    """Remove a container that has no process, with `volumes` its anonymous volumes too; the caller holds its lock.

    Raises ServerError: it is then `dead`.
    """
    container.state.status, container.volumes_too = "removing", volumes
    # from here on a crash is made good by the next start of the engine, which goes on with the removal
    engine.containers.try_save(container)
    crash.at("remove: marked")
    close_attached(container)
    try:
        await _discard(engine, container.id)
        if volumes:
            await storage.discard(engine, container)
    except OSError as refused:
        container.state.status, container.state.error = "dead", str(refused)
        engine.containers.try_save(container)
        raise ServerError(f"cannot remove the files of {container.name}: {refused}") from refused
    crash.at("remove: volumes gone")
    # the record last: as long as it is there, the next start of the engine knows what is still to be removed
    shutil.rmtree(engine.state.container(container.id), ignore_errors=True)
    crash.at("remove: folder gone")
    engine.containers.forget(container)
    engine.containers.tell(container, "destroy")
    container.waiters.removed(container.state.exit_code)


def close_attached(container: Container) -> None:
    """Hang up on who attached before a start that never came."""
    attached, container.attaching = container.attaching, []
    for attachment in attached:
        attachment.sock.close()


async def _discard(engine: Engine, container_id: str) -> None:
    """Delete its layer. What it wrote may be much: then a thread does it."""
    if _wrote_nothing(engine, container_id):
        engine.driver.remove(container_id)
    else:
        await asyncio.to_thread(engine.driver.remove, container_id)
    crash.at("remove: layer gone")


def _wrote_nothing(engine: Engine, container_id: str) -> bool:
    try:
        return not os.listdir(f"{engine.driver.root}/{container_id}/diff")
    except OSError:
        return True  # nothing is there at all
