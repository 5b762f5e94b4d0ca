"""The time line and the charts: phases are named, numbers are marked, and a wrong argument says what is right."""

import json
import re

import pytest

import labkit
from labkit.phases import Phase, Start, Stopwatch
from labkit.views import base, charts, time_line
from tests.views.samples import CONTAINER, MACHINE


def test_text_names_phases_and_no_number() -> None:
    assert time_line.text_of(time_line.picture_of([CONTAINER, MACHINE])) == (
        "TimeLine: container: create > start > first output | VM: kernel > init > first output"
    )


def test_a_phase_begins_where_the_one_before_ended() -> None:
    phases = time_line.picture_of([CONTAINER])["starts"][0]["phases"]
    assert [round(phase["begins"], 3) for phase in phases] == [0, 0.041, 0.278]


def test_the_table_marks_times() -> None:
    table = time_line.table_of(time_line.picture_of([CONTAINER]))
    assert re.findall(r'<td class="lk-seconds">(.*?)</td>', table) == ["41 ms"] * 2 + [
        "237 ms",
        "278 ms",
        "12 ms",
        "290 ms",
    ]


@pytest.mark.parametrize(("seconds", "said"), [(12.345, "12.3 s"), (1, "1 s"), (0.25, "250 ms"), (0.0042, "4.2 ms")])
def test_times_are_said_with_three_digits_at_most(seconds: float, said: str) -> None:
    assert time_line.seconds_said(seconds) == said


def test_a_stopwatch_names_its_laps() -> None:
    watch = Stopwatch()
    watch.lap("first")
    watch.lap("second")
    assert [phase.name for phase in watch.phases] == ["first", "second"]
    assert all(phase.seconds >= 0 for phase in watch.phases)


def test_starts_can_be_added() -> None:
    view = labkit.TimeLine(CONTAINER)
    view.add(MACHINE)
    assert repr(view).endswith("VM: kernel > init > first output")
    assert json.loads(view.to_json())["starts"][1]["name"] == "VM"
    view.close()


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"no argument 'agian'\. Did you mean 'again'\?"):
        labkit.TimeLine(CONTAINER, agian=None)
    with pytest.raises(TypeError, match="takes Start objects"):
        labkit.TimeLine("container")
    with pytest.raises(TypeError, match="takes a function as again"):
        labkit.TimeLine(again=3)
    with pytest.raises(ValueError, match="at least one Start"):
        labkit.TimeLine()


# --- charts -------------------------------------------------------------------------------------------


def test_a_chart_reads_the_same_in_every_run() -> None:
    first = labkit.bar_chart("Bytes on disk", {"container": 2_000_000, "VM": 812_000_000}, "bytes", logarithmic=True)
    second = labkit.bar_chart("Bytes on disk", {"container": 2_100_000, "VM": 811_000_000}, "bytes")
    assert repr(first) == repr(second) == "Chart: Bytes on disk: container, VM"
    assert re.findall(r'<td class="lk-usage">(.*?)</td>', first.table()) == ["2 MB", "812 MB"]
    assert json.loads(first.to_json())["values"]["VM"] == 812_000_000


def test_a_chart_is_drawn_without_a_window_and_leaves_no_settings_behind() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    bundle, _ = charts.phase_chart([CONTAINER, MACHINE])._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["text/plain"] == "Chart: Phases of a start: container, VM"
    assert dict(matplotlib.rcParams) == before


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        labkit.bar_chart("nothing", {}, "bytes")
    with pytest.raises(ValueError, match="above zero"):
        labkit.bar_chart("zero", {"a": 0}, "bytes", logarithmic=True)


def test_many_phases_have_colours_and_marks_to_tell_them_apart() -> None:
    many = Start("VM", tuple(Phase(f"phase {n}", 0.1) for n in range(8)))
    assert charts.phase_chart([many]).png
    assert len(charts.HUES) == len(charts.HATCHES)


def test_charts_have_the_colours_of_the_views() -> None:
    light = (base.HERE / "base.css").read_text().split("}")[0]
    colours = dict(re.findall(r"--lk-([\w-]+): (#\w+)", light))
    assert tuple(colours[f"hue-{n}"] for n in range(6)) == charts.HUES
    assert (colours["ink"], colours["soft"], colours["line"]) == (charts.INK, charts.SOFT, charts.LINE)
