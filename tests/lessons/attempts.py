"""Attempts: what learners do for an exercise, and the tests that every lesson's tables of attempts are put to."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from labkit.lessons import Lesson
from labkit.lessons.material import Material
from labkit.lessons.slips import SLIPS
from tests.contract.helpers import eventually


@dataclass(frozen=True)
class Attempt:
    """What a learner does for an exercise, and what the check must say.

    `says` is part of what was seen, `slip` the name of what went wrong: a key of labkit.lessons.slips.SLIPS.
    """

    exercise: str
    name: str
    do: Callable[[docker.DockerClient], object]
    says: str = ""
    slip: str = ""

    def __str__(self) -> str:
        return f"{self.exercise}: {self.name}"


Settle = Callable[[docker.DockerClient, Lesson, Attempt], object]


def at_once(client: docker.DockerClient, lesson: Lesson, attempt: Attempt) -> None:
    """After most attempts the check may look at once."""


def until_it_answers(client: docker.DockerClient, lesson: Lesson, attempt: Attempt) -> None:
    """A server needs a moment until it listens, or ends. Until then the check sees one that gives no answer."""
    if attempt.slip != "no answer":
        eventually(lambda: lesson.outcome(attempt.exercise).slip != "no answer")


def exercise_tests(
    material: Material, right: Sequence[Attempt], wrong: Sequence[Attempt], settle: Settle = at_once
) -> tuple[Callable[..., None], ...]:
    """The four tests that each lesson has, for its test module to name as they are named here.

    That module has a fixture `lesson`: the lesson where its own cells have been run. `settle` waits, where the
    containers need a moment between the attempt and the check.
    """

    def test_every_exercise_has_its_attempts() -> None:
        assert_complete(material, right, wrong)

    @pytest.mark.parametrize("exercise", material.exercises, ids=lambda exercise: exercise.key)
    def test_starter_is_not_tried(exercise, lesson) -> None:
        assert_not_tried(lesson, exercise.key)

    @pytest.mark.parametrize("attempt", right, ids=str)
    def test_right(attempt, client, lesson) -> None:
        attempt.do(client)
        settle(client, lesson, attempt)
        found = lesson.outcome(attempt.exercise)
        assert found.state == "passed", found

    @pytest.mark.parametrize("attempt", wrong, ids=str)
    def test_wrong(attempt, client, lesson) -> None:
        attempt.do(client)
        settle(client, lesson, attempt)
        assert_wrong(lesson, attempt)

    return test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong


def assert_complete(material: Material, right: Sequence[Attempt], wrong: Sequence[Attempt]) -> None:
    """Each exercise has a right attempt, and three wrong ones with a message and a reactive hint of their own."""
    for exercise in material.exercises:
        assert any(attempt.exercise == exercise.key for attempt in right), f"{exercise.key}: no solution"
        messages = {attempt.says for attempt in wrong if attempt.exercise == exercise.key}
        assert "" not in messages
        assert len(messages) >= 3, f"{exercise.key}: only {len(messages)} different messages"
        slips = {attempt.slip for attempt in wrong if attempt.exercise == exercise.key}
        assert len(slips) >= 3, f"{exercise.key}: only {len(slips)} slips with a hint of their own"


def assert_not_tried(lesson: Lesson, *exercises: str) -> None:
    """Nothing of these exercises is there, or of all of the lesson's."""
    for key in exercises or [exercise.key for exercise in lesson.material.exercises]:
        found = lesson.outcome(key)
        assert found.state == "not tried", found


def assert_wrong(lesson: Lesson, attempt: Attempt) -> None:
    """The check says what it saw and sends back to a heading that exists; the hint is about what is there."""
    found = lesson.outcome(attempt.exercise)
    assert found.state == "not yet", found
    assert attempt.says in found.seen
    assert found.slip == attempt.slip
    assert found.expected
    assert found.look in headings(lesson.material)
    first, second = repr(lesson.hint(attempt.exercise)), repr(lesson.hint(attempt.exercise))
    assert first == f"Hint for what is there now: {SLIPS[attempt.slip]}"
    assert second.startswith("Hint 1 of 3: "), "the same slip again: now the exercise's own hints"


def headings(material: Material) -> set[str]:
    """The headings of the lesson's notebook: what a message may send the learner back to."""
    path = next((Path(__file__).parents[2] / "notebooks").glob(f"{material.number}_*.ipynb"))
    cells = json.loads(path.read_text())["cells"]
    lines = "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "markdown").splitlines()
    return {line.removeprefix("## ") for line in lines if line.startswith("## ")}
