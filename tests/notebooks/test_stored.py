"""What a notebook's file must hold: outputs, counts, nothing volatile, claims that are demonstrated, short cells."""

import json
import re
import statistics
import tomllib

import pytest

import labkit
from labkit.lessons.material import load, numbers
from tests.notebooks.execute import HERE, METADATA, WIDGET_VIEW, code_cells, extras, paths, read, sanitized

FLOORS = tomllib.loads((HERE / "floors.toml").read_text())
LESSONS = [pytest.param(path, read(path), id=path.stem) for path in paths()]
EXTRAS = [pytest.param(path, read(path), id=path.stem) for path in extras()]
each_lesson = pytest.mark.parametrize(("path", "notebook"), LESSONS)
each_notebook = pytest.mark.parametrize(("path", "notebook"), LESSONS + EXTRAS)

# Rules of the house: course.md, "What a good lesson is"
MEDIAN_LINES, MOST_LINES = 3, 15
MEDIAN_WORDS, MOST_WORDS = 45, 120

# what differs from run to run, and must not be in an output unless a rule of sanitize.cfg covers it
VOLATILE = {
    "an id or digest": re.compile(r"\b[0-9a-f]{12}\b|[0-9a-f]{64}"),
    "a time": re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d"),
    "an object's address": re.compile(r"0x[0-9a-f]{6,}"),
    "an IP address": re.compile(r"\b\d+\.\d+\.\d+\.\d+\b"),
}


def is_compared(cell) -> bool:
    """Whether nbval compares this cell's output."""
    tags = set(cell.metadata.get("tags", []))
    return not tags & {"nbval-ignore-output", "nbval-skip"}


def lines(cell) -> int:
    """Lines of code, without blank ones and comments."""
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in cell.source.splitlines())


def prose(notebook) -> list[str]:
    """The markdown cells that are read as text: the opening with its table and the tables of lessons aside."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown" and "|---" not in cell.source]


# --- stored as execute.py stores -------------------------------------------------------------------


@each_notebook
def test_counts_run_from_one(path, notebook):
    """A notebook without execution counts passes nbval whatever it prints."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_nothing_volatile_is_stored(path, notebook):
    assert notebook.metadata == METADATA
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
    for output in (output for cell in code_cells(notebook) for output in cell.outputs):
        assert output.output_type != "error"
        assert WIDGET_VIEW not in output.get("data", {})
        text = json.dumps(sanitized(output), ensure_ascii=False)
        for what, pattern in VOLATILE.items():
            assert not pattern.search(text), f"{what} in an output: {pattern.search(text)}"


@each_notebook
def test_the_file_is_written_in_one_way(path, notebook):
    text = path.read_text()
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


# --- what is taught --------------------------------------------------------------------------------


