"""What a client sees while it waits: Docker's progress objects, one a step and layer (Docker API, ImageCreate)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from labkit.engine.images.image import short_id

T = TypeVar("T")

Tell = Callable[[dict[str, Any]], None]
"""Says one thing to the client, and returns at once."""

PAUSE = 0.1  # seconds between two lines of figures about one layer
MOST_WAITING = 1000  # lines that a slow client has not read yet
_BAR = 50


def step(status: str, digest: str) -> dict[str, Any]:
    """A layer has come to the next step, such as `Download complete`."""
    return {"status": status, "progressDetail": {}, "id": short_id(digest)}


def amount(status: str, digest: str, current: int, total: int) -> dict[str, Any]:
    """How many bytes of a layer are done."""
    detail = {"current": current, "total": total}
    return {"status": status, "progressDetail": detail, "progress": bar(current, total), "id": short_id(digest)}


def bar(current: int, total: int) -> str:
    """The line that a terminal shows: `[====>    ]  36.45kB/3.001MB`."""
    done = min(_BAR, _BAR * current // total) if total else _BAR
    drawn = "=" * done + ">" if done < _BAR else "=" * _BAR + ">"
    return f"[{drawn:<{_BAR}}]  {human(current)}/{human(total)}"


def human(size: float) -> str:
    """Bytes as Docker writes them: four digits and a decimal unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.4g}{unit}"
        size /= 1000
    return f"{size:.4g}TB"


class Meter:
    """Tells how far a layer is, but not for every few bytes."""

    def __init__(self, tell: Tell, status: str, digest: str, total: int) -> None:
        self._tell, self._status, self._digest, self._total = tell, status, digest, total
        self._next = 0.0

    def __call__(self, current: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PAUSE
            self._tell(amount(self._status, self._digest, current, self._total))


async def stream(work: Callable[[Tell], Awaitable[None]]) -> AsyncGenerator[dict[str, Any], None]:
    """Do some work and give what it tells, as it comes; its error comes last. Closed early, the work ends too."""
    waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def tell(line: dict[str, Any]) -> None:
        if waiting.qsize() < MOST_WAITING or not line.get("progressDetail"):  # figures may be lost, steps may not
            waiting.put_nowait(line)

    task = asyncio.ensure_future(work(tell))
    task.add_done_callback(lambda _: waiting.put_nowait(None))
    try:
        while (line := await waiting.get()) is not None:
            yield line
        task.result()
    finally:
        await _end([task])


async def together(jobs: Iterable[Awaitable[T]]) -> list[T]:
    """Do several things at once; when one fails, end the others and raise its error."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await _end(tasks)


async def _end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run a blocking function in a thread. A thread cannot be ended, so when we are, wait for it: it uses our files."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        task.exception()  # asked for, so that asyncio does not complain: nobody is left to hear of it
        raise
