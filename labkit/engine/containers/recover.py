"""At the engine's start: make the records agree with what really runs.

Three witnesses: the record (what the engine last knew), the shim (which processes it holds), and `exit.json`, which
the shim writes before it tells of an exit. A pid alone proves nothing, since pids are given out again: it counts
only with the boot and the moment at which the process began.

| the shim      | exit.json | then                                                                  |
|---------------|-----------|-----------------------------------------------------------------------|
| runs it       |           | it ran on while the engine was away                                   |
| only made it  |           | the engine died between create and start: taken down, as if never     |
| knows nothing | is there  | it ended meanwhile, with that exit code                               |
| knows nothing | none      | shim or machine died with it: what is left is killed, exit code 255   |

Doing this twice gives the same as doing it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import exits, health, restarts, start
from labkit.engine.containers.background import background
from labkit.engine.containers.erase import erase
from labkit.engine.containers.record import Container, from_json
from labkit.engine.errors import ApiError, StateError
from labkit.engine.networks import attach
from labkit.engine.shim.client import Shim
from labkit.engine.state import boot_id, read_json
from labkit.runtime.cgroups import Cgroup
from labkit.runtime.create import RuntimeFailed

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

log = logging.getLogger(__name__)

LOST = 255
"""The exit code of a container whose end nobody saw."""

RETRY_SECONDS = 0.5

Tasks = dict[str, dict[str, Any]]


async def reconcile(engine: Engine) -> None:
    """Read the records, and settle each of them with what is there now."""
    listen(engine)
    tasks = await _tasks(engine)
    _load(engine)
    for container in engine.containers:
        await _settle(engine, container, tasks.get(container.id))
        if container.attached and not container.state.has_process:
            start.unplug(engine, container)  # reserved for a start that never came
    await _sweep(engine, tasks)


def listen(engine: Engine) -> None:
    """Hear from the shim when a process ends, and when the shim itself does."""
    engine.shim.on_exit = lambda *exit_: exits.on_exit(engine, *exit_)
    engine.shim.on_gone = lambda: _shim_gone(engine)


async def _tasks(engine: Engine) -> Tasks:
    return {task["key"]: task for task in await engine.shim.list()}


def _load(engine: Engine) -> None:
    for container_id in sorted(os.listdir(engine.state.containers)):
        if engine.containers.find(container_id):
            continue
        try:
            kept = read_json(engine.state.container(container_id) / "record.json")
            if kept is not None:
                engine.containers.add(from_json(kept))
        except (StateError, ApiError, KeyError, TypeError, OSError) as broken:
            log.error("the record of %s cannot be used and is left alone: %s", container_id, broken)


async def _settle(engine: Engine, container: Container, task: dict[str, Any] | None) -> None:
    if container.state.status == "removing":
        with contextlib.suppress(ApiError):
            await erase(engine, container, volumes=container.volumes_too)
    elif container.building:
        await _abandon(engine, container)
    elif task is None:
        _without_task(engine, container)
    elif task["state"] == "running":
        _runs_on(engine, container, int(task["pid"]))
    elif task["state"] == "created":
        await engine.shim.delete(container.id)
        start.unplug(engine, container)
    else:
        _without_task(engine, container)
        with contextlib.suppress(RuntimeFailed):
            await engine.shim.delete(container.id)


async def _abandon(engine: Engine, container: Container) -> None:
    """Remove a step of a build that died with the engine, running or not: nobody waits for it."""
    if container.state.has_process:
        kill_orphan(container)
    await engine.shim.delete(container.id)
    start.unplug(engine, container)
    with contextlib.suppress(ApiError):
        await erase(engine, container, volumes=True)


def _runs_on(engine: Engine, container: Container, pid: int) -> None:
    """It has a process. If the record does not know yet, the engine died before it could write so."""
    if not container.state.has_process or container.state.pid != pid:
        container.began(pid, start.birth(pid), boot_id())
        health.begin(engine, container)
        attach.read_oci_annotations(container, f"{engine.containers.folder(container)}/config.json")
        engine.containers.try_save(container)
    elif container.state.status == "running":
        health.watch(engine, container)
    attach.resume(engine, container)


def _without_task(engine: Engine, container: Container) -> None:
    exit_ = _exit_file(engine, container)
    if exit_ is not None:
        if not container.state.has_process:  # started and ended, and the record knows of neither
            container.state.status, container.state.started_at = "running", container.created
        exits.settle(engine, container, *exit_)
    elif container.state.has_process:
        kill_orphan(container)
        exits.settle(engine, container, LOST, time.time())
    elif container.state.status == "restarting":
        restarts.plan(engine, container)


def _exit_file(engine: Engine, container: Container) -> tuple[int, float] | None:
    """What the shim wrote of an end that is in no record yet: once it is, the file is deleted."""
    try:
        found = read_json(f"{engine.containers.folder(container)}/exit.json")
        return None if found is None else (int(found["status"]), float(found["at"]))
    except (StateError, KeyError, TypeError, ValueError):
        return None


def kill_orphan(container: Container) -> None:
    """Kill what lives on without a shim: nobody could read its output or learn of its end."""
    state = container.state
    if state.boot_id != boot_id():
        return  # it ended with its machine; its pid is somebody else's now
    group = Cgroup.at(f"/labkit/{container.id}")
    pids = group.pids()
    if state.pid and start.birth(state.pid) == state.birth:
        pids.append(state.pid)
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    group.remove()


async def _sweep(engine: Engine, tasks: Tasks) -> None:
    """Remove what belongs to no container: half-made folders and layers, tasks without a record."""
    known = {container.id for container in engine.containers}
    for key in tasks.keys() - known:
        await engine.shim.delete(key)
    for container_id in set(engine.driver.containers()) - known:
        log.info("removing the layer of a container that was never finished: %s", container_id)
        engine.driver.remove(container_id)
    for container_id in set(os.listdir(engine.state.containers)) - known:
        folder = engine.state.container(container_id)
        if not (folder / "record.json").exists():
            shutil.rmtree(folder, ignore_errors=True)


# --- the shim died -----------------------------------------------------------------------------------------------


def _shim_gone(engine: Engine) -> None:
    log.error("the shim is gone; what ran in it, if it ended, counts as exited (%d)", LOST)
    background(_replace_shim(engine), "starting a new shim")


async def _new_shim(engine: Engine) -> Shim:
    """Try until it works: the engine is of no use without, and what is missing (descriptors, memory) may come."""
    while True:
        try:
            return await Shim.connect(engine.state.root)
        except (RuntimeFailed, OSError) as refused:
            log.error("no new shim yet, trying again: %s", refused)
            await asyncio.sleep(RETRY_SECONDS)


async def _replace_shim(engine: Engine) -> None:
    engine.shim = await _new_shim(engine)
    listen(engine)
    tasks = await _tasks(engine)  # it may be the old one, where only the connection was lost
    for container in engine.containers:
        async with container.lock:
            lives = container.id in tasks and tasks[container.id]["state"] == "running"
            if container.state.has_process and not lives:
                _without_task(engine, container)
