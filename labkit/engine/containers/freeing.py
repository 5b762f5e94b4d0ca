"""Give a replaced file's blocks back afterwards, so that nobody waits for the disk to take them.

rename(2) over a file frees the old one at once. Where the file system tells the disk of each block that it frees (the
mount option `discard`, usual in virtual machines) that takes from 0.1 to some milliseconds. The kernel keeps a file
as long as somebody has it open; so it is opened before, and closed by a thread. Which file has the name, and when,
is not changed by that.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from functools import cache
from queue import SimpleQueue

_old: SimpleQueue[int] = SimpleQueue()


@contextlib.contextmanager
def afterwards(path: str) -> Iterator[None]:
    """What is at `path` before the block, and not after it, is freed by a thread."""
    try:
        held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # nothing is there yet, or no descriptor is left: it is freed at once
        yield
        return
    try:
        yield
    finally:
        _thread()
        _old.put(held)


@cache
def _thread() -> None:
    """Start the thread, once: with the first file. It ends with the process, and owes it nothing."""
    threading.Thread(target=_close_all, name="freeing", daemon=True).start()


def _close_all() -> None:
    while True:
        os.close(_old.get())
