"""Containers that the engine itself starts again, as their restart policy says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from labkit.engine.containers import policy, start, timestamps
from labkit.engine.containers.background import background
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError

if TYPE_CHECKING:
    from labkit.engine.engine import Engine


def plan(engine: Engine, container: Container) -> None:
    """Start it again after a while; `stop`, `kill` and `rm` call that off."""
    ran = timestamps.parse(container.state.finished_at) - timestamps.parse(container.state.started_at)
    container.restart_delay = policy.next_delay(container.restart_delay, ran)
    container.restarting = background(
        _restart_later(engine, container, container.restart_delay), f"restarting {container.name}"
    )


async def _restart_later(engine: Engine, container: Container, delay: float) -> None:
    await asyncio.sleep(delay)
    async with container.lock:
        if container.state.status != "restarting":
            return
        container.restarting = None
        container.restart_count += 1
        try:
            await start.run(engine, container)
        except ApiError:
            # as Docker: one that cannot be started at all is given up, since nothing will have changed next time
            container.state.status = "exited"
            engine.containers.try_save(container)
            raise


def give_up(engine: Engine, container: Container) -> None:
    """It waits for its restart, and shall not have it. The caller holds the lock."""
    if container.restarting:
        container.restarting.cancel()
        container.restarting = None
    container.state.status = "exited"
    engine.containers.try_save(container)
    container.waiters.exited(container.state.exit_code)
