"""Work that nobody waits for: a removal after `--rm`, a restart, the shim's tidying up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from labkit.engine.errors import ApiError
from labkit.runtime.create import RuntimeFailed

log = logging.getLogger(__name__)

_running: set[asyncio.Task[None]] = set()
"""asyncio keeps only a weak reference to a task; one that nobody awaits must be held somewhere."""


def background(work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
    """Do something that nobody waits for. A failure goes to the engine's log, beginning with `what`."""
    task = asyncio.get_running_loop().create_task(_logged(work, what))
    _running.add(task)
    task.add_done_callback(_running.discard)
    # a task cancelled before its first step has never begun the work, and nobody else would close it
    task.add_done_callback(lambda _: work.close())
    return task


async def _logged(work: Coroutine[Any, Any, None], what: str) -> None:
    try:
        await work
    except (ApiError, RuntimeFailed, OSError) as failure:
        log.warning("%s: %s", what, failure)
