"""What is drawn for a learner: kept, one's own, and the same for a seed."""

import pytest

from labkit.lessons.draw import draw, seeded
from labkit.lessons.material import Parameter, load, numbers
from labkit.lessons.progress import Progress

WORDS = Parameter("word", tuple(f"word-{number}" for number in range(50)))
NO_SEED = {}


def test_a_draw_is_kept(progress):
    first = draw(WORDS, "01", progress, NO_SEED)
    assert first in WORDS.options
    assert {draw(WORDS, "01", Progress(progress.path), NO_SEED) for _ in range(20)} == {first}


def test_learners_get_different_ones(tmp_path):
    drawn = {draw(WORDS, "01", Progress(tmp_path / f"{number}.json"), NO_SEED) for number in range(20)}
    assert len(drawn) > 3


def test_forgetting_a_lesson_draws_anew(progress):
    drawn = set()
    for _ in range(20):
        drawn.add(draw(WORDS, "01", progress, NO_SEED))
        progress.forget("01")
    assert len(drawn) > 3


def test_an_option_that_is_no_longer_there_is_drawn_anew(progress):
    progress.keep("01", "words", "word", "an old word")
    first = draw(WORDS, "01", progress, NO_SEED)
    assert first in WORDS.options
    assert draw(WORDS, "01", progress, NO_SEED) == first


def test_a_seed_decides_and_writes_nothing(progress):
    seed = {"LABKIT_SEED": "a"}
    assert draw(WORDS, "01", progress, seed) == draw(WORDS, "01", progress, seed)
    assert not progress.path.exists()
    assert len({draw(WORDS, "01", progress, {"LABKIT_SEED": str(number)}) for number in range(20)}) > 3


@pytest.mark.parametrize("number", numbers())
def test_the_seed_of_the_stored_outputs_gives_one_of_the_options(number):
    for parameter in load(number).parameters:
        assert seeded(parameter, f"course {number}") in parameter.options


@pytest.mark.parametrize("number", numbers())
def test_neighbours_differ(number):
    """At least five can be drawn. Only where it is one of the containers that the lesson's cells start are there
    three: each more would be started on every machine, to be left alone. Such a lesson has another draw beside it.
    """
    material = load(number)
    ours = {name for full in material.cast for name in (full, full.removeprefix(material.prefix))}
    drawn = {parameter.key: set(parameter.options) for parameter in material.parameters}
    assert all(len(drawn[parameter.key]) == len(parameter.options) for parameter in material.parameters)
    assert all(len(options) >= (3 if options <= ours else 5) for options in drawn.values())
    assert not drawn or max(map(len, drawn.values())) >= 5
