"""The exercises of lesson 02: what learners do, and what the checks say."""

from functools import partial

import pytest

from labkit.lessons import lesson_02
from labkit.lessons.checks_02 import NOTES, THREE, own_changes
from tests.lessons.attempts import Attempt, exercise_tests

BASE = "labkit/base"
HELLO, OLD, MINE = "/notes/hello.txt", "/notes/old.txt", "/notes/mine.txt"
WORD = "quartz"  # drawn with the seed of conftest.py


def run(client, name, image=NOTES):
    return client.containers.run(image, "sleep 60", name=name, detach=True)


def sh(client, name, line, image=NOTES):
    """A running container in which a line of shell was run."""
    container = run(client, name, image)
    done = container.exec_run(["sh", "-c", line])
    assert done.exit_code == 0, done.output
    return container


def ended(client, name, line, image=NOTES):
    """The same with the line as main process, so that the container has ended."""
    container = client.containers.run(image, ["sh", "-c", line], name=name, detach=True)
    container.wait(timeout=30)
    return container


def three(client, *lines):
    """lab02-one, -two, -three, each with a line of shell."""
    for name, line in zip(THREE, lines, strict=False):
        sh(client, name, line)


def bake(client, line, image=NOTES, name="lab02-mine"):
    """Commit a container in which a line was run."""
    maker = ended(client, "lab02-baker", line, image)
    maker.commit(name)
    maker.remove()


def bake_twice(client):
    bake(client, f"echo a > {MINE}")
    bake(client, "echo b > /notes/more.txt", image="lab02-mine")


def unnamed(client):
    client.containers.run(NOTES, "sleep 60", labels=["lab02"], detach=True)


ONE, TWO = f"echo one > {HELLO}", f"echo two >> {HELLO}"

# what a learner does for one exercise
add = partial(Attempt, "add-a-file")
hide = partial(Attempt, "hide-a-file")
views = partial(Attempt, "three-views")
layer = partial(Attempt, "third-layer")

RIGHT = [
    add("exec", lambda c: sh(c, "lab02-add", f"echo {WORD} > {MINE}")),
    add("main process", lambda c: ended(c, "lab02-add", f"echo my word is {WORD} > {MINE}")),
    hide("exec", lambda c: run(c, "lab02-hide").exec_run(["rm", OLD])),
    hide("main process", lambda c: ended(c, "lab02-hide", f"rm {OLD}")),
    views("write and append", lambda c: three(c, ONE, TWO, "true")),
    views("replaced by mv", lambda c: three(c, f"echo 1 > /tmp/x; mv /tmp/x {HELLO}", ONE, "true")),
    layer("a new container", lambda c: bake(c, f"echo mine > {MINE}")),
    layer("the one of exercise 1", lambda c: sh(c, "lab02-add", f"echo mine > {MINE}").commit("lab02-mine")),
]
WRONG = [
    add("nothing written", lambda c: run(c, "lab02-add"), "has changed nothing", "nothing changed"),
    add("more than asked", lambda c: sh(c, "lab02-add", f"touch {MINE} /notes/b"), "among other", "too much changed"),
    add("another place", lambda c: sh(c, "lab02-add", "touch /mine.txt"), "in another place: /mine", "wrong place"),
    add("a changed file", lambda c: sh(c, "lab02-add", ONE), f"changed C {HELLO}", "wrong kind"),
    add("empty", lambda c: sh(c, "lab02-add", f"touch {MINE}"), "it is empty", "wrong content"),
    add("a neighbour's word", lambda c: sh(c, "lab02-add", f"echo cedar > {MINE}"), "reads 'cedar'", "wrong content"),
    add("base image", lambda c: run(c, "lab02-add", BASE), "made from labkit/base", "wrong image"),
    add("slip", lambda c: run(c, "lab02-ad"), "called lab02-ad", "misnamed"),
    add("no name", unnamed, "name that Docker made up", "unnamed"),
    add(
        "no name, and ended",
        lambda c: c.containers.run(NOTES, "true", labels=["lab02"]),
        "name that Docker made up",
        "unnamed",
    ),
    add("removed", lambda c: run(c, "lab02-add").remove(force=True), "was here and has been removed", "gone"),
    hide("nothing deleted", lambda c: run(c, "lab02-hide"), f"still has {OLD}", "nothing changed"),
    hide("the folder", lambda c: sh(c, "lab02-hide", "rm -r /notes"), "the whole folder", "too much changed"),
    hide("emptied", lambda c: sh(c, "lab02-hide", f": > {OLD}"), "still in the folder", "wrong kind"),
    hide("renamed", lambda c: sh(c, "lab02-hide", f"mv {OLD} /notes/.old"), "among other changes", "too much changed"),
    hide("base image", lambda c: run(c, "lab02-hide", BASE), "made from labkit/base", "wrong image"),
    views("one only", lambda c: three(c, ONE), "lab02-two and lab02-three missing", "too few"),
    views(
        "none written", lambda c: three(c, "true", "true", "true"), "lab02-one and lab02-two still", "nothing changed"
    ),
    views("one written", lambda c: three(c, ONE, "true", "true"), "lab02-two still reads", "nothing changed"),
    views("two the same", lambda c: three(c, ONE, ONE, "true"), "contents are the same", "wrong content"),
    views(
        "all written", lambda c: three(c, ONE, TWO, "echo 3 > /notes/hello.txt"), "copy of its own", "too much changed"
    ),
    views("one deleted", lambda c: three(c, ONE, f"rm {HELLO}", "true"), "deleted in lab02-two", "wrong kind"),
    views("base image", lambda c: run(c, "lab02-one", BASE), "made from labkit/base", "wrong image"),
    layer("nothing written", lambda c: bake(c, "true"), "changed nothing", "nothing changed"),
    layer("on the base", lambda c: bake(c, f"mkdir /notes; touch {MINE}", BASE), "does not stand on", "wrong layers"),
    layer("another file", lambda c: bake(c, "touch /mine.txt"), "is not in it", "wrong place"),
    layer("two steps", bake_twice, "has 4 layers", "wrong layers"),
    layer("over the old name", lambda c: bake(c, f"touch {MINE}", name=NOTES), "another image", "no image"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 02 where its own cells have been run: the image with two layers is there."""
    begun = begin("02")
    script = "mkdir /notes; cd /notes; for f in hello keep old; do echo 'from the image' > $f.txt; done"
    maker = ended(client, "lab02-maker", script, BASE)
    maker.commit(NOTES)
    maker.remove()
    return begun


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_02.LESSON, RIGHT, WRONG
)


def test_a_container_before_the_image_of_the_lesson(client, begin):
    """Whoever skips the lesson's first cells is told which one makes the image."""
    begun = begin("02")
    run(client, "lab02-add", BASE)
    found = begun.outcome("add-a-file")
    assert found.state == "not yet"
    assert f"no image {NOTES}" in found.seen


def test_folders_on_the_way_are_not_changes_of_their_own():
    assert own_changes({"/a": "C", "/a/b": "A"}) == {"/a/b": "A"}
    assert own_changes({"/a": "C"}) == {"/a": "C"}
    assert own_changes({"/ab": "C", "/a/b": "A"}) == {"/ab": "C", "/a/b": "A"}
