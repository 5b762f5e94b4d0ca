"""Each of the chapter's claims is taught: seen in a cell that asserts, shown in a picture, asked for in an exercise."""

import importlib
import tomllib

import pytest

import labkit
from labkit.lessons.material import load
from tests.notebooks.execute import HERE, code_cells, paths, read
from tests.notebooks.test_stored import claims_of

CLAIMS = tomllib.loads((HERE / "claims.toml").read_text())
NOTEBOOKS = {path.stem[:2]: read(path) for path in paths()}
each_claim = pytest.mark.parametrize(("claim", "taught"), CLAIMS.items(), ids=CLAIMS)


def test_all_twenty_are_here():
    assert list(CLAIMS) == [f"C{number}" for number in range(1, 21)]
    assert len({taught["says"] for taught in CLAIMS.values()}) == 20


def test_no_lesson_demonstrates_what_the_table_does_not_know():
    tagged = {(claim, number) for number, notebook in NOTEBOOKS.items() for claim in claims_of(notebook)}
    assert tagged == {(claim, number) for claim, taught in CLAIMS.items() for number in taught["lessons"]}


@each_claim
def test_it_is_demonstrated(claim, taught):
    """That the tagged cell asserts, or has an output that is compared, is tested with the notebooks' files."""
    assert taught["lessons"]
    for number in taught["lessons"]:
        assert claim in claims_of(NOTEBOOKS[number])


@each_claim
def test_it_has_a_picture(claim, taught):
    """One of the views, drawn in a lesson that demonstrates the claim."""
    assert taught["views"]
    code = "\n".join(cell.source for number in taught["lessons"] for cell in code_cells(NOTEBOOKS[number]))
    for view in taught["views"]:
        assert labkit._HOMES[view].startswith("labkit.views.")
        assert f"labkit.{view}(" in code


@each_claim
def test_it_has_an_exercise_whose_wrong_answers_fail(claim, taught):
    """The attempts are run on the engines by tests/lessons; here they must exist, three of them wrong."""
    assert taught["exercises"]
    for number, key in map(str.split, taught["exercises"]):
        assert number in taught["lessons"]
        assert key in {exercise.key for exercise in load(number).exercises}
        attempts = importlib.import_module(f"tests.lessons.test_lesson_{number}")
        assert any(attempt.exercise == key for attempt in attempts.RIGHT)
        assert len({attempt.slip for attempt in attempts.WRONG if attempt.exercise == key}) >= 3
