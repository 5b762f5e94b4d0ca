"""Health checks: a command that the engine runs in a container again and again, to learn whether it does its work.

    starting ──▶ healthy ◀──▶ unhealthy

One good answer makes it healthy; so many bad ones in a row (`Retries`) make it unhealthy. In the start period bad
ones don't count, so that a slow start is no illness. Nothing follows from it: who restarts an unhealthy container is
somebody else. When nobody looks any more (it ended, or is paused) it counts as unhealthy, as with Docker.

Source: Docker Engine API, HealthConfig and Health; the Dockerfile reference, "HEALTHCHECK"; moby daemon/health.go.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import timestamps
from labkit.engine.containers.background import background
from labkit.engine.containers.healthcheck import SECOND, Check, after, check_of
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError
from labkit.engine.shim.client import Attachment
from labkit.runtime.create import RuntimeFailed

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

Json = dict[str, Any]

KEPT_OUTPUT = 4096
"""Bytes of a result's output."""

NEVER_RAN = -1
"""The exit code of a check that could not run, or did not end in time."""


# --- what is known -----------------------------------------------------------------------------------------------


def status(container: Container) -> str:
    """none, starting, healthy or unhealthy: what `docker ps --filter health=` asks for."""
    return str((container.state.health or {"Status": "none"})["Status"])


def in_words(container: Container) -> str:
    """What `docker ps` says after the time: "" without a health check, else "healthy", "health: starting"."""
    found = status(container)
    return {"none": "", "starting": "health: starting"}.get(found, found)


# --- the monitor -------------------------------------------------------------------------------------------------


def begin(engine: Engine, container: Container) -> None:
    """Look after a container that has just been started. The results of the run before stay for a look."""
    check = check_of(container.config)
    if check is None:
        container.state.health = None
        return
    before = (container.state.health or {}).get("Log") or []
    container.state.health = {"Status": "starting", "FailingStreak": 0, "Log": before}
    watch(engine, container)


def watch(engine: Engine, container: Container) -> None:
    """Look after it from now on: it was started, or unpaused, or the engine came back."""
    check = check_of(container.config)
    if check is not None and container.state.health is not None and container.monitor is None:
        container.monitor = background(_monitor(engine, container, check), f"the health check of {container.name}")


def leave(container: Container) -> None:
    """Look after it no more: it ended, or is paused."""
    if container.monitor is not None:
        container.monitor.cancel()
        container.monitor = None
    if container.state.health is not None:
        container.state.health["Status"] = "unhealthy"


async def _monitor(engine: Engine, container: Container, check: Check) -> None:
    """Wait, look, note; until somebody cancels this."""
    while True:
        await asyncio.sleep(_pause(container, check))
        began = time.time_ns()
        result = await probe(engine, container, check)
        _note(engine, container, check, result, began)


def _pause(container: Container, check: Check) -> float:
    starting = status(container) == "starting" and _age(container, time.time_ns()) < check.start_period
    return check.start_interval if starting else check.interval


def _age(container: Container, at: int) -> float:
    return at / SECOND - timestamps.parse(container.state.started_at)


def _note(engine: Engine, container: Container, check: Check, result: Json, began: int) -> None:
    health = container.state.health
    if health is None:
        return
    container.state.health = after(health, result, check, age=_age(container, began))
    now = status(container)
    if now != health["Status"]:
        engine.containers.try_save(container)
        engine.containers.tell(container, f"health_status: {now}")


async def probe(engine: Engine, container: Container, check: Check) -> Json:
    """Run the check once: an entry of Health.Log."""
    began = timestamps.now()
    code, output = await _run(engine, container, check)
    return {"Start": began, "End": timestamps.now(), "ExitCode": code, "Output": output}


async def _run(engine: Engine, container: Container, check: Check) -> tuple[int, str]:
    from labkit.engine.containers import execs  # an exec is started as a container is: they know of each other

    ours, theirs = socket.socketpair()
    try:
        one = execs.create(engine, container, {"Cmd": list(check.command), "AttachStdout": True, "AttachStderr": True})
        attachment = Attachment(theirs, False, True, True)
        await execs.run(engine, container, one, attach=[attachment])
        try:
            async with asyncio.timeout(check.timeout):
                output = await read_output(ours)
        except TimeoutError:
            with suppress(RuntimeFailed):
                await engine.shim.kill(container.id, signal.SIGKILL, one.id)
            return NEVER_RAN, f"Health check exceeded timeout ({_in_go(check.timeout)})"
        return (NEVER_RAN if one.exit_code is None else one.exit_code), output
    except ApiError as refused:
        return NEVER_RAN, refused.message
    finally:
        ours.close()
        theirs.close()


async def read_output(sock: socket.socket) -> str:
    """Read Docker's frames to the end, and keep the first bytes of what they carry."""
    reader, writer = await asyncio.open_connection(sock=sock)
    kept = bytearray()
    try:
        while True:
            size = int.from_bytes((await reader.readexactly(8))[4:], "big")
            data = await reader.readexactly(size)
            kept += data[: KEPT_OUTPUT + 1 - len(kept)]
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()
    text = kept[:KEPT_OUTPUT].decode(errors="replace")
    return text + "..." if len(kept) > KEPT_OUTPUT else text


def _in_go(seconds: float) -> str:
    """A duration as Go prints it, for short ones: 500ms, 1s, 1m30s."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    return (f"{int(minutes)}m" if minutes else "") + f"{rest:g}s"
