"""What keeps views live: events are followed with one connection, gathered, and nothing is left when a view ends."""

import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from labkit.views import events


class Stream:
    """The engine's events, as the SDK hands them out: blocks until there is one, ends when it is closed."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._waiting: list[dict[str, Any] | None] = []

    def send(self, container: str) -> None:
        self._put({"Action": "start", "Actor": {"ID": container}})

    def close(self) -> None:
        self._put(None)

    def _put(self, event: dict[str, Any] | None) -> None:
        with self._ready:
            self._waiting.append(event)
            self._ready.notify()

    def __iter__(self):
        return self

    def __next__(self) -> dict[str, Any]:
        with self._ready:
            self._ready.wait_for(lambda: self._waiting)
            event = self._waiting.pop(0)
        if event is None:
            raise StopIteration
        return event


class Client:
    """An engine's client that has events and nothing else."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []

    def events(self, **_: Any) -> Stream:
        self.streams.append(Stream())
        return self.streams[-1]


class View:
    """A view that counts its looks."""

    def __init__(self, container: str, *, in_sight: bool = True) -> None:
        self.container, self.in_sight, self.looks, self.gone = container, in_sight, 0, False
        self.fails = False
        self.seen: list[str] = []

    def refresh(self) -> None:
        self.looks += 1
        if self.fails:
            raise OSError("no engine")

    def failed(self, error: Exception) -> None:
        self.gone = True

    def wants_look(self) -> bool:
        return self.in_sight

    def wants_slow_look(self) -> bool:
        return False

    def followed(self) -> frozenset[str]:
        return frozenset({self.container})

    def saw(self, event: dict[str, Any]) -> None:
        self.seen.append(event["Action"])


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "GATHER", 0.02)
    monkeypatch.setattr(events, "RETRY_AFTER", 0.05)


def until(true: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.005)
    return true()


def test_an_event_wakes_the_views_of_its_container_only() -> None:
    client, red, blue = Client(), View("red"), View("blue")
    watchers = [events.follow(client, view) for view in (red, blue)]
    client.streams[0].send("red")
    assert until(lambda: red.looks == 1)
    assert (red.seen, blue.seen) == (["start"], [])
    assert blue.looks == 0
    assert len(client.streams) == 1, "two views of a client share one connection"
    for watcher in watchers:
        watcher.close()


def test_events_that_come_together_are_one_look() -> None:
    client, view = Client(), View("red")
    watcher = events.follow(client, view)
    for _ in range(20):
        client.streams[0].send("red")
    assert until(lambda: view.looks > 0)
    time.sleep(0.1)
    assert view.looks <= 2
    watcher.close()


def test_a_view_out_of_sight_is_left_alone() -> None:
    client, view = Client(), View("red", in_sight=False)
    watcher = events.follow(client, view)
    client.streams[0].send("red")
    time.sleep(0.1)
    assert view.looks == 0
    watcher.close()


def test_an_engine_that_ends_is_noticed_and_found_again() -> None:
    client, view = Client(), View("red")
    view.fails = True
    watcher = events.follow(client, view)
    client.streams[0].close()
    assert until(lambda: view.gone)
    view.fails = False
    assert until(lambda: len(client.streams) == 2), "the engine was started again, and is followed again"
    watcher.close()


@pytest.mark.parametrize("how", ["closed", "collected"])
def test_nothing_is_left_of_the_last_view(how: str) -> None:
    others = set(threading.enumerate())  # of tests before this one, which may still be on their way out

    def ours() -> int:
        return sum(thread.name.startswith("labkit-") for thread in set(threading.enumerate()) - others)

    client, view = Client(), View("red")
    watcher = events.follow(client, view)
    assert ours() == 2
    if how == "closed":
        watcher.close()
    del view
    gc.collect()
    assert until(lambda: ours() == 0)


def test_a_view_may_be_collected_while_another_begins() -> None:
    """The garbage collector runs at any moment, also inside `follow`: it must find no lock to wait for."""
    others = set(threading.enumerate())
    client = Client()
    for _ in range(200):
        view = View("red")
        view.itself = view  # a cycle, so that only the collector ends it
        events.follow(client, view)
        del view
        gc.collect(0)
    gc.collect()
    assert until(lambda: not any(thread.name == "labkit-view" for thread in set(threading.enumerate()) - others))
