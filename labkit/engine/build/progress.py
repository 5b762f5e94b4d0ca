"""What a build tells its client: lines on their way from the builder to the answer.

A slow client slows the build down. A client that leaves cancels it, and the build's own cleaning up runs to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

Json = dict[str, Any]
Tell = Callable[[Json], Awaitable[None]]
"""Says one line to the client; waits while the client has many that it has not read."""

MOST_WAITING = 64
MOST_KEPT = 10_000


async def lines(work: Callable[[Tell], Awaitable[None]], gone: asyncio.Event) -> AsyncGenerator[Json, None]:
    """Do some work and give what it tells, as it comes; its error comes last. Ends early when `gone` is set."""
    waiting: asyncio.Queue[Json | None] = asyncio.Queue()
    room, closed = asyncio.Semaphore(MOST_WAITING), asyncio.Event()

    async def tell(line: Json) -> None:
        if not closed.is_set():
            await room.acquire()
            waiting.put_nowait(line)

    task, left = asyncio.ensure_future(work(tell)), asyncio.ensure_future(gone.wait())
    for one in (task, left):
        one.add_done_callback(lambda _: waiting.put_nowait(None))
    try:
        while (line := await waiting.get()) is not None:
            room.release()
            yield line
        if task.done():
            task.result()
    finally:
        closed.set()
        left.cancel()
        task.cancel()
        await asyncio.wait({task})
        with contextlib.suppress(asyncio.CancelledError, Exception):
            task.result()  # it was raised above, or nobody is there to hear it


class Quiet:
    """Keeps what is told, for a client who wants to hear of a build only if it fails."""

    def __init__(self) -> None:
        self._kept: deque[Json] = deque(maxlen=MOST_KEPT)

    async def tell(self, line: Json) -> None:
        """Keep a line; of very many, the last."""
        self._kept.append(line)

    async def pass_on(self, tell: Tell) -> None:
        """Tell all that was kept."""
        for line in self._kept:
            await tell(line)
