"""The exercises of lesson 14: which limits learners set, and what the checks say."""

from functools import partial

import pytest

from labkit.lessons import lesson_14
from labkit.second_engine import engine_with_limits
from tests.lessons.attempts import Attempt, exercise_tests

BASE = "labkit/base"
FIT, DAM, LOW, HIGH = "lab14-fit", "lab14-dam", "lab14-low", "lab14-high"
MOST = 14  # drawn with the seed of conftest.py

WORK = ["sh", "-c", "seq 300000 | sort -n > /tmp/sorted"]
FLOOD = ["sh", "-c", "i=0; while [ $i -lt 100 ]; do sleep 5 & i=$((i+1)); done; wait"]


@pytest.fixture(scope="module")
def client(client):
    """The engine under test; where it may set no limits, the one in which the lesson goes on."""
    return engine_with_limits(client)


def ended(client, name, command, **options):
    container = client.containers.run(BASE, command, name=name, detach=True, **options)
    container.wait(timeout=60)
    return container


def work(client, limit, command=WORK):
    """The container of exercise 1, ended; memory and swap counted together, so that every machine does the same."""
    ended(client, FIT, command, mem_limit=limit, memswap_limit=limit)


def updated(client):
    """The limit came while it ran."""
    container = client.containers.run(BASE, ["sh", "-c", f"sleep 1; {WORK[2]}"], name=FIT, detach=True)
    container.update(mem_limit="30m", memswap_limit="30m")
    container.wait(timeout=60)


def pair(client, low, high, **options):
    """The two containers of exercise 3."""
    for name, shares in ((LOW, low), (HIGH, high)):
        client.containers.run(BASE, "sleep 60", name=name, cpu_shares=shares, detach=True, **options)


def limited(client):
    for name, cpus in ((LOW, 100_000_000), (HIGH, 300_000_000)):
        client.containers.run(BASE, "sleep 60", name=name, nano_cpus=cpus, detach=True)


def paired_later(client):
    pair(client, 400, 0)
    client.containers.get(HIGH).update(cpu_shares=1200)


def alone(client):
    client.containers.run(BASE, "sleep 60", name=HIGH, cpu_shares=300, detach=True)


def one_ended(client):
    ended(client, LOW, "true", cpu_shares=100)
    client.containers.run(BASE, "sleep 60", name=HIGH, cpu_shares=300, detach=True)


def one_misnamed(client):
    client.containers.run(BASE, "sleep 60", name="lab14-hi", detach=True)


# what a learner does for one exercise
enough = partial(Attempt, "fit")
own = partial(Attempt, "dam")
share = partial(Attempt, "three-to-one")

RIGHT = [
    enough("a text", lambda c: work(c, "32m")),
    enough("bytes", lambda c: work(c, 24 << 20)),
    enough("updated while it ran", updated),
    own("the flood", lambda c: ended(c, DAM, FLOOD, pids_limit=MOST)),
    share("100 and 300", lambda c: pair(c, 100, 300)),
    share("1024, the usual, and three times that", lambda c: pair(c, 0, 3072)),
    share("updated", paired_later),
]
WRONG = [
    enough("no limit", lambda c: ended(c, FIT, WORK), "no memory limit", "no limit"),
    enough("too much", lambda c: work(c, "64m"), "may use 64 MiB", "limit too high"),
    enough("too little", lambda c: work(c, "8m"), "with 8 MiB lab14-fit ended with exit code 137", "limit too low"),
    enough("another command", lambda c: work(c, "16m", ["true"]), "ran 'true'", "wrong command"),
    enough("misnamed", lambda c: ended(c, "lab14-fits", WORK), "called lab14-fits", "misnamed"),
    own("no limit", lambda c: ended(c, DAM, "true"), "as many processes as it likes", "no limit"),
    own("the lesson's number", lambda c: ended(c, DAM, FLOOD, pids_limit=20), "20 processes", "wrong limit"),
    own("no flood", lambda c: ended(c, DAM, "true", pids_limit=MOST), "refused nothing", "wrong command"),
    own(
        "still running",
        lambda c: c.containers.run(BASE, "sleep 60", name=DAM, pids_limit=MOST, detach=True),
        "is running",
        "still running",
    ),
    share("the same", lambda c: pair(c, 512, 512), "the same shares: 512", "no limit"),
    share("turned round", lambda c: pair(c, 300, 100), "has 300 shares, lab14-high 100", "turned round"),
    share("twice", lambda c: pair(c, 100, 200), "has 100 shares, lab14-high 200", "wrong limit"),
    share("limits", limited, "has a limit", "limit, not share"),
    share("alone", alone, "it is alone", "too few"),
    share("one has ended", one_ended, "lab14-low is exited", "exited"),
    share("misnamed", one_misnamed, "called lab14-hi", "misnamed"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 14 at its beginning: its exercises need nothing of its cells."""
    return begin("14")


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_14.LESSON, RIGHT, WRONG
)
