"""What every table of attempts must hold, for whatever lesson it is."""

import json
from collections.abc import Sequence
from pathlib import Path

from labkit.lessons import Lesson
from labkit.lessons.material import Material
from labkit.lessons.slips import SLIPS
from tests.lessons.conftest import Attempt


def assert_complete(material: Material, right: Sequence[Attempt], wrong: Sequence[Attempt]) -> None:
    """Each exercise has a right attempt, and three wrong ones with a message and a reactive hint of their own."""
    for exercise in material.exercises:
        assert any(attempt.exercise == exercise.key for attempt in right), f"{exercise.key}: no solution"
        messages = {attempt.says for attempt in wrong if attempt.exercise == exercise.key}
        assert "" not in messages
        assert len(messages) >= 3, f"{exercise.key}: only {len(messages)} different messages"
        slips = {attempt.slip for attempt in wrong if attempt.exercise == exercise.key}
        assert len(slips) >= 3, f"{exercise.key}: only {len(slips)} slips with a hint of their own"


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
