"""The gauges' picture, text and table: limits are told, what is used is marked, an OOM kill is never missed."""

import json
import re
import threading
import time
from typing import Any

import pytest

from labkit.usage import Limits, Usage
from labkit.views import gauges
from labkit.views.meter import Meter
from tests.views.pictures import state
from tests.views.samples import MIB

LIMITED = Limits(64 * MIB, 0.5, 20)


def test_text_tells_limits_and_nothing_that_varies() -> None:
    quiet = gauges.picture_of(state("one"), LIMITED, Usage(5 * MIB, 0.1, 2))
    busy = gauges.picture_of(state("one"), LIMITED, Usage(63 * MIB, 0.5, 19))
    assert (
        gauges.text_of(quiet)
        == gauges.text_of(busy)
        == ("Gauges: one is running | limits: memory 64 MiB, processors 0.5, processes 20 | no OOM kill")
    )


def test_text_of_an_oom_kill() -> None:
    killed = gauges.picture_of(state("one", status="exited", code=137), Limits(64 * MIB), Usage(), oom_killed=True)
    assert gauges.text_of(killed) == (
        "Gauges: one is exited (137) | limits: memory 64 MiB, processors no limit, processes no limit | an OOM kill"
    )


def test_the_table_marks_what_is_used() -> None:
    table = gauges.table_of(gauges.picture_of(state("one"), LIMITED, Usage(5 * MIB, 0.1, 2)))
    assert re.findall(r'<td class="lk-usage">(.*?)</td>', table) == ["5 MiB", "0.1", "2"]
    assert "<td>64 MiB</td>" in table and "<td>--pids-limit</td>" in table


def test_a_scale_ends_at_the_limit_or_at_what_the_machine_has() -> None:
    shown = gauges.picture_of(state("one"), Limits(memory=64 * MIB), Usage(1, 0.1, 2, 0.0, 1 << 34, 4))
    assert [gauge["full"] for gauge in shown["gauges"]] == [64 * MIB, 4, None]


@pytest.mark.parametrize(("size", "said"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 34, "16 GiB")])
def test_sizes_are_said_as_docker_stats_says_them(size: int, said: str) -> None:
    assert gauges.mebibytes(size) == said


def test_a_picture_is_plain_data() -> None:
    shown = gauges.picture_of(state("one"), LIMITED, Usage(5 * MIB, 0.1, 2), [{"memory": 1, "oom": False}])
    assert json.loads(json.dumps(shown)) == shown


# --- the reader of the stream -------------------------------------------------------------------------


class Endless:
    """An engine whose measurements never end."""

    def __init__(self) -> None:
        self.api, self.read = self, 0

    def stats(self, container_id: str, **_: Any):
        while True:
            self.read += 1
            yield {}
            time.sleep(0.005)


class Watched:
    """A view that wants five measurements."""

    def __init__(self) -> None:
        self.taken, self.enough = 0, threading.Event()

    def wants_measurements(self) -> bool:
        return self.taken < 5

    def measured(self, stats: Any) -> None:
        self.taken += 1
        if self.taken == 5:
            self.enough.set()


def until_it_ends(meter: Meter) -> bool:
    deadline = time.monotonic() + 5
    while meter.running and time.monotonic() < deadline:
        time.sleep(0.005)
    return not meter.running


def test_the_stream_is_read_only_as_long_as_somebody_wants_it() -> None:
    engine, view = Endless(), Watched()
    meter = Meter(engine, "one", view)
    assert view.enough.wait(5) and until_it_ends(meter)
    assert view.taken == 5


def test_a_view_that_is_gone_ends_its_reader() -> None:
    engine, view = Endless(), Watched()
    view.wants_measurements = lambda: True
    meter = Meter(engine, "one", view)
    del view
    assert until_it_ends(meter)
