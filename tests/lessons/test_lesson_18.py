"""The exercises of lesson 18: what learners move between two engines, and what the checks say."""

import io
from functools import partial

import pytest

from labkit import second_engine
from labkit.images import make
from labkit.lessons import lesson_18
from labkit.second_engine import SecondEngine
from tests.lessons.attempts import Attempt, exercise_tests

BASE, SHOP = "labkit/base", "lab18-shop"
MINE, MOVED, BACK = "lab18-mine", "lab18-moved", "lab18-back"
WORD = "bridge"  # drawn with the seed of conftest.py
SAYS = f"CMD echo {WORD}"


@pytest.fixture(scope="module")
def second():
    """The engine beside the one under test, for all tests of this file."""
    engine = SecondEngine()
    yield engine
    engine.stop()


def there():
    client = second_engine.current()
    assert client is not None
    return client


def build(client, name, *steps, base=BASE):
    recipe = "\n".join([f"FROM {base}", *steps])
    client.images.build(fileobj=io.BytesIO(recipe.encode()), tag=name, rm=True)


def move(source, target, name):
    target.images.load(b"".join(source.images.get(name).save(named=True)))


def run(image=MINE, command=None):
    """The container of exercise 1, ended, on the second engine."""
    there().containers.run(image, command, name=MOVED, detach=True).wait(timeout=30)


def moved(client, *steps):
    build(client, MINE, *steps)
    move(client, there(), MINE)


def moved_and_run(client, *steps):
    moved(client, *steps)
    run()


def through_a_container(client):
    """Made by commit instead of a build, and moved without its name."""
    worker = client.containers.create(BASE, ["echo", WORD], name="lab18-box")
    worker.commit(MINE)
    worker.remove()
    arrived = there().images.load(b"".join(client.images.get(MINE).save()))[0]
    arrived.tag(MINE)
    run()


def built_twice(client):
    make(there())
    for each in (client, there()):
        build(each, MINE, f"RUN echo {id(each)} > /side", SAYS)


def exported(client):
    build(client, MINE, "RUN touch /one", SAYS)
    box = client.containers.create(MINE, name="lab18-box")
    there().api.import_image_from_data(b"".join(box.export()), repository=MINE)


def another_container(client):
    moved(client, SAYS)
    move(client, there(), SHOP)
    run(SHOP, ["echo", WORD])


def only_created(client):
    moved(client, SAYS)
    there().containers.create(MINE, name=MOVED)


def commit(engine, line, image=SHOP):
    """The image of exercise 2, made on one engine."""
    worker = engine.containers.run(image, ["sh", "-c", line], name="lab18-there", detach=True)
    worker.wait(timeout=30)
    worker.commit(BACK)
    worker.remove()


def brought(client, line, image=SHOP):
    commit(there(), line, image)
    move(there(), client, BACK)


def built_there(client):
    build(there(), BACK, "RUN echo 17 > /shop/sold.txt", base=SHOP)
    move(there(), client, BACK)


def made_twice(client):
    commit(there(), SELL)
    commit(client, "echo another > /shop/sold.txt")


def flat(client):
    worker = there().containers.create(SHOP, name="lab18-there")
    there().api.import_image_from_data(b"".join(worker.export()), repository=BACK)


SELL = "echo 17 > /shop/sold.txt"

# what a learner does for one exercise
go = partial(Attempt, "move-it")
back = partial(Attempt, "bring-back")

RIGHT = [
    go("build and move", lambda c: moved_and_run(c, SAYS)),
    go("commit, and a name given there", through_a_container),
    back("commit", lambda c: brought(c, SELL)),
    back("build", built_there),
]
WRONG = [
    go("stayed here", lambda c: build(c, MINE, SAYS), "not on the second", "not moved"),
    go("made there", lambda c: (make(there()), build(there(), MINE, SAYS)), "second engine only", "wrong engine"),
    go("built on both", built_twice, "not the same layers", "another image"),
    go("exported", exported, "one single layer", "flattened"),
    go("not run", lambda c: moved(c, SAYS), "no container there", "too few"),
    go("only created", only_created, "never started", "not started"),
    go("another image", another_container, "was made from lab18-shop", "wrong image"),
    go("a neighbour's word", lambda c: moved_and_run(c, "CMD echo ferry"), "printed 'ferry'", "wrong output"),
    go("a command", lambda c: (moved(c, SAYS), run(MINE, ["echo", WORD])), "of its own", "overridden"),
    back("made here", lambda c: commit(c, SELL), "is here only", "wrong engine"),
    back("still there", lambda c: commit(there(), SELL), "not here", "not moved"),
    back("made on both", made_twice, "not the same layers", "another image"),
    back("exported", flat, "one single layer", "flattened"),
    back("nothing sold", lambda c: brought(c, "true"), "and no more", "nothing changed"),
    back("another file", lambda c: brought(c, "touch /sold.txt"), "no /shop/sold.txt", "wrong place"),
    back("another image", lambda c: (make(there()), other_base(c)), "does not stand on", "wrong layers"),
]


def other_base(client):
    build(there(), BACK, "RUN mkdir /shop", f"RUN {SELL}")
    move(there(), client, BACK)


@pytest.fixture
def lesson(client, begin, second):
    """Lesson 18 where its own cells have been run: the shop is on both engines."""
    begun = begin("18")
    build(client, SHOP, "RUN mkdir /shop && seq 300 > /shop/books.txt", 'CMD ["wc", "-l", "/shop/books.txt"]')
    move(client, there(), SHOP)
    yield begun
    second_engine.empty(second.client)


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_18.LESSON, RIGHT, WRONG
)


def test_without_a_second_engine_nothing_is_tried(lesson, monkeypatch):
    monkeypatch.setattr(second_engine, "_running", [])
    for exercise in lesson.material.exercises:
        found = lesson.outcome(exercise.key)
        assert (found.state, found.look) == ("not tried", "A second engine")
