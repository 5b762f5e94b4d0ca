"""The trial exercise of lesson 00: what learners do, and what the check says."""

import pytest

from labkit.lessons import lesson_00
from tests.lessons.attempts import assert_complete, assert_wrong
from tests.lessons.conftest import Attempt

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


@pytest.fixture(autouse=True)
def no_unnamed_left(client):
    yield
    for container in client.containers.list(all=True, filters={"label": "lab00"}):
        container.remove(force=True)


def test_every_exercise_has_its_attempts():
    assert_complete(lesson_00.LESSON, RIGHT, WRONG)


def test_starter_is_not_tried(begin):
    found = begin("00").outcome("guest")
    assert found.state == "not tried", found


@pytest.mark.parametrize("attempt", RIGHT, ids=str)
def test_right(attempt, client, begin):
    lesson = begin("00")
    attempt.do(client)
    assert lesson.outcome(attempt.exercise).state == "passed"


@pytest.mark.parametrize("attempt", WRONG, ids=str)
def test_wrong(attempt, client, begin):
    lesson = begin("00")
    attempt.do(client)
    assert_wrong(lesson, attempt)
