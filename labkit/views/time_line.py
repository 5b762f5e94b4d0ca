"""The time line: measured starts under one another, each with its phases, on one scale.

What is measured varies from run to run, so the text names the phases and the table marks the seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labkit.phases import CONTAINER, Start
from labkit.views import base
from labkit.views.base import Picture, cell

Again = Callable[[], Start]
MOST_STARTS = 12  # the oldest go when there are more


# --- pure: from starts to a picture, and from the picture to text and table -------------------------


def picture_of(starts: Sequence[Start], again: bool = False, measuring: bool = False) -> Picture:
    """The starts as plain data; a phase begins where the one before ended. Seconds."""
    return {
        "view": "TimeLine",
        "starts": [_start(start, number) for number, start in enumerate(starts)],
        "again": again,
        "measuring": measuring,
        "commands": [],
    }


def _start(start: Start, number: int) -> Picture:
    begins, phases = 0.0, []
    for phase in start.phases:
        meaning = CONTAINER.get(phase.name, "")
        phases.append({"name": phase.name, "begins": begins, "seconds": phase.seconds, "meaning": meaning})
        begins += phase.seconds
    return {"key": number, "name": start.name, "seconds": begins, "phases": phases}


def seconds_said(seconds: float) -> str:
    """A time as people say it: "1.23 s", "45 ms", "0.8 ms"."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def text_of(picture: Picture) -> str:
    """The picture as one line: each start's phases in order."""
    said = [f"{s['name']}: {' > '.join(phase['name'] for phase in s['phases'])}" for s in picture["starts"]]
    return "TimeLine: " + (" | ".join(said) or "nothing measured yet")


def table_of(picture: Picture) -> str:
    """The picture as an HTML table, a phase a row. Times stand in cells of class lk-seconds."""
    rows = [row for start in picture["starts"] for row in _rows(start)]
    heads = ["start", "phase", "took", "from the beginning"]
    return base.table("Phases of each start, measured from outside", heads, rows)


def _rows(start: Picture) -> list[list[str]]:
    return [
        [
            start["name"],
            cell(phase["name"]),
            cell(seconds_said(phase["seconds"]), "lk-seconds"),
            cell(seconds_said(phase["begins"] + phase["seconds"]), "lk-seconds"),
        ]
        for phase in start["phases"]
    ]


# --- the widget -------------------------------------------------------------------------------------


class TimeLine(base.View):
    """Draw measured starts as bars of phases on one scale.

    TimeLine(labkit.time_start(client, "labkit/base"), ...) takes Start objects. `again` is a function that measures one
    more; with it the picture has a button for it.
    """

    _esm = base.module("time_line")
    _css = base.style("time_line")

    def __init__(self, *starts: Start, again: Again | None = None, **unknown: Any) -> None:
        base.refuse_unknown("TimeLine", unknown, ["again"])
        for start in starts:
            if not isinstance(start, Start):
                raise TypeError(f"TimeLine takes Start objects, as labkit.time_start() returns, not {start!r}.")
        if not starts and again is None:
            raise ValueError("TimeLine needs at least one Start: TimeLine(labkit.time_start(client, image)).")
        if again is not None and not callable(again):
            raise TypeError(f"TimeLine takes a function as again, which measures one more Start, not {again!r}.")
        self._starts, self._again, self._measuring = list(starts), again, False
        super().__init__(None, ())

    def ask(self) -> Picture:
        return picture_of(self._starts, self._again is not None, self._measuring)

    def add(self, start: Start) -> None:
        """Draw one more start, below the others."""
        self._starts = [*self._starts, start][-MOST_STARTS:]
        self.refresh()

    def told(self, message: Mapping[str, Any]) -> None:
        """The button was pressed: measure one more."""
        if message.get("kind") == "again" and self._again is not None and not self._measuring:
            self._measuring = True
            self.refresh()
            self._do("measure again", self._measure)

    def _measure(self) -> None:
        try:
            if self._again is not None:
                self.add(self._again())
        finally:
            self._measuring = False

    def text(self) -> str:
        return text_of(self.picture)

    def table(self) -> str:
        return table_of(self.picture)

    def chart(self) -> Any:
        """The same starts as a chart of matplotlib, for a page or a slide."""
        from labkit.views import charts

        return charts.phase_chart(self._starts)
