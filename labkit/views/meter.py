"""Read the engine's stream of measurements of one container, for as long as a view wants them.

`docker stats` measures once a second by itself, so there is nothing to poll: a thread reads what comes, and ends when
the container does, when nobody watches, or when the view is gone. It holds the view by weak reference only.
"""

import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from docker import DockerClient

from labkit.views.events import UNREACHABLE


class Wants(Protocol):
    """What a view offers to this module."""

    def wants_measurements(self) -> bool: ...
    def measured(self, stats: Mapping[str, Any]) -> None: ...


class Meter:
    """A view's reader of GET /containers/{id}/stats; `running` until it has read its last."""

    def __init__(self, client: DockerClient, container_id: str, view: Wants) -> None:
        self._client, self._id, self._view = client, container_id, weakref.ref(view)
        self.running = True
        threading.Thread(target=self._run, name="labkit-stats", daemon=True).start()

    def _run(self) -> None:
        try:
            with suppress(*UNREACHABLE, ValueError):  # the view's next look at the engine will say what is wrong
                self._read()
        finally:
            self.running = False

    def _read(self) -> None:
        for stats in self._client.api.stats(self._id, decode=True, stream=True):
            view = self._view()
            if view is None or not view.wants_measurements():
                return
            view.measured(stats)
            del view
