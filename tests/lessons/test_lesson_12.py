"""The exercises of lesson 12: what learners do, and what the checks say."""

import time
from functools import partial

import pytest

from labkit.lessons import lesson_12
from labkit.lessons.checks_12 import SICK, SURVIVOR, TRIES
from tests.lessons.attempts import Attempt, exercise_tests

BASE = "labkit/base"
WORD = 2  # drawn with the seed of conftest.py
FAIL = "exit 3"
MARKED = "touch /tmp/ok; sleep 60"
CRASHES = "trap 'exit 3' TERM; echo open; sleep 60 & wait"
LOOK = {"test": ["CMD", "test", "-e", "/tmp/ok"], "interval": 200_000_000, "retries": 1}
ALWAYS = {"Name": "always"}


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def fresh(container):
    container.reload()
    return container


def run(client, name, line, policy=None, **options):
    return client.containers.run(BASE, ["sh", "-c", line], name=name, restart_policy=policy, detach=True, **options)


def tries(client, number, line=FAIL, name=TRIES):
    """One with the policy on-failure, after it has come to its end."""
    container = run(client, name, line, {"Name": "on-failure", "MaximumRetryCount": number})
    until(lambda: fresh(container).status == "exited")


def health(client, line=MARKED, name=SICK, **options):
    """One with a health check, once the engine has made up its mind."""
    container = run(client, name, line, healthcheck={**LOOK, **options})
    until(lambda: fresh(container).attrs["State"]["Health"]["Status"] != "starting")
    return container


def make_sick(client, command=("rm", "/tmp/ok"), **options):
    container = health(client, **options)
    container.exec_run(list(command))
    until(lambda: fresh(container).attrs["State"]["Health"]["Status"] == "unhealthy")
    return container


def crashed(client, policy=ALWAYS, name=SURVIVOR):
    """One that has crashed once and was brought back."""
    container = run(client, name, CRASHES, policy)
    until(lambda: b"open" in container.logs())
    container.exec_run("kill 1", detach=True)
    until(lambda: fresh(container).attrs["RestartCount"] == 1 and container.logs().count(b"open") == 2)
    return container


def ended(client, name, line, policy=None):
    run(client, name, line, policy).wait(timeout=30)


def called_off(client):
    """Stopped before it had its two restarts."""
    container = run(client, TRIES, "sleep 60", {"Name": "on-failure", "MaximumRetryCount": WORD})
    container.kill()
    container.wait(timeout=30)


def crashed_to_the_end(client):
    container = crashed(client, {"Name": "on-failure", "MaximumRetryCount": 1})
    container.exec_run("kill 1", detach=True)
    until(lambda: fresh(container).status == "exited")


# what a learner does for one exercise
give_up = partial(Attempt, "give-up")
sick = partial(Attempt, "sick")
survive = partial(Attempt, "crash-and-stop")

RIGHT = [
    give_up("an exit code", lambda c: tries(c, WORD)),
    give_up("a command that fails", lambda c: tries(c, WORD, "cat /nowhere")),
    sick("the file is deleted", make_sick),
    sick("a test in the shell", lambda c: make_sick(c, test=["CMD-SHELL", "test -e /tmp/ok"], retries=2)),
    survive("stop", lambda c: crashed(c).stop(timeout=0)),
    survive("kill", lambda c: crashed(c, {"Name": "unless-stopped"}).kill()),
]
WRONG = [
    give_up("no policy", lambda c: ended(c, TRIES, FAIL), "restart policy is no", "no policy"),
    give_up("always", lambda c: run(c, TRIES, FAIL, ALWAYS), "its policy is always", "no end"),
    give_up("too often", lambda c: tries(c, WORD + 1), "the limit of its policy is 3", "wrong retries"),
    give_up("no limit", lambda c: run(c, TRIES, FAIL, {"Name": "on-failure"}), "is not set", "wrong retries"),
    give_up("success", lambda c: tries(c, WORD, "true"), "ended with 0", "wrong code"),
    give_up(
        "runs on",
        lambda c: run(c, TRIES, "sleep 60", {"Name": "on-failure", "MaximumRetryCount": WORD}),
        "is running, restarted 0 times",
        "not over",
    ),
    give_up("killed", called_off, "somebody stopped it", "called off"),
    give_up("slip", lambda c: tries(c, WORD, name="lab12-try"), "called lab12-try", "misnamed"),
    give_up("created", lambda c: c.containers.create(BASE, name=TRIES), "not started", "not started"),
    sick("no health check", lambda c: run(c, SICK, MARKED), "has no health check", "no health check"),
    sick("healthy", health, "lab12-sick is healthy", "not sick"),
    sick("never healthy", lambda c: health(c, "sleep 60"), "never was healthy", "never healthy"),
    sick("killed", lambda c: make_sick(c).kill(), "it does not run", "exited"),
    sick("slip", lambda c: health(c, name="lab12-sik"), "called lab12-sik", "misnamed"),
    sick("removed", lambda c: health(c).remove(force=True), "was here and has been removed", "gone"),
    sick("no name", lambda c: run(c, None, MARKED, labels=["lab12"]), "name that Docker made up", "unnamed"),
    survive("no policy", lambda c: ended(c, SURVIVOR, FAIL), "restart policy is no", "no policy"),
    survive("killed at once", lambda c: run(c, SURVIVOR, CRASHES, ALWAYS).kill(), "never had to", "never crashed"),
    survive("nothing yet", lambda c: run(c, SURVIVOR, CRASHES, ALWAYS), "never had to", "never crashed"),
    survive("not stopped", crashed, "restarted once, and is running", "not stopped"),
    survive("ended by itself", crashed_to_the_end, "ended by itself at last", "given up"),
    survive("slip", lambda c: crashed(c, name="lab12-surviver"), "called lab12-surviver", "misnamed"),
]


@pytest.fixture
def lesson(begin):
    return begin("12")


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_12.LESSON, RIGHT, WRONG
)


def test_the_number_is_part_of_the_task(lesson):
    assert lesson.word("tries") == WORD


def test_healthy_once_is_remembered(client, lesson):
    """A check that has met it healthy needs no event to know that later."""
    container = health(client)
    assert lesson.outcome("sick").slip == "not sick"
    container.exec_run(["rm", "/tmp/ok"])
    until(lambda: fresh(container).attrs["State"]["Health"]["Status"] == "unhealthy")
    lesson._began = time.time()  # as if all events so far were forgotten
    assert lesson.outcome("sick").state == "passed"
