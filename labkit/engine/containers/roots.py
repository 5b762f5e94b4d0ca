"""A container's files, seen from outside: a descriptor of its root, to be used with openat2(2).

A running container is looked at through /proc/PID/root, with everything that is mounted in it. A stopped one has no
mounts, so the graph driver stacks its layers, and its volumes and binds are mounted too, for as long as somebody looks.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from labkit import linux
from labkit.engine.containers import mounts
from labkit.engine.containers.record import Container
from labkit.engine.registry.progress import in_thread
from labkit.runtime.mounts import mount_all

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


@contextlib.contextmanager
def stopped_root(engine: Engine, container: Container) -> Iterator[int]:
    """The root of a container without a process, in the engine's own mount namespace."""
    points = [point for point in mounts.of(container.mounts) if point.source and os.path.lexists(point.source)]
    wanted = mounts.in_order(point.to_oci() for point in points)
    with engine.driver.opened(container.id) as root, contextlib.ExitStack() as stack:
        for mount in wanted:
            mount_all(root, [mount])
            stack.callback(_unmount, root, mount["destination"])
        yield root


def _unmount(root: int, place: str) -> None:
    inside = linux.RESOLVE_IN_ROOT | linux.RESOLVE_NO_MAGICLINKS
    fd = linux.openat2(root, place, os.O_PATH, resolve=inside)
    try:
        linux.umount2(f"/proc/self/fd/{fd}", linux.MNT_DETACH)
    finally:
        os.close(fd)


@contextlib.asynccontextmanager
async def opened(engine: Engine, container: Container) -> AsyncIterator[int]:
    """The root of any container. Entered in a thread, as another reader of a stopped one may hold it for long."""
    root = running_root(container) if container.state.has_process else stopped_root(engine, container)
    stack = contextlib.ExitStack()
    try:  # around the entering too: the thread that enters goes on when we are cancelled, and may then hold a mount
        yield await in_thread(stack.enter_context, root)
    finally:
        await in_thread(stack.close)
