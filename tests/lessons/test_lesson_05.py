"""The exercises of lesson 05: what learners do, and what the checks say."""

import signal
from functools import partial

import pytest

from labkit.lessons import lesson_05
from labkit.lessons.checks_05 import said
from tests.lessons.attempts import Attempt, exercise_tests

BASE, PAGE = "labkit/base", "/diary.txt"
WORD, SIGNAL = "amber", signal.SIGUSR1  # drawn with the seed of conftest.py
CODE = 128 + SIGNAL
POLITE = "trap 'exit 0' TERM; echo ready; sleep 60 & wait"
IMPOLITE = "trap 'exit 143' TERM; echo ready; sleep 60 & wait"
OTHER = "lab05-other"  # the tag of another image


def run(client, name, line="sleep 60", image=BASE):
    return client.containers.run(image, ["sh", "-c", line], name=name, detach=True)


def ended(client, name, line, image=BASE):
    container = run(client, name, line, image)
    container.wait(timeout=30)
    return container


def write(container, text=WORD, path=PAGE):
    done = container.exec_run(["sh", "-c", f"echo {text} > {path}"])
    assert done.exit_code == 0, done.output
    return container


def stop(container):
    container.stop(timeout=0)
    return container


def diary_by_exec(client):
    stop(write(run(client, "lab05-diary"))).start()


def diary_by_restart(client):
    """The main process writes, once: a later start finds the file."""
    container = run(client, "lab05-diary", f"[ -e {PAGE} ] || echo {WORD} > {PAGE}; echo ready; sleep 60")
    next(container.logs(stream=True))
    container.restart(timeout=0)


def written_after_the_stop(client):
    container = stop(run(client, "lab05-diary"))
    container.start()
    write(container)


def made_anew(client):
    """Deleted instead of stopped: the file went with the first one."""
    stop(write(run(client, "lab05-diary"))).remove()
    stop(run(client, "lab05-diary")).start()


def paused(client):
    write(run(client, "lab05-diary")).pause()


def unnamed(client):
    client.containers.run(BASE, "sleep 60", labels=["lab05"], detach=True)


def removed(client, name, line):
    ended(client, name, line).remove()


def stopped(client, name, line, seconds=5, image=BASE):
    """Wait for its first line, then stop it."""
    container = run(client, name, line, image)
    next(container.logs(stream=True))
    container.stop(timeout=seconds)


def killed_by_hand(client, line):
    """SIGTERM by `docker kill`, which waits for nothing."""
    container = run(client, "lab05-gentle", line)
    next(container.logs(stream=True))
    container.kill(signal="SIGTERM")
    container.wait(timeout=30)


def other_image(client):
    maker = client.containers.create(BASE, "true", name="lab05-maker")
    maker.commit(OTHER)
    maker.remove()
    return OTHER


# what a learner does for one exercise
diary = partial(Attempt, "diary")
code = partial(Attempt, "signal-code")
gentle = partial(Attempt, "gentle")

RIGHT = [
    diary("exec, stop, start", diary_by_exec),
    diary("main process, restart", diary_by_restart),
    code("exit", lambda c: ended(c, "lab05-signal", f"exit {CODE}")),
    code("a child's", lambda c: ended(c, "lab05-signal", f"sleep 60 & kill -{SIGNAL.name[3:]} $!; wait $!")),
    gentle("stop", lambda c: stopped(c, "lab05-gentle", POLITE)),
    gentle("kill --signal", lambda c: killed_by_hand(c, POLITE)),
]
WRONG = [
    diary("never stopped", lambda c: write(run(c, "lab05-diary")), "has never been stopped", "never stopped"),
    diary("left stopped", lambda c: stop(write(run(c, "lab05-diary"))), "exited: half done", "not restarted"),
    diary("after the stop", written_after_the_stop, "after the last stop", "too fresh"),
    diary("made anew", made_anew, f"no file {PAGE}", "nothing changed"),
    diary("a neighbour's word", lambda c: write(run(c, "lab05-diary"), "cedar"), "reads 'cedar'", "wrong content"),
    diary("paused", paused, "is paused, which is not a stop", "paused"),
    diary("created", lambda c: c.containers.create(BASE, "true", name="lab05-diary"), "never started", "not started"),
    diary("slip", lambda c: run(c, "lab05-dairy"), "called lab05-dairy", "misnamed"),
    diary("no name", unnamed, "name that Docker made up", "unnamed"),
    diary("other image", lambda c: run(c, "lab05-diary", image=other_image(c)), "made from lab05-other", "wrong image"),
    code("the number alone", lambda c: ended(c, "lab05-signal", f"exit {SIGNAL}"), "ended by itself", "wrong code"),
    code("killed", lambda c: run(c, "lab05-signal").kill(), "which says: ended by SIGKILL", "wrong code"),
    code("success", lambda c: ended(c, "lab05-signal", "true"), "with 0, which says: success", "wrong code"),
    code("still running", lambda c: run(c, "lab05-signal"), "is running, so it has no", "still running"),
    code("removed", lambda c: removed(c, "lab05-signal", f"exit {CODE}"), "has been removed", "gone"),
    code("created", lambda c: c.containers.create(BASE, "true", name="lab05-signal"), "never ran", "not started"),
    gentle("deaf", lambda c: stopped(c, "lab05-gentle", "echo ready; exec sleep 60", 1), "was sent SIGKILL", "killed"),
    gentle("ended by itself", lambda c: ended(c, "lab05-gentle", "true"), "nobody stopped it", "not asked"),
    gentle("143", lambda c: stopped(c, "lab05-gentle", IMPOLITE), "ended by SIGTERM", "wrong code"),
    gentle("running", lambda c: run(c, "lab05-gentle", POLITE), "has not been stopped", "never stopped"),
    gentle("created", lambda c: c.containers.create(BASE, "true", name="lab05-gentle"), "never started", "not started"),
    gentle("other image", lambda c: ended(c, "lab05-gentle", "true", other_image(c)), "lab05-other", "wrong image"),
]


@pytest.fixture
def lesson(begin):
    """Lesson 05 at its beginning: its exercises need nothing of its cells."""
    return begin("05")


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_05.LESSON, RIGHT, WRONG
)


@pytest.mark.parametrize(("code", "words"), [(0, "success"), (1, "itself"), (137, "SIGKILL"), (250, "itself")])
def test_what_an_exit_code_says(code, words):
    assert words in said(code)
