"""The exercises of lesson 01: what learners do, and what the checks say."""

import contextlib
from functools import partial

import docker
import pytest

from labkit.lessons import lesson_01
from tests.lessons.attempts import Attempt, exercise_tests

BASE = "labkit/base"
CODE = 21  # drawn with the seed of conftest.py


def run(client, name, command="sleep 60", image=BASE, **options):
    return client.containers.run(image, command, name=name, detach=True, **options)


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


# what a learner does for one exercise
two = partial(Attempt, "two-from-one")
code = partial(Attempt, "exit-code")
guest = partial(Attempt, "come-and-go")

RIGHT = [
    two("run", pair),
    two("create and start", pair_in_two_steps),
    code("sh -c", lambda c: ended(c, "lab01-ending", ["sh", "-c", f"exit {CODE}"])),
    code("from a script", lambda c: ended(c, "lab01-ending", ["sh", "-c", f"sleep 0.1; (exit {CODE})"])),
    guest("removed by force", come_and_go),
    guest("ended, then removed", come_end_and_go),
]
WRONG = [
    two("one", lambda c: run(c, "lab01-left"), "it is alone", "too few"),
    two("slip in a name", lambda c: run(c, "lab01-rigth"), "called lab01-rigth", "misnamed"),
    two("without the prefix", lambda c: run(c, "lab01_left", labels=["lab01"]), "called lab01_left", "misnamed"),
    two("no names", lambda c: unnamed(c, "sleep 60"), "Docker made one up", "unnamed"),
    two("ended at once", lambda c: [p.wait() for p in pair(c, "true")], "exited with code 0", "exited"),
    two("one ended", one_ended, "lab01-right has exited", "exited"),
    two("one not started", one_created, "never started", "not started"),
    two("paused", lambda c: [p.pause() for p in pair(c)], "is paused", "paused"),
    two("another image", pair_from_two_images, "from lab01-other", "wrong image"),
    two("three", one_too_many, "one too many: lab01-middle", "too many"),
    code("still runs", lambda c: run(c, "lab01-ending"), "still running", "still running"),
    code("another code", lambda c: ended(c, "lab01-ending", ["sh", "-c", "exit 3"]), "with code 3", "wrong code"),
    code("a command that is not there", lambda c: no_such_program(c, "lab01-ending"), "never ran", "not started"),
    code("removed", lambda c: gone(c, "lab01-ending", ["sh", "-c", f"exit {CODE}"]), "it was removed", "gone"),
    code("slip", lambda c: ended(c, "lab01-endng", ["sh", "-c", f"exit {CODE}"]), "called lab01-endng", "misnamed"),
    code("no name", lambda c: unnamed(c, ["sh", "-c", f"exit {CODE}"]), "name that Docker made up", "unnamed"),
    code(
        "another image",
        lambda c: ended(c, "lab01-ending", ["sh", "-c", f"exit {CODE}"], other_image(c)),
        "from lab01-other",
        "wrong image",
    ),
    guest("still there", lambda c: run(c, "lab01-guest"), "half done", "still there"),
    guest("stopped, not removed", lambda c: ended(c, "lab01-guest", "true"), "has stopped", "still there"),
    guest("created", lambda c: c.containers.create(BASE, name="lab01-guest"), "never started", "not started"),
    guest(
        "created and removed",
        lambda c: c.containers.create(BASE, name="lab01-guest").remove(),
        "it never ran",
        "never ran",
    ),
    guest("slip", lambda c: run(c, "lab01-gast"), "called lab01-gast", "misnamed"),
]


@pytest.fixture
def lesson(begin):
    """Lesson 01 at its beginning: its exercises need nothing of its cells."""
    return begin("01")


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_01.LESSON, RIGHT, WRONG
)


def test_gone_is_remembered_once_it_was_seen(client, begin, monkeypatch):
    """The latch: a check that has met the guest knows that it is gone, even when the engine has forgotten."""
    lesson = begin("01")
    guest = run(client, "lab01-guest")
    assert lesson.outcome("come-and-go").state == "not yet"
    guest.remove(force=True)
    monkeypatch.setattr("labkit.lessons.evidence.Evidence.happened", lambda self, name, action: False)
    assert lesson.outcome("come-and-go").state == "passed"


def test_what_was_done_stays_done(client, begin):
    """An edge check: a new guest does not undo that the first one came and went."""
    lesson = begin("01")
    come_and_go(client)
    assert lesson.outcome("come-and-go").state == "passed"
    run(client, "lab01-guest")
    assert lesson.outcome("come-and-go").state == "passed"


def test_what_was_true_may_flip_back(client, begin):
    """A level check: it says so, and that it was passed before."""
    lesson = begin("01")
    left, _ = pair(client)
    assert lesson.outcome("two-from-one").state == "passed"
    left.remove(force=True)
    shown = repr(lesson.check("two-from-one"))
    assert shown.startswith("✗ not yet")
    assert "passed a while ago" in shown


def test_what_was_before_the_lesson_does_not_count(client, begin):
    """Events are counted from the beginning of the lesson."""
    lesson = begin("01")
    come_and_go(client)
    lesson.begin()
    found = lesson.outcome("come-and-go")
    assert found.state == "not tried", found
