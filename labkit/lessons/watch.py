"""The live mode of an exercise: look again after each event of the engine, until the state is right.

One thread reads the engine's events and sleeps between them; one looks, when it is told. Nothing polls. A watch ends by
itself: when the exercise is passed, after a while, when the lesson ends, or when the engine goes away.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from labkit.lessons.material import Outcome

# What can change an answer. Not "archive-path", "export" or "save": those are what a check's own questions cause.
ACTIONS = (
    *("create", "start", "restart", "die", "stop", "kill", "oom", "pause", "unpause", "rename", "destroy"),
    *("exec_start", "exec_die", "extract-to-dir", "commit", "tag", "untag", "delete", "load", "import"),
    *("connect", "disconnect", "health_status"),
)
WATCH_SECONDS = 20 * 60  # the engine itself ends the stream then
GATHER = 0.1  # seconds: a start is several events at once, and one look after them is enough
UNREACHABLE = (DockerException, RequestException, OSError)

ENDED = {
    "watching": "turns green by itself when the engine is as asked",
    "passed": "seen the moment it was so; the watch has ended",
    "time": "has ended after twenty minutes; run this cell to go on",
    "stopped": "has ended",
    "engine": "has ended: the engine no longer answers",
}


class Watch:
    """Watches one exercise. `look` asks the engine; `on_change` is told of each new outcome and of the end."""

    def __init__(
        self, client: docker.DockerClient, look: Callable[[], Outcome], seconds: float = WATCH_SECONDS
    ) -> None:
        self.found = look()
        self.state = "watching"
        self.on_change: Callable[[], None] = lambda: None
        self._look, self._deadline = look, time.time() + seconds
        self._told = threading.Event()
        if self.found.state == "passed":
            self.state = "passed"
            return
        until: Any = f"{self._deadline:.6f}"  # the API takes a fraction, which the SDK passes on as text
        wanted: Any = {"type": ["container", "image", "network", "volume"], "event": list(ACTIONS)}
        self._events = client.events(decode=True, until=until, filters=wanted)
        self._told.set()  # something may have happened between the first look and the open stream
        for work in (self._read, self._work):
            threading.Thread(target=work, name="labkit-watch", daemon=True).start()

    def stop(self, why: str = "stopped") -> None:
        """End the watch, for one of the reasons in ENDED. Twice is the same as once."""
        if self.state != "watching":
            return
        self.state = why
        self._told.set()
        with suppress(*UNREACHABLE, ValueError, AttributeError):
            self._events.close()
        self.on_change()

    def _read(self) -> None:
        # a stream that another thread closes ends in any of these
        with suppress(*UNREACHABLE, ValueError, AttributeError):
            for _ in self._events:
                self._told.set()
        self.stop("time" if time.time() >= self._deadline - 1 else "engine")

    def _work(self) -> None:
        while True:
            self._told.wait()
            time.sleep(GATHER)
            self._told.clear()
            if self.state != "watching":  # asked after the clearing, or a stop in between would be slept through
                return
            with suppress(*UNREACHABLE):  # what is asked may be gone at this very moment: the next event tells
                self._see(self._look())

    def _see(self, found: Outcome) -> None:
        changed, self.found = found != self.found, found
        if found.state == "passed":
            self.stop("passed")
        elif changed:
            self.on_change()
