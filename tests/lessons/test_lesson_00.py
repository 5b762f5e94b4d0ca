"""The trial exercise of lesson 00: what learners do, and what the check says."""

import pytest

from labkit.lessons import lesson_00
from tests.lessons.attempts import Attempt, exercise_tests

BASE = "labkit/base"


def come_and_go(client):
    client.containers.run(BASE, "true", name="lab00-guest", detach=True).remove(force=True)


RIGHT = [
    Attempt("guest", "detached", lambda c: c.containers.run(BASE, "sleep 60", name="lab00-guest", detach=True)),
    Attempt("guest", "waited for", lambda c: c.containers.run(BASE, "true", name="lab00-guest")),
    Attempt("guest", "only created", lambda c: c.containers.create(BASE, name="lab00-guest")),
]
WRONG = [
    Attempt("guest", "slip", lambda c: c.containers.create(BASE, name="lab00-gest"), "called lab00-gest", "misnamed"),
    Attempt("guest", "removed", come_and_go, "has been removed", "gone"),
    Attempt("guest", "unnamed", lambda c: c.containers.create(BASE, labels=["lab00"]), "one was made up", "unnamed"),
]


@pytest.fixture
def lesson(begin):
    """Lesson 00 at its beginning: its exercises need nothing of its cells."""
    return begin("00")


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_00.LESSON, RIGHT, WRONG
)
