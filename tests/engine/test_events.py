"""Events: Docker's two forms of one, every filter, what came before and what comes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from labkit.engine.errors import BadParameter
from labkit.engine.events import FILTERS, Events, check_filters, make_event, passes

START = make_event(
    "container",
    "start",
    "c0ffee" * 10,
    {"image": "labkit/base:latest", "name": "web", "labkit": "course"},
    1_700_000_000_123_456_789,
    "local",
)
TAG = make_event("image", "tag", "sha256:abc", {"name": "labkit/base:1"}, 1, "local")


def test_both_forms_in_one() -> None:
    assert START["status"] == START["Action"] == "start"
    assert START["id"] == START["Actor"]["ID"]
    assert START["from"] == "labkit/base:latest"
    assert (START["time"], START["timeNano"], START["scope"]) == (1_700_000_000, 1_700_000_000_123_456_789, "local")
    assert "status" not in make_event("network", "connect", "n", {}, 1, "local")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, True),
        ({"container": ["web"]}, True),
        ({"container": ["c0ffee"]}, True),
        ({"container": ["we"]}, False),
        ({"container": ["db", "web"]}, True),
        ({"event": ["start", "die"]}, True),
        ({"event": ["star"]}, False),
        ({"type": ["container"]}, True),
        ({"type": ["image"]}, False),
        ({"image": ["labkit/base"]}, True),
        ({"image": ["labkit/base:latest"]}, True),
        ({"image": ["labkit/other"]}, False),
        ({"label": ["labkit"]}, True),
        ({"label": ["labkit=course"]}, True),
        ({"label": ["labkit=course", "other"]}, False),
        ({"scope": ["local"]}, True),
        ({"scope": ["swarm"]}, False),
        ({"network": ["bridge"]}, False),
        ({"type": ["container"], "event": ["die"]}, False),
    ],
)
def test_filters(filters: dict[str, list[str]], expected: bool) -> None:
    assert passes(START, filters) is expected


def test_an_action_with_details_counts_by_its_first_word() -> None:
    event = make_event("container", "exec_create: ls -l", "c", {}, 1, "local")
    assert passes(event, {"event": ["exec_create"]})


def test_an_image_is_known_by_its_name_too() -> None:
    assert passes(TAG, {"image": ["labkit/base"]})
    assert passes(TAG, {"image": ["sha256:abc"]})


def test_an_unknown_filter_is_refused() -> None:
    check_filters({name: [] for name in FILTERS})
    with pytest.raises(BadParameter, match="invalid filter 'colour'"):
        check_filters({"colour": ["red"]})


async def collect(events: Events, count: int, **options: Any) -> list[str]:
    found = []
    async for event in events.subscribe({}, **options):
        found.append(event["Action"])
        if len(found) == count:
            break
    return found


async def test_past_and_coming_events_follow_each_other() -> None:
    events = Events()
    events.publish("container", "create", "c")
    reader = asyncio.create_task(collect(events, 2, since=0))
    await asyncio.sleep(0)
    events.publish("container", "start", "c")
    assert await reader == ["create", "start"]


async def test_nothing_is_lost_between_subscribing_and_reading() -> None:
    events = Events()
    subscription = events.subscribe({})
    events.publish("container", "start", "c")
    assert (await anext(subscription))["Action"] == "start"


async def test_until_ends_it() -> None:
    events = Events()
    events.publish("container", "create", "c")
    assert await collect(events, 9, since=0, until=time.time()) == ["create"]
    assert await collect(events, 9, until=time.time() + 0.05) == []


async def test_the_ring_forgets_and_a_slow_reader_loses() -> None:
    events = Events(limit=3)
    slow = events.subscribe({})
    for number in range(9):
        events.publish("container", f"n{number}", "c")
    assert await collect(events, 3, since=0) == ["n6", "n7", "n8"]
    assert [(await anext(slow))["Action"] for _ in range(3)] == ["n0", "n1", "n2"]


async def test_a_reader_that_is_gone_is_forgotten() -> None:
    events = Events()
    readers = [events.subscribe({}) for _ in range(3)]
    assert events.listeners == 3
    del readers
    assert events.listeners == 0


def test_times_never_repeat() -> None:
    events = Events()
    times = [events.publish("container", "x", "c")["timeNano"] for _ in range(200)]
    assert len(set(times)) == 200
    assert times == sorted(times)
