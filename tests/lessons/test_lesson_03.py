"""The exercises of lesson 03: what learners do, and what the checks say."""

from functools import partial

import pytest

from labkit import vm
from labkit.lessons import checks_03, lesson_03
from tests.lessons.attempts import Attempt, exercise_tests

BASE = "labkit/base"
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
WORD = "hazel"  # drawn with the seed of conftest.py


class Machine:
    """A virtual machine as far as a check looks at it: a real one takes seconds to boot."""

    def __init__(self, processors, disks, state="running"):
        self.processors, self.disks, self.state = processors, disks, state


MADE: list[Machine] = []  # what this learner has made, beside the lesson's own machine


@pytest.fixture(autouse=True)
def machines(monkeypatch):
    MADE.clear()
    monkeypatch.setattr(vm, "machines", lambda: [Machine(1, 1), *MADE])


def machine(*arguments):
    return lambda client: MADE.append(Machine(*arguments))


def sh(client, name, line="true", image=BASE):
    """A running container in which a line of shell was run."""
    container = client.containers.run(image, "sleep 60", name=name, detach=True)
    assert container.exec_run(["sh", "-c", line]).exit_code == 0
    return container


def pair(client, left=f"{BOOT_ID} > /kernel.txt", right=f"{BOOT_ID} > /kernel.txt"):
    for name, line in zip(checks_03.PAIR, (left, right), strict=True):
        sh(client, name, line)


def pair_by_main_process(client):
    line = f"{BOOT_ID} > /kernel.txt; exec sleep 60"
    for name in checks_03.PAIR:
        client.containers.run(BASE, ["sh", "-c", line], name=name, detach=True)
    for name in checks_03.PAIR:  # wait until the file is there: no line of it is written in two halves
        container = client.containers.get(name)
        assert container.exec_run(["sh", "-c", "until [ -s /kernel.txt ]; do sleep 0.05; done"]).exit_code == 0


def stopped(client, line="echo kept > /note", again=True):
    container = sh(client, checks_03.KEEPER, line)
    container.stop(timeout=0)
    if again:
        container.start()
    return container


def commit(client, line, image=BASE, name="lab03-app"):
    maker = sh(client, "lab03-maker", line, image)
    maker.commit(name)
    maker.remove(force=True)


def commit_twice(client):
    commit(client, f"echo {WORD} > /app.txt")
    commit(client, "echo more > /more.txt", image="lab03-app")


kernel = partial(Attempt, "one-kernel")
carve = partial(Attempt, "carve")
again = partial(Attempt, "stop-start")
small = partial(Attempt, "small-app")

RIGHT = [
    kernel("exec", pair),
    kernel("main process", pair_by_main_process),
    carve("two and two", machine(2, 2)),
    carve("after one that failed", lambda c: (machine(2, 2, "deleted")(c), machine(2, 2)(c))),
    again("stop and start", stopped),
    again("restart", lambda c: sh(c, checks_03.KEEPER, "echo kept > /note").restart(timeout=0)),
    small("commit", lambda c: commit(c, f"echo {WORD} > /app.txt")),
    small("with more words", lambda c: commit(c, f"echo my app is {WORD} > /app.txt")),
]
WRONG = [
    kernel("one only", lambda c: sh(c, "lab03-left", f"{BOOT_ID} > /kernel.txt"), "it is alone", "too few"),
    kernel("nothing written", lambda c: pair(c, "true"), "lab03-left has no /kernel.txt", "nothing changed"),
    kernel("the version", lambda c: pair(c, "uname -r > /kernel.txt"), "is no boot ID", "wrong content"),
    kernel(
        "an ID that is drawn at each look",
        lambda c: pair(c, *["cat /proc/sys/kernel/random/uuid > /kernel.txt"] * 2),
        "two different IDs",
        "another kernel",
    ),
    kernel("another place", lambda c: pair(c, f"{BOOT_ID} > /tmp/kernel.txt"), "/tmp/kernel.txt", "wrong place"),
    kernel("slip", lambda c: sh(c, "lab03-lefft"), "called lab03-lefft", "misnamed"),
    carve("one disk", machine(2, 1), "processors 2, disks 1", "wrong hardware"),
    carve("made only", machine(2, 2, "created"), "never started", "not booted"),
    carve("deleted", machine(2, 2, "deleted"), "that is deleted", "switched off"),
    carve("stopped", machine(2, 2, "stopped"), "that is stopped", "switched off"),
    again("first run", lambda c: sh(c, checks_03.KEEPER, "echo kept > /note"), "never been stopped", "never stopped"),
    again("stopped only", lambda c: stopped(c, again=False), "is exited, exit code 137", "exited"),
    again("no note", lambda c: stopped(c, "true"), "has no /note", "nothing changed"),
    again("created", lambda c: c.containers.create(BASE, "sleep 9", name=checks_03.KEEPER), "never st", "not started"),
    again("slip", lambda c: sh(c, "lab03-keper"), "called lab03-keper", "misnamed"),
    small("no file", lambda c: commit(c, "echo x > /other.txt"), "/app.txt in lab03-app is missing", "wrong content"),
    small("a neighbour's word", lambda c: commit(c, "echo ivy > /app.txt"), "lacks the word", "wrong content"),
    small(
        "a big one",
        lambda c: commit(c, f"echo {WORD} > /app.txt; head -c 200000 /dev/zero > /big"),
        "the layer on top has",
        "too big",
    ),
    small("two steps", commit_twice, "has 2 layers on top", "wrong layers"),
    small("slip", lambda c: commit(c, f"echo {WORD} > /app.txt", name="lab03-ap"), "called lab03-ap", "misnamed image"),
]


@pytest.fixture
def lesson(client, begin):
    return begin("03")


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_03.LESSON, RIGHT, WRONG
)


def test_a_machine_that_is_forgotten_is_not_counted():
    """The real list, not the learner's of these tests."""
    before = len(list(vm._known))
    made = object.__new__(vm.VM)
    vm._known.add(made)
    assert len(list(vm._known)) == before + 1
    del made
    assert len(list(vm._known)) == before
