"""The exercises of lesson 06: what learners do, and what the checks say."""

from functools import partial

import pytest

from labkit.lessons import lesson_06
from labkit.lessons.checks_06 import SITE
from tests.lessons.attempts import Attempt, exercise_tests

BASE, FILE = "labkit/base", "/vault/word.txt"
WORD = "heron"  # drawn with the seed of conftest.py
VAULT, BOARD, COPY = "lab06-vault", "lab06-board", "lab06-copy"


def volumes(name, path, mode="rw"):
    return {name: {"bind": path, "mode": mode}}


def run(client, name, mounted=None, line="sleep 60", image=BASE):
    return client.containers.run(image, ["sh", "-c", line], name=name, volumes=mounted or {}, detach=True)


def ended(client, name, mounted, line, image=BASE):
    container = run(client, name, mounted, line, image)
    container.wait(timeout=30)
    return container


# --- hand-over ---


def write(client, line=f"echo {WORD} > {FILE}", volume=VAULT, path="/vault"):
    """The writer, gone again."""
    ended(client, "lab06-writer", volumes(volume, path), line).remove()


def read(client, volume=VAULT, path="/vault"):
    run(client, "lab06-reader", volumes(volume, path))


def by_run_and_rm(client, line=f"echo {WORD} > {FILE}"):
    write(client, line)
    read(client)


def by_exec_and_force(client):
    client.volumes.create(VAULT)
    writer = run(client, "lab06-writer", volumes(VAULT, "/vault"))
    writer.exec_run(["sh", "-c", f"echo {WORD} > {FILE}"])
    writer.remove(force=True)
    client.containers.run(BASE, f"cat {FILE}", name="lab06-reader", volumes=volumes(VAULT, "/vault", "ro"), detach=True)


def writer_stays(client):
    ended(client, "lab06-writer", volumes(VAULT, "/vault"), f"echo {WORD} > {FILE}")
    read(client)


def reader_writes(client):
    write(client, "true")
    ended(client, "lab06-reader", volumes(VAULT, "/vault"), f"sleep 0.2; echo {WORD} > {FILE}")


def into_its_own_layer(client):
    ended(client, "lab06-writer", {}, f"mkdir /vault; echo {WORD} > {FILE}").remove()
    run(client, "lab06-reader")


def another_volume(client):
    write(client, volume="lab06-valut")
    read(client, volume="lab06-valut")


def elsewhere(client):
    write(client)
    read(client, path="/data")


# --- two-doors ---


def doors(client, pen="rw", glass="ro", board=BOARD):
    run(client, "lab06-pen", volumes(BOARD, "/board", pen))
    run(client, "lab06-glass", volumes(board, "/board", glass))


def doors_by_binds(client):
    """The colons of `docker run --volume`."""
    for name, mode in (("lab06-pen", ""), ("lab06-glass", ":ro")):
        client.containers.run(BASE, "sleep 60", name=name, volumes=[f"{BOARD}:/board{mode}"], detach=True)


def one_has_ended(client):
    doors(client)
    client.containers.get("lab06-glass").kill()


# --- seed ---


def seed_into(client, path="/site", volume=COPY, image=SITE):
    return ended(client, "lab06-seed", volumes(volume, path), "true", image)


def seed_running(client):
    client.volumes.create(COPY)
    run(client, "lab06-seed", volumes(COPY, "/site"), image=SITE)


def filled_by_hand(client):
    """The volume was not empty any more, so nothing was copied."""
    ended(client, "lab06-hand", volumes(COPY, "/site"), "echo mine > /site/page.txt").remove()
    seed_into(client)


# what a learner does for one exercise
hand = partial(Attempt, "hand-over")
two = partial(Attempt, "two-doors")
seed = partial(Attempt, "seed")

RIGHT = [
    hand("run, rm, run", by_run_and_rm),
    hand("exec, rm --force, a reader that ends", by_exec_and_force),
    two("a dict", doors),
    two("colons", doors_by_binds),
    seed("ended", seed_into),
    seed("running, volume made before", seed_running),
]
WRONG = [
    hand("writer stays", writer_stays, "has not been removed", "still there"),
    hand("no reader", write, "there is no lab06-reader yet", "too few"),
    hand("reader writes", reader_writes, "was there already", "not before"),
    hand("own layer", into_its_own_layer, "nothing mounted at /vault", "no volume"),
    hand("another volume", another_volume, "has the volume lab06-valut at /vault", "wrong volume"),
    hand("elsewhere", elsewhere, "at /data, not at /vault", "wrong place"),
    hand("nothing written", lambda c: by_run_and_rm(c, "true"), f"finds no {FILE}", "nothing changed"),
    hand("a neighbour's word", lambda c: by_run_and_rm(c, f"echo cedar > {FILE}"), "reads 'cedar'", "wrong content"),
    hand("slip", lambda c: run(c, "lab06-raeder"), "called lab06-raeder", "misnamed"),
    two("both write", lambda c: doors(c, glass="rw"), "both may write", "may write"),
    two("the wrong way round", lambda c: doors(c, "ro", "rw"), "the wrong way round", "may write"),
    two("both read", lambda c: doors(c, pen="ro"), "neither of the two", "not writable"),
    two("two volumes", lambda c: doors(c, board="lab06-bored"), "has the volume lab06-bored", "wrong volume"),
    two("one only", lambda c: run(c, "lab06-pen", volumes(BOARD, "/board")), "it is alone", "too few"),
    two("elsewhere", lambda c: run(c, "lab06-pen", volumes(BOARD, "/boards")), "not at /board", "wrong place"),
    two("ended", one_has_ended, "lab06-glass is exited", "exited"),
    two("no volume", lambda c: run(c, "lab06-pen"), "nothing mounted at /board", "no volume"),
    seed("elsewhere", lambda c: seed_into(c, "/copy"), "at /copy, not at /site", "wrong place"),
    seed("base image", lambda c: seed_into(c, image=BASE), "made from labkit/base", "wrong image"),
    seed("by hand", filled_by_hand, "reads 'mine'", "wrong content"),
    seed("another volume", lambda c: seed_into(c, volume="lab06-cpoy"), "the volume lab06-cpoy", "wrong volume"),
    seed("no volume", lambda c: run(c, "lab06-seed", image=SITE), "nothing mounted at /site", "no volume"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 06 where the image with a page is there."""
    begun = begin("06")
    maker = ended(client, "lab06-maker", {}, "mkdir /site; echo 'version 1' > /site/page.txt")
    maker.commit(SITE)
    maker.remove()
    yield begun
    begun.end()
    for volume in client.volumes.list():
        if volume.name.startswith("lab06-"):  # made by a slip: no name of the lesson's
            volume.remove()


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_06.LESSON, RIGHT, WRONG
)


def test_the_end_removes_the_volumes(client, lesson):
    """They bear no label: the lesson knows their names."""
    doors(client)
    lesson.end()
    assert BOARD not in {volume.name for volume in client.volumes.list()}
