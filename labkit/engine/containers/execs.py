"""`docker exec`: a further process in a running container.

It is prepared first (`POST /containers/{id}/exec`) and started later, once. Execs live in memory only: they are
forgotten with their container, and with the API process, whose end they outlive as processes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.engine.api.shapes import Shape
from labkit.engine.containers import lifecycle, spec, start
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError, BadParameter, Conflict, NoSuchExec, ServerError
from labkit.runtime.create import RuntimeFailed

if TYPE_CHECKING:
    from labkit.engine.engine import Engine
    from labkit.engine.shim.client import Attachment

Json = dict[str, Any]

CREATE: Shape = {
    "AttachStdin": bool,
    "AttachStdout": bool,
    "AttachStderr": bool,
    "Tty": bool,
    "Cmd": (str, [str]),
    "Env": [str],
    "User": str,
    "WorkingDir": str,
    "Privileged": bool,
    "DetachKeys": str,
    "detachKeys": str,
    "ConsoleSize": [int],
}
START: Shape = {"Detach": bool, "Tty": bool, "ConsoleSize": [int]}

KEPT = 100
"""How many finished execs of a container can still be inspected."""

READY_SECONDS = 10
"""How long a resize waits for its exec to be started."""

FAILED = "OCI runtime exec failed: exec failed: unable to start container process: "


@dataclass
class Exec:
    """One exec: what was asked, and how far it is. `asked` is the body of its creation."""

    id: str
    container_id: str
    asked: Json
    running: bool = False
    exit_code: int | None = None
    pid: int = 0
    started: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set when its process has become the program, or could not: before, it has no terminal to be resized."""

    @property
    def command(self) -> list[str]:
        cmd = self.asked.get("Cmd") or []
        return [cmd] if isinstance(cmd, str) else list(cmd)

    @property
    def tty(self) -> bool:
        return bool(self.asked.get("Tty"))

    @property
    def detach_keys(self) -> str:
        return detach_keys(self.asked)

    @property
    def title(self) -> str:
        """What events say after `exec_create:`."""
        return " ".join(self.command)


def detach_keys(asked: Json) -> str:
    """The keys that leave it. The SDK for Python writes the field with a small letter, and Go reads either."""
    return asked.get("DetachKeys") or asked.get("detachKeys") or ""


def create(engine: Engine, container: Container, asked: Json) -> Exec:
    """Prepare an exec. Raises Conflict where the container does not run, BadParameter without a command."""
    made = Exec(os.urandom(32).hex(), container.id, asked)
    if not made.command:
        raise BadParameter("No exec command specified")
    lifecycle.check("exec", container.state.status, container.id, container.name)
    _forget_old(container)
    container.execs[made.id] = made
    engine.containers.tell(container, f"exec_create: {made.title}", execID=made.id)
    return made


def _forget_old(container: Container) -> None:
    """Keep so many of those that are over: somebody may exec every second for weeks."""
    over = [exec_id for exec_id, one in container.execs.items() if one.exit_code is not None]
    for exec_id in over[:-KEPT]:
        del container.execs[exec_id]


def find(engine: Engine, exec_id: str) -> tuple[Container, Exec]:
    """An exec and its container. Raises NoSuchExec."""
    for container in engine.containers:
        if exec_id in container.execs:
            return container, container.execs[exec_id]
    raise NoSuchExec(exec_id)


def check_start(container: Container, one: Exec) -> None:
    """Whether it may be started now. Raises Conflict."""
    if one.running:
        raise Conflict(f"Error: Exec command {one.id} is already running")
    if one.exit_code is not None:
        raise Conflict(f"Error: Exec command {one.id} has already run")
    lifecycle.check("exec", container.state.status, container.id, container.name)


async def run(
    engine: Engine,
    container: Container,
    one: Exec,
    *,
    console_size: Sequence[int] | None = None,
    attach: Sequence[Attachment] = (),
) -> None:
    """Start it; returns when the process has become the program. Raises BadParameter, ServerError."""
    check_start(container, one)
    one.running = True
    engine.containers.tell(container, f"exec_start: {one.title}", execID=one.id)
    try:
        process = _process(engine, container, one, console_size)
        one.pid = await engine.shim.exec(
            container.id, one.id, process, open_stdin=bool(one.asked.get("AttachStdin")), attach=attach
        )
    except (RuntimeFailed, OSError, ApiError) as failure:
        one.running = False
        error, one.exit_code = _translate(failure, one.command)
        raise error from failure
    finally:
        one.started.set()
        for attachment in attach:
            attachment.sock.close()


def _process(engine: Engine, container: Container, one: Exec, console_size: Sequence[int] | None) -> Json:
    who = start.identity(engine, container, one.asked.get("User") or None)
    asked = {**one.asked, "Cmd": one.command}
    if console_size:
        asked["ConsoleSize"] = console_size
    return spec.exec_process(asked, container.config, container.host_config, who, container.id)


def _translate(failure: Exception, command: list[str]) -> tuple[ApiError, int]:
    if isinstance(failure, ApiError):
        return failure, start.NOT_EXECUTABLE
    words = start.explain(failure, command)
    code = start.exit_code(words)
    kind = ServerError if code == start.FAILED else BadParameter
    return kind(f"{FAILED}{words}: unknown"), start.NOT_EXECUTABLE if code == start.FAILED else code


async def resize(engine: Engine, container: Container, one: Exec, rows: int, columns: int) -> None:
    """Tell its terminal a size; a client may ask before the process is there. Raises NoSuchExec, ServerError."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await one.started.wait()
    except TimeoutError:
        raise ServerError("timeout waiting for exec session ready") from None
    if not one.running:
        raise NoSuchExec(one.id)
    await engine.shim.resize(container.id, rows, columns, one.id)


def ended(engine: Engine, container: Container, exec_id: str, status: int) -> None:
    """The shim says that an exec's process is over."""
    one = container.execs.get(exec_id)
    if one is None or one.exit_code is not None:
        return
    one.running, one.exit_code = False, status
    engine.containers.tell(container, "exec_die", execID=exec_id, exitCode=status)


def container_ended(engine: Engine, container: Container) -> None:
    """With a container's first process all others are killed by the kernel: pid_namespaces(7)."""
    for one in container.execs.values():
        if one.running:
            ended(engine, container, one.id, 137)


def inspect(one: Exec) -> Json:
    """`GET /exec/{id}/json`."""
    entrypoint, *arguments = one.command
    process = {
        "tty": one.tty,
        "entrypoint": entrypoint,
        "arguments": arguments,
        "privileged": bool(one.asked.get("Privileged")),
    }
    if one.asked.get("User"):
        process["user"] = one.asked["User"]
    return {
        "ID": one.id,
        "Running": one.running,
        "ExitCode": one.exit_code,
        "ProcessConfig": process,
        "OpenStdin": bool(one.asked.get("AttachStdin")),
        "OpenStderr": bool(one.asked.get("AttachStderr")),
        "OpenStdout": bool(one.asked.get("AttachStdout")),
        "CanRemove": False,
        "ContainerID": one.container_id,
        "DetachKeys": one.detach_keys,
        "Pid": one.pid,
    }
