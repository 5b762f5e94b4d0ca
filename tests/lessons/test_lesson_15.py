"""The exercises of lesson 15: which containers learners run, and what the checks say."""

from functools import partial

import pytest

from labkit.lessons import lesson_15
from tests.lessons.attempts import Attempt, exercise_tests

BASE = "labkit/base"
LEAST, LODGER, SAFE, BLUE = "lab15-least", "lab15-lodger", "lab15-safe", "lab15-blue"
COMMAND = ["sh", "-c", "chown 1000 /home && busybox chroot / true && sleep 60"]
SECURE = {"user": "1000", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "read_only": True}


def run(client, name, command="sleep 60", image=BASE, **options):
    return client.containers.run(image, command, name=name, detach=True, **options)


def least(client, *added, drop=("ALL",), command=COMMAND):
    """The container of exercise 1; one that is refused something has ended before the check looks."""
    container = run(client, LEAST, command, cap_drop=list(drop), cap_add=list(added))
    if len(added) < 2 and drop:
        container.wait(timeout=30)


def safe(client, **options):
    """The container of exercise 3, with some of its options otherwise."""
    run(client, SAFE, **{**SECURE, **options})


def by_image(client):
    """Whoever is in the image's configuration: a USER instead of the option."""
    worker = client.containers.create(BASE, "sleep 60", name="lab15-slip")
    worker.commit("lab15-image", conf={"User": "1000"})
    worker.remove()
    run(client, SAFE, image="lab15-image", cap_drop=["ALL"], security_opt=["no-new-privileges"], read_only=True)


def ended(client, name, **options):
    run(client, name, "true", **options).wait(timeout=30)


def with_red(client):
    run(client, "lab15-red")
    run(client, LODGER, network_mode="container:lab15-red")


# what a learner does for one exercise
enough = partial(Attempt, "just-enough")
move = partial(Attempt, "move-in")
secure = partial(Attempt, "safe")

RIGHT = [
    enough("two added", lambda c: least(c, "CHOWN", "SYS_CHROOT")),
    enough("with their whole names", lambda c: least(c, "CAP_CHOWN", "CAP_SYS_CHROOT")),
    move("by name", lambda c: run(c, LODGER, network_mode=f"container:{BLUE}")),
    move("by id", lambda c: run(c, LODGER, network_mode=f"container:{c.containers.get(BLUE).id}")),
    secure("four options", safe),
    secure("the user in the image", by_image),
]
WRONG = [
    enough("nothing dropped", lambda c: least(c, drop=()), "and 8 more", "too many powers"),
    enough("one too many", lambda c: least(c, "CHOWN", "SYS_CHROOT", "KILL"), "also has KILL", "too many powers"),
    enough("none left", lambda c: least(c), "chown: /home: Operation not permitted", "lacks a power"),
    enough("half", lambda c: least(c, "CHOWN"), "chroot: can't", "lacks a power"),
    enough(
        "another command",
        lambda c: run(c, LEAST, cap_drop=["ALL"], cap_add=["CHOWN", "SYS_CHROOT"]),
        "runs 'sleep 60'",
        "wrong command",
    ),
    enough("not started", lambda c: c.containers.create(BASE, COMMAND, name=LEAST), "never started", "not started"),
    move("a network of its own", lambda c: run(c, LODGER), "of its own", "own network"),
    move("none", lambda c: run(c, LODGER, network_mode="none"), "of its own", "own network"),
    move("with red", with_red, "another container", "wrong partner"),
    move("ended", lambda c: ended(c, LODGER, network_mode=f"container:{BLUE}"), "has ended", "exited"),
    move("misnamed", lambda c: run(c, "lab15-lodge"), "called lab15-lodge", "misnamed"),
    secure("root", lambda c: safe(c, user="0"), "runs as user 0", "still root"),
    secure("nothing dropped", lambda c: safe(c, cap_drop=[]), "bounding set of lab15-safe has", "too many powers"),
    secure("a way up", lambda c: safe(c, security_opt=[]), "no new privileges", "may gain powers"),
    secure("writable", lambda c: safe(c, read_only=False), "can write", "writable"),
    secure("ended", lambda c: ended(c, SAFE, **SECURE), "has ended", "exited"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 15 where its own cells have been run: blue is there."""
    begun = begin("15")
    run(client, BLUE)
    return begun


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_15.LESSON, RIGHT, WRONG
)
