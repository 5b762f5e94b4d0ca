"""Charts of what a lesson has measured, in one house style, drawn with matplotlib.

A chart is made of plain rows. Its text names what was compared and no number, so it is the same in every run; the
numbers are in `table()` and `to_json()`. Figures are made without pyplot: no global state, no window.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from labkit.phases import Start
from labkit.views import base
from labkit.views.base import cell
from labkit.views.time_line import seconds_said

# the light colours of base.css; a test holds the two together
INK, SOFT, LINE, PAPER = "#1c2430", "#556172", "#d5dbe4", "#ffffff"
HUES = ("#1f66b0", "#a8500a", "#0b746a", "#7444b4", "#a8326a", "#5d6a00")

STYLE: dict[Any, Any] = {
    "figure.constrained_layout.h_pad": 0.12,
    "figure.constrained_layout.w_pad": 0.12,
    "figure.facecolor": PAPER,  # a sheet of paper, also on a dark page: a picture can't follow the theme
    "axes.facecolor": PAPER,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "grid.color": LINE,
    "xtick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.color": INK,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "font.size": 10,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so that it looks the same everywhere
    "savefig.dpi": 144,
}
WIDTH, ROW, REST = 7.2, 0.5, 1.4  # inches: the width, each row's height, title and axis
HATCHES = ("", "//", "..", "xx", "\\\\", "++")  # phases are told apart without colour too


@dataclass(frozen=True)
class Chart:
    """A drawn comparison: its title, the rows that it shows, and the picture as PNG bytes."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    data: Mapping[str, Any]
    png: bytes

    def __repr__(self) -> str:
        names = dict.fromkeys(row[0] for row in self.rows)
        return f"Chart: {self.title}: {', '.join(names)}"

    def table(self) -> str:
        """What is drawn, as an HTML table. Numbers stand in cells of class lk-usage."""
        rows = [[row[0], *map(cell, row[1:-1]), cell(row[-1], "lk-usage")] for row in self.rows]
        return base.table(self.title, self.heads, rows)

    def to_json(self, indent: int | None = 2) -> str:
        """What is drawn, as JSON."""
        return json.dumps(dict(self.data), indent=indent)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"text/plain": repr(self), "image/png": self.png}, {}


def bar_chart(title: str, values: Mapping[str, float], unit: str, logarithmic: bool = False) -> Chart:
    """Compare measured values as horizontal bars, each with its number at the end.

    Raises ValueError for nothing to compare, and for values that a logarithmic scale can't show.
    """
    if not values:
        raise ValueError("bar_chart compares at least one value, for example {'container': 0.3, 'VM': 4.2}.")
    if logarithmic and min(values.values()) <= 0:
        raise ValueError("a logarithmic scale shows values above zero only.")

    def draw(axes: Axes) -> None:
        bars = axes.barh(list(values), list(values.values()), height=0.62, color=HUES[: len(values)] or HUES)
        axes.bar_label(bars, [number_said(value, unit) for value in values.values()], padding=5, color=INK)
        axes.margins(x=0.16)
        if logarithmic:
            axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: number_said(value, unit))

    rows = tuple((name, number_said(value, unit)) for name, value in values.items())
    data = {"title": title, "unit": unit, "values": dict(values)}
    return Chart(title, ("what", unit), rows, data, drawn(title, len(values), draw))


def phase_chart(starts: Sequence[Start], title: str = "Phases of a start") -> Chart:
    """Measured starts as bars of phases, one after another, on one scale."""
    names = list(dict.fromkeys(phase.name for start in starts for phase in start.phases))

    def look(name: str) -> dict[str, Any]:
        place = names.index(name) % len(HUES)
        return {"color": HUES[place], "hatch": HATCHES[place], "edgecolor": PAPER, "height": 0.62}

    def draw(axes: Axes) -> None:
        for row, start in enumerate(starts):
            begins = 0.0
            for phase in start.phases:
                axes.barh(row, phase.seconds, left=begins, **look(phase.name))
                begins += phase.seconds
            beside: dict[str, Any] = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "color": INK}
            axes.annotate(seconds_said(begins), (begins, row), **beside)
        axes.set_yticks(range(len(starts)), [start.name for start in starts])
        axes.set_xlabel("seconds")
        axes.margins(x=0.16)
        for name in names:
            axes.barh(0, 0, label=name, **look(name))
        axes.figure.legend(loc="outside lower center", ncols=min(5, len(names)))

    rows = tuple((s.name, phase.name, seconds_said(phase.seconds)) for s in starts for phase in s.phases)
    data = {"title": title, "starts": [{"name": s.name, "phases": [vars(p) for p in s.phases]} for s in starts]}
    return Chart(title, ("start", "phase", "took"), rows, data, drawn(title, len(starts), draw))


def number_said(value: float, unit: str) -> str:
    """A number in three digits with its unit; bytes in Docker's decimal units."""
    if unit == "bytes":
        from labkit.views.layer_stack import size_said

        return size_said(int(value))
    return seconds_said(value) if unit == "seconds" else f"{value:.3g} {unit}"


def drawn(title: str, rows: int, draw: Callable[[Axes], None]) -> bytes:
    """The PNG of a figure in the house style; `draw` fills its only axes, the first row on top."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, REST + ROW * rows), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        draw(axes)
        axes.invert_yaxis()
        axes.set_title(title)
        image = io.BytesIO()
        figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()
