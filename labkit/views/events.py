"""Tell a view when something that it shows has changed: the engine's events, and a slow look while one watches.

One thread a client follows GET /events; one thread a view sleeps until it is told, gathers what comes at once, and
asks again. Neither polls. Both hold views by weak reference only, and end when the view is closed or collected.
"""

import functools
import queue
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from docker import DockerClient
from docker.errors import DockerException
from requests.exceptions import RequestException

# What can change a picture. Not "top", "archive-path" or "export": asking must not cause an answer.
ACTIONS = (
    *("create", "start", "restart", "die", "stop", "kill", "oom", "pause", "unpause", "rename", "update", "destroy"),
    *("exec_create", "exec_start", "exec_die", "extract-to-dir", "commit", "health_status", "connect", "disconnect"),
)
GATHER = 0.08  # seconds: a start or a removal is several events at once, and one look after them is enough
SLOW_LOOK = 2.0  # seconds: a process inside changes files and forks with no event, so look while a person watches
RETRIES, RETRY_AFTER = 60, 2.0  # an engine that went away is looked for again, for two minutes at most
UNREACHABLE = (DockerException, RequestException, OSError)


class Follows(Protocol):
    """What a view offers to this module."""

    def refresh(self) -> None: ...
    def failed(self, error: Exception) -> None: ...
    def wants_look(self) -> bool: ...
    def wants_slow_look(self) -> bool: ...
    def followed(self) -> frozenset[str]: ...
    def saw(self, event: dict[str, Any]) -> None: ...


class Watcher:
    """A view's own thread: sleeps until `wake`, then has the view ask the engine again."""

    def __init__(self, view: Follows, ended: "Callable[[Watcher], None]") -> None:
        # A view is collected at any moment, also while a lock is held, so what its end calls may take none:
        # SimpleQueue.put is made for that, Event.set is not.
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._view = weakref.ref(view, lambda _: self.close())
        self._ended = ended
        self._closed = False
        threading.Thread(target=self._run, name="labkit-view", daemon=True).start()

    def wake(self) -> None:
        self._calls.put(None)

    def close(self) -> None:
        self._closed = True
        self._calls.put(None)

    def _run(self) -> None:
        while not self._closed:
            if self._called(SLOW_LOOK if self._slow() else None):
                time.sleep(GATHER)
                while self._called(0):
                    pass
            if not self._closed:
                self._look()
        self._ended(self)

    def _called(self, seconds: float | None) -> bool:
        try:
            self._calls.get(timeout=seconds)
        except queue.Empty:
            return False
        return True

    def _look(self) -> None:
        view = self._view()  # held only here, or this thread would keep it alive while it sleeps
        if view is not None and view.wants_look():
            try:
                view.refresh()
            except Exception as error:  # whatever it is, the learner's picture is the place to say so
                view.failed(error)

    def _slow(self) -> bool:
        view = self._view()
        return view is not None and view.wants_slow_look()


class Follower:
    """A client's own thread: reads the engine's events and wakes the views that show what is named in them."""

    def __init__(self, client: DockerClient) -> None:
        self._watchers: dict[Watcher, weakref.ref[Any]] = {}
        self._lock = threading.Lock()
        self._client = weakref.ref(client)
        self._stream = _open(client)
        self.ended = False
        threading.Thread(target=self._run, name="labkit-events", daemon=True).start()

    def add(self, watcher: Watcher, view: Follows) -> None:
        with self._lock:
            self._watchers[watcher] = weakref.ref(view)

    def remove(self, watcher: Watcher) -> bool:
        """Forget a view; with the last one the connection is closed. Says whether it was."""
        with self._lock:
            self._watchers.pop(watcher, None)
            if self._watchers:
                return False
        with suppress(*UNREACHABLE, AttributeError):
            self._stream.close()
        return True

    def _run(self) -> None:
        try:
            self._follow()
        finally:
            self.ended = True

    def _follow(self) -> None:
        for _ in range(RETRIES):
            # a stream that another thread closes ends in any of these
            with suppress(*UNREACHABLE, ValueError, AttributeError):
                for event in self._stream:
                    self._wake(event)
            self._wake_all()  # the stream ended, so the engine went away: let each view find out and say so
            time.sleep(RETRY_AFTER)
            client = self._client()
            if client is None or not self._watchers:
                return
            with suppress(*UNREACHABLE):  # it may have been started again
                self._stream = _open(client)
                self._wake_all()
            del client

    def _wake(self, event: dict[str, Any]) -> None:
        named = names_in(event)
        for watcher, reference in self._known():
            view = reference()
            if view is not None and named & view.followed():
                view.saw(event)
                watcher.wake()

    def _wake_all(self) -> None:
        for watcher, _ in self._known():
            watcher.wake()

    def _known(self) -> list[tuple[Watcher, "weakref.ref[Any]"]]:
        with self._lock:
            return list(self._watchers.items())


def names_in(event: dict[str, Any]) -> set[str]:
    """The ids and names of what an event is about; one of a network tells the container that came or went, too."""
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    named = (actor.get("ID"), attributes.get("name"), attributes.get("container"))
    return {name for name in named if name}


def _open(client: DockerClient) -> Any:
    return client.events(decode=True, filters={"type": ["container", "network"], "event": list(ACTIONS)})


_followers: "weakref.WeakKeyDictionary[DockerClient, Follower]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def follow(client: DockerClient, view: Follows) -> Watcher:
    """Start following for this view; its watcher is what makes it look again, and what ends it."""
    with _lock:
        follower = _followers.get(client)
        if follower is None or follower.ended:
            follower = _followers[client] = Follower(client)
        watcher = Watcher(view, functools.partial(_forget, client=weakref.ref(client), follower=follower))
        follower.add(watcher, view)
    return watcher


def _forget(watcher: Watcher, client: "weakref.ref[DockerClient]", follower: Follower) -> None:
    """After a watcher's end; the last one of a client takes the connection with it."""
    with _lock:
        known = client()
        if follower.remove(watcher) and known is not None and _followers.get(known) is follower:
            del _followers[known]
