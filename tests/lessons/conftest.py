"""How an exercise is tried out: a learner's lesson, on a clean engine that has the teaching image."""

from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

import labkit
from labkit import child
from labkit.child import Child, ChildError
from labkit.lessons import Lesson
from labkit.lessons.progress import Progress
from tests.backends import backend_missing


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
    """Begin a lesson by its number, on an engine that has the teaching image; ended after the test.

    What a lesson can't know as its own, for it has another name or none, bears its number as a label: `lab01`.
    """
    begun = []

    def begin_lesson(number: str) -> Lesson:
        labkit.base_image(client)
        lesson = Lesson(number, client, progress)
        lesson.begin()
        begun.append(lesson)
        return lesson

    yield begin_lesson
    for lesson in begun:
        for stray in client.containers.list(all=True, filters={"label": f"lab{lesson.material.number}"}):
            stray.remove(force=True)
        lesson.end()


@pytest.fixture
def begin_with_child(
    client: docker.DockerClient, begin: Callable[[str], Lesson], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Lesson]]:
    """Begin a lesson with the lesson's own child, that has been made and is not the learner's."""
    known: list[Child] = []
    monkeypatch.setattr(child, "_children", known)

    def begin_lesson(number: str) -> Lesson:
        begun = begin(number)
        try:
            Child(client)
        except ChildError as error:
            backend_missing("namespaces", str(error))
        return begun

    yield begin_lesson
    for made in known:
        made.close()
