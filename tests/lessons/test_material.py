"""What every lesson's material must hold, for the lessons that there are and those to come."""

import importlib
import re
from pathlib import Path

import pytest

from labkit.errors import LabkitError
from labkit.lessons import material
from labkit.lessons.material import load, numbers
from labkit.lessons.slips import SLIPS
from tests.lessons.attempts import exercise_tests

LESSONS = [load(number) for number in numbers()]
EXERCISES = [(lesson, exercise) for lesson in LESSONS for exercise in lesson.exercises]
QUESTIONS = [(lesson, question) for lesson in LESSONS for question in lesson.questions]
# what only a solution would say: a call with its arguments, a command with its words
SOLUTION = re.compile(r"(run|create|commit|remove)\([^)]|docker (run|create|commit|rm) |exit 7|rm /|name=\"")


def key_of(pair):
    return f"{pair[0].number} {pair[1].key}"


def test_there_are_lessons():
    assert numbers()[:3] == ["00", "01", "02"]


@pytest.mark.parametrize("number", numbers())
def test_each_lesson_names_the_tests_of_its_exercises_as_they_are_named(number):
    """`exercise_tests` makes them; a test without its name would not be found, and nobody would miss it."""
    module = vars(importlib.import_module(f"tests.lessons.test_lesson_{number}"))
    for test in exercise_tests(load(number), [], []):
        assert module[test.__name__].__qualname__ == test.__qualname__


@pytest.mark.parametrize("pair", EXERCISES, ids=key_of)
def test_hints_are_three_and_give_no_solution(pair):
    _, exercise = pair
    assert len(set(exercise.hints)) == 3
    for hint in exercise.hints:
        assert len(hint.split()) >= 5
        assert not SOLUTION.search(hint), hint


@pytest.mark.parametrize("slip", SLIPS)
def test_reactive_hints_give_no_solution_and_are_used(slip):
    assert len(SLIPS[slip].split()) >= 8
    assert not SOLUTION.search(SLIPS[slip])
    folder = Path(material.__file__).parent
    sources = [path.read_text() for path in (*folder.glob("*_[0-9][0-9].py"), folder / "promises.py")]
    assert any(f'"{slip}"' in source for source in sources), "no check names it"


@pytest.mark.parametrize("pair", QUESTIONS, ids=key_of)
def test_a_question_has_one_right_choice_and_a_reason_for_each(pair):
    _, question = pair
    assert len(question.choices) >= 3
    assert [choice.right for choice in question.choices].count(True) == 1
    assert all(len(choice.why.split()) >= 5 for choice in question.choices)


def test_the_right_choice_has_no_favourite_place():
    places = {[choice.right for choice in question.choices].index(True) for _, question in QUESTIONS}
    assert places == {0, 1, 2}


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.number)
def test_predictions_have_options_with_different_facts(lesson):
    for prediction in lesson.predictions:
        facts = [repr(fact) for fact in prediction.options.values()]
        assert len(facts) >= 2
        assert len(facts) == len(set(facts)), prediction.key


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.number)
def test_keys_are_unique_and_names_carry_the_prefix(lesson):
    for things in (lesson.predictions, lesson.exercises, lesson.questions):
        keys = [thing.key for thing in things]
        assert len(keys) == len(set(keys))
    assert all(name.startswith(lesson.prefix) for name in lesson.cast)


def test_an_unknown_lesson_says_which_there_are():
    with pytest.raises(LabkitError, match="00, 01, 02"):
        load("99")
