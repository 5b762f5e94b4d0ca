"""What happened, told to whoever listens (Docker Engine API, `GET /events`).

An event is kept in a ring of the last thousand, so that `since` has something to look back on, and handed to every
subscription whose filters let it pass. A reader who is too slow loses events; the engine never waits for one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from weakref import WeakSet

from labkit.engine.errors import BadParameter

Event = dict[str, Any]
Filters = Mapping[str, Sequence[str]]

RING = 1000
"""How many events are kept, and how far a slow reader may fall behind."""


def make_event(type_: str, action: str, id_: str, attributes: Mapping[str, str], at: int, scope: str) -> Event:
    """One event in both of Docker's forms: `status`, `id`, `from` of old, and Type, Action, Actor.

    `at` is in nanoseconds since 1970.
    """
    event: Event = {}
    if type_ in ("container", "image"):
        event |= {"status": action, "id": id_}
        if type_ == "container" and "image" in attributes:
            event["from"] = attributes["image"]
    return event | {
        "Type": type_,
        "Action": action,
        "Actor": {"ID": id_, "Attributes": dict(attributes)},
        "scope": scope,
        "time": at // 1_000_000_000,
        "timeNano": at,
    }


def _names(event: Event, *more: str) -> list[str]:
    """What an object may be called in a filter: its id, or its name."""
    attributes = event["Actor"]["Attributes"]
    return [event["Actor"]["ID"], attributes.get("name", ""), *(attributes.get(key, "") for key in more)]


def _called(event: Event, type_: str, wanted: Sequence[str], *more: str) -> bool:
    if event["Type"] != type_:
        return False
    names = _names(event, *more)
    return any(want in names or names[0].startswith(want) for want in wanted if want)


def _image(event: Event, wanted: Sequence[str]) -> bool:
    """An image by name or id, with or without its tag; a container's event counts by the image it came from."""
    attributes = event["Actor"]["Attributes"]
    names = _names(event) if event["Type"] == "image" else [attributes.get("image", "")]
    return any(want and (want == name or want == name.rpartition(":")[0]) for want in wanted for name in names)


def _label(event: Event, wanted: Sequence[str]) -> bool:
    """Every label asked for is there (Docker joins label filters with "and", all others with "or")."""
    attributes = event["Actor"]["Attributes"]
    return all(
        key in attributes and (not equals or attributes[key] == value)
        for key, equals, value in (want.partition("=") for want in wanted)
    )


def _action(event: Event, wanted: Sequence[str]) -> bool:
    """`exec_create` also stands for `exec_create: ls`, and `health_status` for `health_status: healthy`."""
    action: str = event["Action"]
    return any(action == want or action.startswith(want + ":") for want in wanted)


FILTERS: dict[str, Callable[[Event, Sequence[str]], bool]] = {
    "config": lambda event, wanted: _called(event, "config", wanted),
    "container": lambda event, wanted: _called(event, "container", wanted),
    "daemon": lambda event, wanted: _called(event, "daemon", wanted),
    "event": _action,
    "image": _image,
    "label": _label,
    "network": lambda event, wanted: _called(event, "network", wanted),
    "node": lambda event, wanted: _called(event, "node", wanted),
    "plugin": lambda event, wanted: _called(event, "plugin", wanted),
    "scope": lambda event, wanted: event["scope"] in wanted,
    "secret": lambda event, wanted: _called(event, "secret", wanted),
    "service": lambda event, wanted: _called(event, "service", wanted),
    "type": lambda event, wanted: event["Type"] in wanted,
    "volume": lambda event, wanted: _called(event, "volume", wanted),
}
"""The filters of `GET /events`."""


def check_filters(filters: Filters) -> None:
    """Raise BadParameter for a filter that `GET /events` does not have."""
    for name in filters:
        if name not in FILTERS:
            raise BadParameter(f"invalid filter '{name}'")


def passes(event: Event, filters: Filters) -> bool:
    """Whether an event passes all the filters; a filter without values lets everything pass."""
    return all(FILTERS[name](event, wanted) for name, wanted in filters.items() if wanted)


class Events:
    """The ring of past events and the readers of the coming ones."""

    def __init__(self, limit: int = RING) -> None:
        self._limit = limit
        self._past: deque[Event] = deque(maxlen=limit)
        # a queue lives as long as its reader does: nobody has to sign off
        self._readers: WeakSet[asyncio.Queue[Event]] = WeakSet()
        self._last = 0

    @property
    def listeners(self) -> int:
        """How many readers there are."""
        return len(self._readers)

    def publish(
        self,
        type_: str,
        action: str,
        id_: str,
        attributes: Mapping[str, str] | None = None,
        *,
        scope: str = "local",
    ) -> Event:
        """Tell that `action` happened to the object `id_`. Call it from the event loop's thread."""
        # two events never share a time, so a reader can ask for what came after the last one it saw
        self._last = max(time.time_ns(), self._last + 1)
        event = make_event(type_, action, id_, attributes or {}, self._last, scope)
        self._past.append(event)
        for queue in list(self._readers):
            if not queue.full():
                queue.put_nowait(event)
        return event

    def past(self, filters: Filters, since: float, until: float | None = None) -> list[Event]:
        """The kept events from `since` to `until` (seconds since 1970), oldest first."""
        last = float("inf") if until is None else until
        return [e for e in self._past if since <= e["timeNano"] / 1e9 <= last and passes(e, filters)]

    def subscribe(
        self, filters: Filters, since: float | None = None, until: float | None = None
    ) -> AsyncIterator[Event]:
        """Past events from `since` if given, then the coming ones until `until`; both in seconds since 1970.

        Nothing that is published after this call is missed, whenever the reading begins.
        """
        queue: asyncio.Queue[Event] = asyncio.Queue(self._limit)
        self._readers.add(queue)
        past = [] if since is None else self.past(filters, since, until)
        return _follow(past, queue, filters, until)


async def _follow(
    past: list[Event], queue: asyncio.Queue[Event], filters: Filters, until: float | None
) -> AsyncIterator[Event]:
    for event in past:
        yield event
    while (coming := await _next(queue, until)) is not None:
        if passes(coming, filters):
            yield coming


async def _next(queue: asyncio.Queue[Event], until: float | None) -> Event | None:
    """The next event, or None when the time `until` has come."""
    if until is None:
        return await queue.get()
    left = until - time.time()
    if left <= 0:
        return None
    try:
        return await asyncio.wait_for(queue.get(), left)
    except TimeoutError:
        return None
