"""An event loop of one page: call me when this descriptor can be read or written, or when this time has come."""

import heapq
import itertools
import select
import time
from collections.abc import Callable

READ, WRITE, GONE = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP | select.EPOLLERR


class Loop:
    """epoll(7) and a heap of deadlines. Callbacks get the events that happened."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._deadlines: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.running = True

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Watch a descriptor, or change what it is watched for; with 0 only its end is reported."""
        if fd in self._callbacks:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def forget(self, fd: int) -> None:
        """Watch a descriptor no more; before it is closed."""
        if self._callbacks.pop(fd, None):
            self._epoll.unregister(fd)

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call once, after so many seconds."""
        heapq.heappush(self._deadlines, (time.monotonic() + seconds, next(self._order), callback))

    def run(self) -> None:
        """Serve until `running` is False."""
        while self.running:
            wait = max(self._deadlines[0][0] - time.monotonic(), 0) if self._deadlines else None
            for fd, events in self._epoll.poll(wait):
                if callback := self._callbacks.get(fd):
                    callback(events)
            while self._deadlines and self._deadlines[0][0] <= time.monotonic():
                heapq.heappop(self._deadlines)[2]()
