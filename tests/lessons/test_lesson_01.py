"""The exercises of lesson 01: what learners do, and what the checks say."""

import contextlib

import docker
import pytest

from labkit.lessons import lesson_01
from tests.lessons.attempts import assert_complete, headings
from tests.lessons.conftest import Attempt

BASE = "labkit/base"


def run(client, name, command="sleep 60", image=BASE):
    return client.containers.run(image, command, name=name, detach=True)


def ended(client, name, command, image=BASE):
    container = run(client, name, command, image)
    container.wait(timeout=30)
    return container


def pair(client, command="sleep 60"):
    return [run(client, name, command) for name in ("lab01-left", "lab01-right")]


def pair_in_two_steps(client):
    for name in ("lab01-right", "lab01-left"):
        client.containers.create(BASE, ["sh", "-c", "sleep 60"], name=name).start()


def other_image(client):
    """An image that is not the teaching image; its name begins like the lesson's, so the lesson removes it."""
    maker = client.containers.create(BASE, "true", name="lab01-maker")
    maker.commit("lab01-other")
    maker.remove()
    return "lab01-other"


def pair_from_two_images(client):
    run(client, "lab01-left")
    run(client, "lab01-right", image=other_image(client))


def one_ended(client):
    run(client, "lab01-left")
    ended(client, "lab01-right", "true")


def one_created(client):
    run(client, "lab01-left")
    client.containers.create(BASE, "sleep 60", name="lab01-right")


def one_too_many(client):
    pair(client)
    run(client, "lab01-middle")


def unnamed(client, command):
    """Without a name, as the learner forgot it; labelled so that this test can find and remove it."""
    container = client.containers.run(BASE, command, labels=["lab01"], detach=True)
    if command != "sleep 60":
        container.wait(timeout=30)


def gone(client, name, command):
    ended(client, name, command).remove()


def no_such_program(client, name):
    with contextlib.suppress(docker.errors.APIError):
        run(client, name, "no-such-program")


def come_and_go(client, name="lab01-guest"):
    run(client, name).remove(force=True)


def come_end_and_go(client):
    ended(client, "lab01-guest", "true").remove()


RIGHT = [
    Attempt("two-from-one", "run", pair),
    Attempt("two-from-one", "create and start", pair_in_two_steps),
    Attempt("exit-seven", "sh -c", lambda c: ended(c, "lab01-seven", ["sh", "-c", "exit 7"])),
    Attempt("exit-seven", "from a script", lambda c: ended(c, "lab01-seven", ["sh", "-c", "sleep 0.1; (exit 7)"])),
    Attempt("come-and-go", "removed by force", come_and_go),
    Attempt("come-and-go", "ended, then removed", come_end_and_go),
]
WRONG = [
    Attempt("two-from-one", "one", lambda c: run(c, "lab01-left"), "it is alone"),
    Attempt("two-from-one", "slip in a name", lambda c: run(c, "lab01-rigth"), "called lab01-rigth"),
    Attempt("two-from-one", "without the prefix", lambda c: run(c, "lab01_left"), "called lab01_left"),
    Attempt("two-from-one", "no names", lambda c: unnamed(c, "sleep 60"), "Docker made one up"),
    Attempt("two-from-one", "ended at once", lambda c: [p.wait() for p in pair(c, "true")], "exited with code 0"),
    Attempt("two-from-one", "one ended", one_ended, "lab01-right has exited"),
    Attempt("two-from-one", "one not started", one_created, "never started"),
    Attempt("two-from-one", "paused", lambda c: [p.pause() for p in pair(c)], "is paused"),
    Attempt("two-from-one", "another image", pair_from_two_images, "from lab01-other"),
    Attempt("two-from-one", "three", one_too_many, "one too many: lab01-middle"),
    Attempt("exit-seven", "still runs", lambda c: run(c, "lab01-seven"), "still running"),
    Attempt("exit-seven", "another code", lambda c: ended(c, "lab01-seven", ["sh", "-c", "exit 3"]), "with code 3"),
    Attempt("exit-seven", "a command that is not there", lambda c: no_such_program(c, "lab01-seven"), "never ran"),
    Attempt("exit-seven", "removed", lambda c: gone(c, "lab01-seven", ["sh", "-c", "exit 7"]), "it was removed"),
    Attempt("exit-seven", "slip", lambda c: ended(c, "lab01-sevn", ["sh", "-c", "exit 7"]), "called lab01-sevn"),
    Attempt("exit-seven", "no name", lambda c: unnamed(c, ["sh", "-c", "exit 7"]), "name that Docker made up"),
    Attempt(
        *("exit-seven", "another image"),
        lambda c: ended(c, "lab01-seven", ["sh", "-c", "exit 7"], other_image(c)),
        "from lab01-other",
    ),
    Attempt("come-and-go", "still there", lambda c: run(c, "lab01-guest"), "half done"),
    Attempt("come-and-go", "stopped, not removed", lambda c: ended(c, "lab01-guest", "true"), "has stopped"),
    Attempt("come-and-go", "created", lambda c: c.containers.create(BASE, name="lab01-guest"), "never started"),
    Attempt(
        *("come-and-go", "created and removed"),
        lambda c: c.containers.create(BASE, name="lab01-guest").remove(),
        "it never ran",
    ),
    Attempt("come-and-go", "slip", lambda c: run(c, "lab01-gast"), "called lab01-gast"),
]


@pytest.fixture(autouse=True)
def no_strays_left(client):
    yield
    for container in client.containers.list(all=True, filters={"label": "lab01"}):
        container.remove(force=True)
    for container in client.containers.list(all=True, filters={"name": "^/?lab01_left$"}):
        container.remove(force=True)


def test_every_exercise_has_its_attempts():
    assert_complete(lesson_01.LESSON, RIGHT, WRONG)


@pytest.mark.parametrize("exercise", lesson_01.LESSON.exercises, ids=lambda exercise: exercise.key)
def test_starter_is_not_tried(exercise, begin):
    assert begin("01").outcome(exercise.key).state == "not tried"


@pytest.mark.parametrize("attempt", RIGHT, ids=str)
def test_right(attempt, client, begin):
    lesson = begin("01")
    attempt.do(client)
    found = lesson.outcome(attempt.exercise)
    assert found.state == "passed", found


@pytest.mark.parametrize("attempt", WRONG, ids=str)
def test_wrong(attempt, client, begin):
    lesson = begin("01")
    attempt.do(client)
    found = lesson.outcome(attempt.exercise)
    assert found.state == "not yet"
    assert attempt.says in found.seen
    assert found.expected
    assert found.look in headings(lesson_01.LESSON)


def test_gone_is_remembered_once_it_was_seen(client, begin, monkeypatch):
    """The latch: a check that has met the guest knows that it is gone, even when the engine has forgotten."""
    lesson = begin("01")
    guest = run(client, "lab01-guest")
    assert lesson.outcome("come-and-go").state == "not yet"
    guest.remove(force=True)
    monkeypatch.setattr("labkit.lessons.evidence.Evidence.happened", lambda self, name, action: False)
    assert lesson.outcome("come-and-go").state == "passed"


def test_what_was_before_the_lesson_does_not_count(client, begin):
    """Events are counted from the beginning of the lesson."""
    lesson = begin("01")
    come_and_go(client)
    lesson.begin()
    assert lesson.outcome("come-and-go").state == "not tried"
