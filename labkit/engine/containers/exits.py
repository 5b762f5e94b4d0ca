"""What the engine does when a process ends: the record, the events, who waits, the restart policy, `--rm`.

The shim tells an exit when the output has been read to its end. An exit is settled under the container's lock like
any other change of state; if nobody holds it, at once.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from labkit.engine import crash
from labkit.engine.containers import execs, health, policy, remove, restarts, start, storage
from labkit.engine.containers.background import background
from labkit.engine.containers.record import Container
from labkit.engine.networks import attach
from labkit.runtime.cgroups import Cgroup

if TYPE_CHECKING:
    from labkit.engine.engine import Engine


def on_exit(engine: Engine, key: str, exec_id: str | None, status: int, at: float) -> None:
    """The shim's callback: a container's first process ended, or an exec. `status` is 128 + the signal of a kill."""
    container = engine.containers.find(key)
    if container is None:
        return
    if exec_id:
        execs.ended(engine, container, exec_id, status)
    elif container.lock.locked():
        background(_settle_later(engine, container, status, at), f"the exit of {container.name}")
    elif container.state.has_process:
        settle(engine, container, status, at)


async def _settle_later(engine: Engine, container: Container, status: int, at: float) -> None:
    async with container.lock:
        if container.state.has_process:
            settle(engine, container, status, at)


def settle(engine: Engine, container: Container, status: int, at: float) -> None:
    """Write an exit down, tell it, and do what follows from it. The caller holds the lock, or nobody does."""
    containers = engine.containers
    crash.at("exit: known")
    if _out_of_memory(container, status):
        container.state.oom_killed = True
        containers.tell(container, "oom")
    again = policy.restarts(
        container.host_config["RestartPolicy"], status, container.restart_count, container.stopped_by_user
    )
    container.ended(status, at, restarts=again)
    left = start.unplug(engine, container)
    health.leave(container)
    containers.try_save(container)
    crash.at("exit: saved")
    with contextlib.suppress(OSError):
        os.unlink(f"{containers.folder(container)}/exit.json")
    background(engine.shim.delete(container.id), f"the shim forgets {container.name}")
    execs.container_ended(engine, container)
    storage.tell_unmounted(engine, container)
    containers.tell(container, "die", exitCode=status)
    for network in left:
        attach.tell(engine, network, "disconnect", container)
    container.waiters.exited(status)
    if again:
        restarts.plan(engine, container)
    elif container.auto_remove and not container.held:
        background(remove.remove(engine, container, volumes=True), f"removing {container.name} after its end (--rm)")


def _out_of_memory(container: Container, status: int) -> bool:
    """Whether the kernel killed one of its processes for want of memory. Only a limit makes that the container's."""
    if not container.host_config.get("Memory"):
        return False
    return Cgroup.at(f"/labkit/{container.id}").oom_kills() > 0
