"""How an exercise is tried out: a learner's lesson on a clean engine, and tables of what learners do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

import labkit
from labkit.lessons import Lesson
from labkit.lessons.progress import Progress


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


@pytest.fixture(autouse=True)
def seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The learner's words are those of the stored notebooks, so that an attempt can be written down."""
    monkeypatch.setenv("LABKIT_SEED", "course")


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    """The progress file of a learner who has just arrived."""
    return Progress(tmp_path / "progress.json")


@pytest.fixture
def begin(client: docker.DockerClient, progress: Progress) -> Iterator[Callable[[str], Lesson]]:
    """Begin a lesson by its number, on an engine that has the teaching image; ended after the test."""
    begun = []

    def begin_lesson(number: str) -> Lesson:
        labkit.base_image(client)
        lesson = Lesson(number, client, progress)
        lesson.begin()
        begun.append(lesson)
        return lesson

    yield begin_lesson
    for lesson in begun:
        lesson.end()
