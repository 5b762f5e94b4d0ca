"""How far a learner is, as data: lesson by lesson, exercise by exercise, and what to do next.

A pass counts for the version of the lesson in which the task last changed, and for later ones. What was passed before
that is to be done again, and the report says so. Nothing here asks an engine or draws.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from labkit.lessons.material import Exercise, Material, Question, load, numbers
from labkit.lessons.progress import Progress

Mark = Literal["passed", "open", "again"]
SIGNS: dict[Mark, str] = {"passed": "✓", "open": "○", "again": "↻"}


@dataclass(frozen=True)
class Standing:
    """One lesson: each exercise with its mark, and how many questions were answered rightly."""

    material: Material
    exercises: dict[str, Mark]
    right: int

    @property
    def passed(self) -> int:
        """How many exercises count as passed."""
        return list(self.exercises.values()).count("passed")

    @property
    def again(self) -> list[str]:
        """The exercises that were passed once and have changed since."""
        return [key for key, mark in self.exercises.items() if mark == "again"]

    def to_dict(self) -> dict[str, Any]:
        """For `labkit progress --json`."""
        return {
            "lesson": self.material.number,
            "title": self.material.title,
            "version": self.material.version,
            "exercises": self.exercises,
            "quiz": {"right": self.right, "questions": len(self.material.questions)},
        }


def standings(progress: Progress) -> list[Standing]:
    """Every lesson that exists, in order."""
    return [standing(load(number), progress) for number in numbers()]


def standing(material: Material, progress: Progress) -> Standing:
    """One lesson, from the progress file."""
    passes = progress.section(material.number, "exercises")
    answers = progress.section(material.number, "answers")
    right = [
        question
        for question in material.questions
        if answers.get(question.key, {}).get("right") and counts(question, answers[question.key])
    ]
    return Standing(material, {item.key: mark(item, passes.get(item.key)) for item in material.exercises}, len(right))


def mark(item: Exercise, noted: dict[str, Any] | None) -> Mark:
    """Passed, open, or to be done again."""
    if noted is None:
        return "open"
    return "passed" if counts(item, noted) else "again"


def counts(item: Exercise | Question, noted: dict[str, Any]) -> bool:
    """Whether something that was noted is about the item as it is now."""
    return int(noted.get("version", 1)) >= item.since


def coming_next(found: Iterable[Standing]) -> tuple[str, str] | None:
    """The first exercise that is not passed: its lesson's number and its key. None when all are."""
    for one in found:
        for key, state in one.exercises.items():
            if state != "passed":
                return one.material.number, key
    return None


def rows(found: Iterable[Standing]) -> list[tuple[str, str, str, str]]:
    """A table: the lesson, how many exercises, which ones, how much of the quiz."""
    return [
        (
            f"{one.material.number} {one.material.title}".replace("`", ""),  # no Markdown here
            f"{one.passed} of {len(one.exercises)}",
            f"{one.right} of {len(one.material.questions)}",
            "  ".join(f"{SIGNS[state]} {key}" for key, state in one.exercises.items()),
        )
        for one in found
    ]


def changed(found: Iterable[Standing]) -> list[str]:
    """What must be done again, because a lesson has changed since it was passed."""
    return [
        f"Lesson {one.material.number} has changed since you passed {', '.join(one.again)} (it is version "
        f"{one.material.version} now): do {'it' if len(one.again) == 1 else 'them'} again."
        for one in found
        if one.again
    ]


def advice(found: Iterable[Standing]) -> list[str]:
    """What must be done again, and what comes next."""
    found = list(found)
    following = coming_next(found)
    last = f"Next: lesson {following[0]}, exercise {following[1]}." if following else "All exercises are passed."
    return [*changed(found), last]


def text(progress: Progress) -> str:
    """The whole report as text."""
    found = standings(progress)
    table = [(title, f"exercises {passed}", f"quiz {right}", marks) for title, passed, right, marks in rows(found)]
    wide = [max(len(row[column]) for row in table) for column in range(3)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, [*wide, 0], strict=True)) for row in table]
    return "\n".join([*lines, *advice(found)])
