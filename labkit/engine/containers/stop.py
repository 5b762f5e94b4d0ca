"""Verbs on a running container: stop, kill, restart, pause, unpause, rename.

A **graceful stop** sends the stop signal (SIGTERM unless the image says otherwise), waits for the grace period, then
sends SIGKILL, which no process can refuse. Process 1 of a container gets no default actions for signals
(pid_namespaces(7)): a program without a handler for SIGTERM is deaf to it, and is killed when the time is up.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

from labkit.engine import crash
from labkit.engine.containers import health, lifecycle, restarts, start
from labkit.engine.containers.names import check_name
from labkit.engine.containers.record import Container
from labkit.engine.containers.signals import signal_number
from labkit.engine.errors import ApiError, BadParameter, NotModified, ServerError
from labkit.lifecycle import Move
from labkit.runtime.create import RuntimeFailed

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

GRACE = 10
"""Seconds between the stop signal and SIGKILL, where neither the request nor the container says."""

KILL_SECONDS = 10
"""How long a killed process may take to be gone: one that waits for a disk takes its time."""


def _check(verb: str, container: Container) -> Move:
    return lifecycle.check(verb, container.state.status, container.id, container.name)


async def stop(engine: Engine, container: Container, grace: int | None = None, signum: str = "") -> None:
    """Stop it, gracefully. `grace` in seconds, negative to wait for ever. Raises NotModified if it is not running."""
    _check("stop", container)
    if grace != 0 or not await _killed_at_once(engine, container, signum):
        await halt(engine, container, grace, signum)
    engine.containers.tell(container, "stop")


async def halt(engine: Engine, container: Container, grace: int | None, signum: str = "") -> None:
    """The stop signal, the grace period, SIGKILL; returns when it has exited."""
    wanted = _stop_signal(container, signum)
    seconds = grace if grace is not None else container.config.get("StopTimeout", GRACE)
    ended = container.waiters.add("not-running")
    if not await _signal(engine, container, wanted):
        ended.cancel()
        return
    if await _ends(ended, None if seconds < 0 else seconds):
        return
    await _signal(engine, container, signal.SIGKILL)
    crash.at("stop: killed")
    if not await _ends(ended, KILL_SECONDS):
        ended.cancel()
        raise ServerError(f"Cannot stop container: {container.name}: it does not end after SIGKILL: is its disk there?")


def _stop_signal(container: Container, asked: str = "") -> int:
    """The signal that asks it to stop: the one asked for, else its own, else SIGTERM."""
    return signal_number(asked or container.config.get("StopSignal") or "SIGTERM")


async def _killed_at_once(engine: Engine, container: Container, signum: str) -> bool:
    """A stop without a grace period: nobody waits between the two signals, so they are sent together. Is it gone?"""
    wanted = _stop_signal(container, signum)
    ended = container.waiters.add("not-running")
    if await _signal(engine, container, wanted, signal.SIGKILL):
        crash.at("stop: killed")
        await _ends(ended, KILL_SECONDS)
    ended.cancel()
    return not container.state.alive


async def _ends(ended: asyncio.Future[int], seconds: float | None) -> bool:
    """Whether the exit comes in time. The future stays usable."""
    done, _ = await asyncio.wait({ended}, timeout=seconds)
    return bool(done)


async def _signal(engine: Engine, container: Container, *signums: int) -> bool:
    """Send signals that should end it, and thaw it to let them be seen. False if it has ended already."""
    async with container.lock:
        if not container.state.alive:
            return False
        container.stopped_by_user = True
        if container.state.status == "restarting":
            restarts.give_up(engine, container)
            return False
        crash.at("stop: asked")
        await asyncio.gather(*(send(engine, container, signum) for signum in signums))
        crash.at("stop: signalled")
        if container.state.status == "paused":
            await _thaw(engine, container)
        return container.state.alive


async def send(engine: Engine, container: Container, signum: int) -> None:
    """Send a signal to the first process. Raises ServerError."""
    # told before it is sent: the exit that it causes must be told after it
    engine.containers.tell(container, "kill", signal=int(signum))
    try:
        await engine.shim.kill(container.id, signum)
    except RuntimeFailed as failure:
        raise ServerError(f"Cannot kill container: {container.name}: {failure}") from failure


async def kill(engine: Engine, container: Container, signum: str = "") -> None:
    """Send a signal, SIGKILL unless told. Raises Conflict if it is not running, BadParameter for no such signal."""
    try:
        number = signal_number(signum or "SIGKILL")
    except ServerError as error:
        raise ServerError(f"Cannot kill container: {container.name}: {error.message}") from error
    _check("kill", container)
    stop_signal = _stop_signal(container)
    if number not in (signal.SIGKILL, stop_signal):
        async with container.lock:
            _check("kill", container)
            await send(engine, container, number)
        return
    ended = container.waiters.add("not-running")
    if await _signal(engine, container, number) and number == signal.SIGKILL:
        await _ends(ended, KILL_SECONDS)  # as dockerd: after a kill, the next request finds it exited
    ended.cancel()


async def restart(engine: Engine, container: Container, grace: int | None = None, signum: str = "") -> None:
    """Stop it if it runs, then start it. Raises ServerError where it does not come up again."""
    _check("restart", container)
    try:
        if container.state.alive:
            container.held = True
            try:
                await halt(engine, container, grace, signum)
            finally:
                container.held = False
            engine.containers.tell(container, "stop")
        with contextlib.suppress(NotModified):  # somebody else was quicker
            await start.start(engine, container)
    except ApiError as error:
        raise ServerError(f"Cannot restart container {container.name}: {error.message}") from error
    engine.containers.tell(container, "restart")


async def pause(engine: Engine, container: Container) -> None:
    """Freeze all its processes. Raises Conflict, ServerError."""
    async with container.lock:
        move = _check("pause", container)
        try:
            await engine.shim.pause(container.id)
        except RuntimeFailed as failure:
            raise ServerError(f"Cannot pause container {container.id}: {failure}") from failure
        container.state.status = move.to
        health.leave(container)
        engine.containers.try_save(container)
        engine.containers.tell(container, move.event)


async def unpause(engine: Engine, container: Container) -> None:
    """Let its processes go on. Raises Conflict, ServerError."""
    async with container.lock:
        _check("unpause", container)
        await _thaw(engine, container)


async def _thaw(engine: Engine, container: Container) -> None:
    move = lifecycle.check("unpause", container.state.status, container.id, container.name)
    try:
        await engine.shim.resume(container.id)
    except RuntimeFailed as failure:
        raise ServerError(f"Cannot unpause container {container.id}: {failure}") from failure
    container.state.status = move.to
    health.watch(engine, container)
    engine.containers.try_save(container)
    engine.containers.tell(container, move.event)


async def rename(engine: Engine, container: Container, name: str) -> None:
    """Give it another name. Raises BadParameter, Conflict."""
    if not name:
        raise BadParameter("Neither old nor new names may be empty")
    async with container.lock:
        old = container.name
        if name.removeprefix("/") == old:
            raise BadParameter("Renaming a container with the same name as its current name")
        engine.containers.check_free(name.removeprefix("/"))
        engine.containers.rename(container, check_name(name))
        try:
            engine.containers.save(container)
        except OSError as refused:
            engine.containers.rename(container, old)
            raise ServerError(f"cannot write the new name down: {refused}") from refused
        engine.containers.tell(container, "rename", oldName=f"/{old}")