def claims_of(notebook) -> dict[str, object]:
    """Claim -> the cell that demonstrates it, by its tag."""
    tagged = [(tag, cell) for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    return {tag.removeprefix("claim-"): cell for tag, cell in tagged if tag.startswith("claim-")}


@each_lesson
def test_each_claim_is_demonstrated(path, notebook):
    """The tagged cell asserts something, or its output is compared."""
    shown = claims_of(notebook)
    assert sorted(shown) == sorted(FLOORS["lessons"][path.stem])
    for claim, cell in shown.items():
        asserts = re.search(r"^assert ", cell.source, re.MULTILINE)
        assert asserts or (cell.outputs and is_compared(cell)), claim
        assert re.search(rf"\*\*{claim}\*\*", notebook.cells[0].source), f"{claim} is not announced at the beginning"


@each_lesson
def test_the_material_is_used(path, notebook):
    """Each prediction is asked and then revealed, each exercise has a check, and the lesson begins and ends."""
    code = "\n".join(cell.source for cell in code_cells(notebook))
    lesson = load(path.stem[:2])
    for prediction in lesson.predictions:
        assert 0 <= code.find(f'predict("{prediction.key}")') < code.find(f'reveal("{prediction.key}"')
    for exercise in lesson.exercises:
        assert f'lesson.check("{exercise.key}")' in code
    for parameter in lesson.parameters:
        assert f'lesson.word("{parameter.key}")' in code
    for call in ("lesson.begin()", "lesson.quiz()", "lesson.end()"):
        assert code.count(call) == 1
    assert code.endswith("lesson.end()")


@each_lesson
def test_messages_point_at_headings_that_exist(path, notebook):
    """The constants in a lesson's module that name a part of the notebook are headings in it."""
    headings = {line.lstrip("# ") for text in prose(notebook) for line in text.splitlines() if line.startswith("## ")}
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    texts = [output.get("data", {}).get("text/plain", "") for output in outputs]
    looks = {look for text in texts for look in re.findall(r"^  look at: +(.*)$", text, re.MULTILINE)}
    assert looks <= headings, looks - headings


@each_lesson
def test_it_opens_and_closes_as_every_lesson_does(path, notebook):
    first, last = notebook.cells[0].source, notebook.cells[-1].source
    assert first.startswith("# ")
    assert "question" in first
    assert re.search(r"Time \| about \d+ minutes", first)
    assert "**Next:**" in last
    recap = next(text for text in prose(notebook) if text.startswith("## What you have seen"))
    assert re.findall(r"^(\d)\. ", recap, re.MULTILINE) == list("12345")


@each_lesson
def test_links_to_other_lessons_lead_somewhere(path, notebook):
    for cell in notebook.cells:
        for target in re.findall(r"\]\(([^)#:]+\.ipynb)\)", cell.source):
            assert (path.parent / target).is_file(), target


# --- how it reads ----------------------------------------------------------------------------------


@each_lesson
def test_cells_are_short(path, notebook, record_property):
    code = [lines(cell) for cell in code_cells(notebook)]
    record_property("median lines of code", statistics.median(code))
    assert statistics.median(code) <= MEDIAN_LINES
    assert max(code) <= MOST_LINES


@each_lesson
def test_prose_is_short(path, notebook, record_property):
    words = [len(text.split()) for text in prose(notebook) if not text.startswith("## Words")]  # a list to look up in
    record_property("median words of prose", statistics.median(words))
    assert statistics.median(words) <= MEDIAN_WORDS
    assert max(words) <= MOST_WORDS


@each_lesson
def test_code_and_prose_take_turns(path, notebook):
    """Never more than two code cells in a row, outside of an exercise: the reader is told what was seen."""
    kinds = "".join(cell.cell_type[0] for cell in notebook.cells)
    assert "cccc" not in kinds


# --- nothing gets lost -----------------------------------------------------------------------------


# a floor -> what the cells that it counts contain
SIGNS = {"docker_lines": "%docker ", "watches": "lesson.watch(", "terminals": "lesson.terminal("}


def test_counts_do_not_drop():
    notebooks = [read(path) for path in paths()]
    code = "".join(cell.source for notebook in notebooks for cell in code_cells(notebook))
    materials = [load(number) for number in numbers()]
    have = {
        "notebooks": len(notebooks),
        "compared_cells": sum(is_compared(cell) for notebook in notebooks for cell in code_cells(notebook)),
        "claims": sum(len(claims_of(notebook)) for notebook in notebooks),
        "exercises": sum(len(material.exercises) for material in materials),
        "quiz_questions": sum(len(material.questions) for material in materials),
        "predictions": sum(len(material.predictions) for material in materials),
        "parameters": sum(len(material.parameters) for material in materials),
    } | {name: code.count(sign) for name, sign in SIGNS.items()}
    assert {name: have[name] for name in have if have[name] < FLOORS[name]} == {}


def test_each_notebook_has_a_row_in_the_floors_and_a_material():
    stems = [path.stem for path in paths()]
    assert stems == sorted(FLOORS["lessons"])
    assert [stem[:2] for stem in stems] == numbers()


# --- the gallery -----------------------------------------------------------------------------------


def test_the_gallery_shows_every_view():
    views = {name for name, home in labkit._HOMES.items() if home.startswith("labkit.views.")}
    gallery = next(read(path) for path in extras() if path.stem == "gallery")
    code = "\n".join(cell.source for cell in code_cells(gallery))
    assert {name for name in views if f"labkit.{name}(" not in code} == set()
