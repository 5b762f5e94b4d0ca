"""A container's files, seen from outside: a descriptor of its root, to be used with openat2(2).

A running container is looked at through /proc/PID/root, with everything that is mounted in it. A stopped one has no
mounts, so the graph driver stacks its layers for as long as somebody looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from labkit.engine.containers.record import Container

if TYPE_CHECKING:
    from labkit.engine.engine import Engine


@contextlib.contextmanager
def running_root(container: Container) -> Iterator[int]:
    """The root of a container that has a process: proc_pid_root(5)."""
    fd = os.open(f"/proc/{container.state.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.asynccontextmanager
async def opened(engine: Engine, container: Container) -> AsyncIterator[int]:
    """The root of any container. Entered in a thread, as another reader of a stopped one may hold it for long."""
    root = running_root(container) if container.state.has_process else engine.driver.opened(container.id)
    fd = await asyncio.to_thread(root.__enter__)
    try:
        yield fd
    finally:
        await asyncio.to_thread(root.__exit__, None, None, None)
