"""Ask services for something, again and again, for as long as a view is watched: the requests that are seen to flow.

What a request is the learner says, with a function. It runs in a thread of its own, so a service that is slow to answer
holds up nothing else; the thread holds the view by weak reference only, and ends when nobody watches.
"""

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Protocol

EVERY = 1.5  # seconds between two rounds, so that an eye can follow a request

Probe = Callable[[str], object]


class Wants(Protocol):
    """What a view offers to this module."""

    def wants_requests(self) -> Sequence[str]: ...
    def answered(self, name: str, good: bool, said: str) -> None: ...
    def end_round(self) -> None: ...


class Prober:
    """A view's own thread of requests; `running` until the last round has ended."""

    def __init__(self, probe: Probe, view: Wants) -> None:
        self._probe, self._view = probe, weakref.ref(view)
        self.running = True
        threading.Thread(target=self._run, name="labkit-probe", daemon=True).start()

    def _run(self) -> None:
        try:
            while self._round():
                time.sleep(EVERY)
        finally:
            self.running = False

    def _round(self) -> bool:
        """Ask each service once; False when nobody wants to know any more."""
        view: Any = self._view()
        names = view.wants_requests() if view is not None else ()
        for name in names:
            view.answered(name, *ask(self._probe, name))
        if names:
            view.end_round()
        return bool(names)


def ask(probe: Probe, name: str) -> tuple[bool, str]:
    """Whether the service answered; and if not, why: the probe raised, or gave something that is not true."""
    try:
        answer = probe(name)
    except Exception as error:  # the learner's own function: whatever it raises is shown in the picture
        return False, f"{type(error).__name__}: {error}"
    return bool(answer), "" if answer else f"the probe returned {answer!r}"
