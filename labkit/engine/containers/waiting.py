"""Who waits for a container to end (`POST /containers/{id}/wait`), and for which end."""

from __future__ import annotations

import asyncio

CONDITIONS = ("not-running", "next-exit", "removed")


class Waiters:
    """Futures of exit codes, by what they wait for: an exit, or the removal."""

    def __init__(self) -> None:
        self._exit: set[asyncio.Future[int]] = set()
        self._removal: set[asyncio.Future[int]] = set()

    def add(self, condition: str) -> asyncio.Future[int]:
        """A future that gets the exit code when the condition comes true. Cancel it to stop waiting."""
        group = self._removal if condition == "removed" else self._exit
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        group.add(future)
        future.add_done_callback(group.discard)
        return future

    def exited(self, exit_code: int) -> None:
        """The process is over."""
        _resolve(self._exit, exit_code)

    def removed(self, exit_code: int) -> None:
        """The container is gone: nobody needs to wait for an exit any more either."""
        _resolve(self._exit, exit_code)
        _resolve(self._removal, exit_code)


def _resolve(futures: set[asyncio.Future[int]], exit_code: int) -> None:
    for future in list(futures):
        if not future.done():
            future.set_result(exit_code)
