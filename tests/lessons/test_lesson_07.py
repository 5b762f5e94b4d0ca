"""The exercises of lesson 07: what learners do, and what the checks say."""

import io
from functools import partial

import pytest

from labkit.lessons import lesson_07
from labkit.lessons.checks_07 import FLEET, ONE, PAGE, THREE, TWO
from tests.lessons.attempts import Attempt, exercise_tests

BASE, MINE, SAFE = "labkit/base", "lab07-mine", "lab07-safe"
NIGHT, WORD = "lab07-b", "fjord"  # drawn with the seed of conftest.py
OTHERS = [name for name in FLEET if name != NIGHT]
ROOM = {"read_only": True, "tmpfs": {"/tmp": ""}}


def build(client, name, *lines):
    dockerfile = io.BytesIO("\n".join(lines).encode())
    client.images.build(fileobj=dockerfile, tag=name, rm=True)


def run(client, name, image=TWO, **options):
    return client.containers.run(image, name=name, detach=True, **options)


def sh(container, line):
    done = container.exec_run(["sh", "-c", line])
    assert done.exit_code == 0, done.output
    return container


# --- night-shift ---


def after_the_night(client):
    for name in FLEET:
        run(client, name)
    sh(client.containers.get(NIGHT), f"echo 'Back in five minutes' >> {PAGE}")


def replace(client, name=NIGHT, image=TWO):
    client.containers.get(name).remove(force=True)
    return run(client, name, image)


def stop_remove_run(client):
    old = client.containers.get(NIGHT)
    old.stop(timeout=0)
    old.remove()
    client.containers.create(TWO, name=NIGHT).start()


def replace_all(client):
    for name in FLEET:
        replace(client, name)


def by_hand(client):
    sh(client.containers.get(NIGHT), f"echo 'Welcome to the shop' > {PAGE}")


def new_and_by_hand(client):
    sh(replace(client), "touch /www/checked")


# --- lasting-fix ---


def bake(client, line=f"RUN echo {WORD} >> {PAGE}", below=TWO):
    build(client, THREE, f"FROM {below}", line)


def built(client):
    bake(client)
    run(client, MINE, THREE)


def committed(client):
    """By hand, then a commit. It lasts, and leaves no recipe."""
    maker = sh(run(client, "lab07-maker"), f"echo {WORD} >> {PAGE}")
    maker.commit(THREE)
    maker.remove(force=True)
    run(client, MINE, THREE)


def fixed_by_hand(client):
    bake(client, "RUN touch /www/new")
    sh(run(client, MINE, THREE), f"echo {WORD} >> {PAGE}")


def without_the_word(client):
    bake(client, f"RUN echo cedar >> {PAGE}")
    run(client, MINE, THREE)


def from_the_old_image(client):
    bake(client)
    run(client, MINE)


def on_the_base(client):
    bake(client, f"RUN mkdir /www && echo {WORD} > {PAGE}", BASE)
    run(client, MINE, THREE)


def ended(client):
    bake(client)
    run(client, MINE, THREE).kill()


# what a learner does for one exercise
def night(name, do, *found):
    """In the morning: three shops, of which one has drifted."""
    return Attempt("night-shift", name, lambda client: (after_the_night(client), do(client)), *found)


fix = partial(Attempt, "lasting-fix")
seal = partial(Attempt, "sealed")

RIGHT = [
    night("remove by force, run", replace),
    night("stop, remove, create, start", stop_remove_run),
    fix("build", built),
    fix("commit", committed),
    seal("tmpfs", lambda c: sh(run(c, SAFE, **ROOM), "touch /tmp/note.txt")),
    seal("volume", lambda c: sh(run(c, SAFE, read_only=True, volumes=["/tmp"]), "echo hello > /tmp/note.txt")),
]
WRONG = [
    night("by hand", by_hand, "still shows drift", "repaired by hand"),
    night("restarted", lambda c: c.containers.get(NIGHT).restart(timeout=0), "was restarted", "restarted"),
    night("all replaced", replace_all, f"{' and '.join(OTHERS)} was replaced", "not the drifted one"),
    night("another one", lambda c: replace(c, OTHERS[0]), f"{OTHERS[0]} was replaced", "not the drifted one"),
    night("removed only", lambda c: c.containers.get(NIGHT).remove(force=True), f"{NIGHT} is not there", "too few"),
    night("stopped", lambda c: c.containers.get(NIGHT).kill(), f"{NIGHT} is exited", "exited"),
    night("the old version", lambda c: replace(c, image=ONE), f"made from {ONE}", "wrong image"),
    night("new, and touched", new_and_by_hand, "has drifted from its image again", "drifted"),
    fix("by hand", fixed_by_hand, f"has drifted from {THREE}: {PAGE}", "drifted"),
    fix("another word", without_the_word, "cedar", "wrong content"),
    fix("the old image", from_the_old_image, f"made from {TWO}", "wrong image"),
    fix("no image", lambda c: run(c, MINE), f"there is no image {THREE}", "no image"),
    fix("no container", bake, f"and no container {MINE}", "too few"),
    fix("on the base", on_the_base, f"does not stand on {TWO}", "wrong layers"),
    fix("ended", ended, f"{MINE} is exited", "exited"),
    seal("open", lambda c: sh(run(c, SAFE), "touch /tmp/note.txt"), "may change its own files", "not read-only"),
    seal("no room", lambda c: run(c, SAFE, read_only=True), "read-only, /tmp too", "no room"),
    seal("no note", lambda c: run(c, SAFE, **ROOM), "there is no /tmp/note.txt", "nothing changed"),
    seal("elsewhere", lambda c: run(c, SAFE, read_only=True, tmpfs={"/www": ""}), "/tmp too", "no room"),
    seal("the old version", lambda c: run(c, SAFE, ONE, **ROOM), f"made from {ONE}", "wrong image"),
    seal("ended", lambda c: run(c, SAFE, **ROOM).kill(), f"{SAFE} is exited", "exited"),
    seal("slip", lambda c: run(c, "lab07-save", **ROOM), "called lab07-save", "misnamed"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 07 where both versions of the shop's image are there."""
    begun = begin("07")
    build(client, ONE, f"FROM {BASE}", f"RUN mkdir /www && echo 'Wellcome to the shop' > {PAGE}", 'CMD ["sleep", "60"]')
    build(client, TWO, f"FROM {ONE}", f"RUN sed -i s/Wellcome/Welcome/ {PAGE}")
    return begun


def test_the_word_of_the_night_is_the_one_of_these_attempts(lesson):
    assert lesson.word("night") == NIGHT


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_07.LESSON, RIGHT, WRONG
)


def test_the_night_alone_is_no_attempt(client, lesson):
    after_the_night(client)
    found = lesson.outcome("night-shift")
    assert (found.state, found.seen) == ("not tried", "one of the three has drifted")
