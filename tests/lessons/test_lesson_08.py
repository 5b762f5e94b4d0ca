"""The exercises of lesson 08: what learners do, and what the checks say."""

import time
from functools import partial

import pytest

from labkit.lessons import lesson_08
from labkit.lessons.checks_08 import APP, BOTH, PAIR, POLITE, TIDY
from tests.lessons.attempts import Attempt, exercise_tests

BASE = "labkit/base"
LEFT, RIGHT_HAND = PAIR
SCRIPT = """
trap 'echo "told to stop: closing"; exit 0' TERM
sleep 86400 &
echo open
wait
"""
TWICE = "sh /app.sh & sh /app.sh & wait"
WORK = "sleep 900"


def run(client, name, command=None, image=APP, **options):
    return client.containers.run(image, command, name=name, detach=True, **options)


def sh(client, name, line, image=APP, **options):
    return run(client, name, ["sh", "-c", line], image, **options)


def ended(client, name, line, image=APP, **options):
    container = sh(client, name, line, image, **options)
    container.wait(timeout=30)
    return container


def without(client, name):
    client.containers.get(name).remove(force=True)


def split(client, left=None, right=None, both=False):
    """lab08-left and lab08-right, and what becomes of lab08-both."""
    run(client, LEFT, left)
    run(client, RIGHT_HAND, right)
    if not both:
        without(client, BOTH)


def unnamed(client, image=APP, command=None):
    client.containers.run(image, command, labels=["lab08"], detach=True)


# what a learner does for one exercise
polite = partial(Attempt, "app-is-one")
tidy = partial(Attempt, "no-zombies")
jobs = partial(Attempt, "one-job-each")

RIGHT = [
    polite("exec", lambda c: sh(c, POLITE, "cd /tmp; exec sh /app.sh")),
    polite("no shell", lambda c: run(c, POLITE, working_dir="/tmp")),
    tidy("an init", lambda c: run(c, TIDY, WORK, BASE, init=True)),
    tidy("a shell that waits", lambda c: sh(c, TIDY, f"{WORK} & while true; do sleep 0.1; done", BASE)),
    jobs("the image's command", split),
    jobs("exec", lambda c: split(c, ["sh", "-c", "exec sh /app.sh"], ["sh", "/app.sh"])),
]
WRONG = [
    polite(
        "the colleague's line", lambda c: sh(c, POLITE, "cd /tmp; sh /app.sh; echo ended"), "is 'sh -c", "not PID 1"
    ),
    polite("an init", lambda c: run(c, POLITE, init=True), "is an init", "not PID 1"),
    polite("another folder", lambda c: run(c, POLITE), "in the folder /", "wrong folder"),
    polite("ended", lambda c: ended(c, POLITE, "cd /tmp"), "has ended", "exited"),
    polite("base image", lambda c: run(c, POLITE, "sleep 60", BASE), "made from labkit/base", "wrong image"),
    polite("slip", lambda c: run(c, "lab08-polit"), "called lab08-polit", "misnamed"),
    polite("no name", unnamed, "name that Docker made up", "unnamed"),
    polite("removed", lambda c: run(c, POLITE).remove(force=True), "was here and has been removed", "gone"),
    polite("created only", lambda c: c.containers.create(APP, name=POLITE), "not started", "not started"),
    tidy("no reaper", lambda c: run(c, TIDY, WORK, BASE), "is a zombie", "zombie"),
    tidy("exec", lambda c: sh(c, TIDY, f"exec {WORK}", BASE), "is a zombie", "zombie"),
    tidy("another command", lambda c: run(c, TIDY, "sleep 60", BASE, init=True), "not among", "other work"),
    tidy("ended", lambda c: ended(c, TIDY, "true", BASE, init=True), "has ended", "exited"),
    tidy("the app", lambda c: run(c, TIDY, WORK, init=True), "made from lab08-app", "wrong image"),
    tidy("slip", lambda c: run(c, "lab08-tiddy", WORK, BASE), "called lab08-tiddy", "misnamed"),
    jobs("one only", lambda c: run(c, LEFT), "the other one is missing", "too few"),
    jobs("the old one stays", lambda c: split(c, both=True), "is still there", "still there"),
    jobs("twice again", lambda c: split(c, ["sh", "-c", TWICE]), "is 2 times", "two jobs"),
    jobs("no app", lambda c: split(c, "sleep 60"), "is 0 times", "two jobs"),
    jobs("a shell first", lambda c: split(c, ["sh", "-c", "sh /app.sh; true"]), "something else is PID 1", "not PID 1"),
    jobs("ended", lambda c: ended(c, LEFT, "true"), "has ended", "exited"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 08 where its own cells have been run: the app's image, and the container with two jobs."""
    begun = begin("08")
    maker = ended(client, "lab08-maker", 'printf "%s" "$APP" > /app.sh', BASE, environment={"APP": SCRIPT})
    maker.commit(APP, conf={"Cmd": ["sh", "/app.sh"]})
    maker.remove()
    sh(client, BOTH, TWICE)
    return begun


def settle(client, lesson, attempt):
    """Wait until each container runs what it was to run: for a shell, fork and exec are two steps."""
    for container in client.containers.list(filters={"name": "lab08-"}):
        deadline = time.monotonic() + 20
        while b"\nsleep " not in container.exec_run("ps -o args").output:
            assert time.monotonic() < deadline, f"{container.name} never came to sleep"


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_08.LESSON, RIGHT, WRONG, settle
)


def test_a_container_before_the_image_of_the_lesson(client, begin):
    """Whoever skips the lesson's first cells is told which one makes the image."""
    begun = begin("08")
    run(client, POLITE, "sleep 60", BASE)
    found = begun.outcome("app-is-one")
    assert found.state == "not yet"
    assert f"no image {APP}" in found.seen


def test_a_watch_turns_green(client, lesson):
    """The last event, the removal, is followed by a look that sees all."""
    lesson.watch("one-job-each")
    watch = lesson._watches["one-job-each"]
    assert watch.state == "watching"
    split(client)
    deadline = time.monotonic() + 20
    while watch.state == "watching" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert watch.state == "passed", watch.found
