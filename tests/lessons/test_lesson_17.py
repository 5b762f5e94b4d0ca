"""The exercises of lesson 17: what learners build, and what the checks say."""

import io
from functools import partial

import pytest

from labkit.lessons import lesson_17
from tests.contract.helpers import tar_of
from tests.lessons.attempts import Attempt, exercise_tests

BASE = "labkit/base"
SAID, SAYS, QUICK, THIN = "lab17-said", "lab17-says", "lab17-quick", "lab17-thin"
WORD = "basalt"  # drawn with the seed of conftest.py

PARTS = "RUN seq 100 > /parts.txt"
SORT = "RUN sort -r /parts.txt > /sorted.txt"
COPY = "COPY . /app/"
COUNT = "RUN wc -l < /raw.txt > /lines.txt"
RAW = "RUN seq 200000 > /raw.txt"


def build(client, name, *steps, base=BASE):
    """An image from these steps on the teaching image; hello.sh is in the context."""
    recipe = "\n".join([f"FROM {base}", *steps])
    context = tar_of({"Dockerfile": recipe.encode(), "hello.sh": b"echo Hello\n"})
    client.images.build(fileobj=io.BytesIO(context), custom_context=True, tag=name, rm=True)


def run(client, image=SAID, command=None, name=SAYS):
    """A container that has ended."""
    container = client.containers.run(image, command, name=name, detach=True)
    container.wait(timeout=30)


def said(client, *steps, **options):
    """The image of exercise 1, and a container from it."""
    build(client, SAID, *steps)
    run(client, **options)


def built_again(client):
    """A container from an image that has lost its name to another one."""
    said(client, f"CMD echo {WORD}")
    build(client, SAID, f"CMD echo the {WORD}")


def not_run(client):
    build(client, SAID, f"CMD echo {WORD}")
    client.containers.create(SAID, name=SAYS)


def stages(client):
    text = f"FROM {BASE} AS workshop\n{RAW}\n{COUNT}\nFROM {BASE}\nCOPY --from=workshop /lines.txt /lines.txt\n"
    client.images.build(fileobj=io.BytesIO(text.encode()), target="workshop", tag="lab17-workshop", rm=True)
    client.images.build(fileobj=io.BytesIO(text.encode()), tag=THIN, rm=True)


def on_another(client, name):
    """Built on an image that has nothing to do with the teaching image."""
    client.images.load(another(client))
    build(client, name, "LABEL labkit=course", base="lab17-broken")


def another(client):
    """An image archive with one small layer of its own."""
    layer = tar_of({"etc/motd": b"another\n"})
    container = client.containers.create(BASE, "true", name="lab17-try")
    client.api.import_image_from_data(layer, repository="lab17-broken", changes=["LABEL labkit=course"])
    container.remove()
    return b"".join(client.images.get("lab17-broken").save(named=True))


# what a learner does for one exercise
say = partial(Attempt, "say-it")
order = partial(Attempt, "better-order")
thin = partial(Attempt, "no-trace")

RIGHT = [
    say("shell form", lambda c: said(c, f"CMD echo {WORD}")),
    say("from a file", lambda c: said(c, f"RUN echo {WORD} > /word", 'CMD ["cat", "/word"]')),
    say("entrypoint", lambda c: said(c, f'ENTRYPOINT ["echo", "{WORD}"]')),
    order("copy last", lambda c: build(c, QUICK, PARTS, SORT, COPY)),
    order("one run", lambda c: build(c, QUICK, f"{PARTS} && {SORT.removeprefix('RUN ')}", "COPY hello.sh /app/")),
    thin("two stages", stages),
    thin("one step", lambda c: build(c, THIN, f"{RAW} && wc -l < /raw.txt > /lines.txt && rm /raw.txt")),
    thin("no file at all", lambda c: build(c, THIN, "RUN seq 200000 | wc -l > /lines.txt")),
]
WRONG = [
    say("image only", lambda c: build(c, SAID, f"CMD echo {WORD}"), "no container lab17-says", "too few"),
    say("image misnamed", lambda c: build(c, "lab17-sayd", "CMD echo"), "called lab17-sayd", "misnamed image"),
    say("container misnamed", lambda c: said(c, f"CMD echo {WORD}", name="lab17-say"), "called lab17-say", "misnamed"),
    say("a command of its own", lambda c: said(c, "CMD true", command=["echo", WORD]), "of its own", "overridden"),
    say("a neighbour's word", lambda c: said(c, "CMD echo cedar"), "printed 'cedar'", "wrong output"),
    say("silent", lambda c: said(c, f"RUN echo {WORD}", "CMD true"), "printed nothing", "wrong output"),
    say("built again", built_again, "not from today's lab17-said", "wrong image"),
    say("not run", not_run, "never started", "not started"),
    order("as it was", lambda c: build(c, QUICK, COPY, PARTS, SORT), "comes `RUN seq 100", "wrong order"),
    order("half way", lambda c: build(c, QUICK, PARTS, COPY, SORT), "comes `RUN sort -r", "wrong order"),
    order("no program", lambda c: build(c, QUICK, PARTS, SORT), "no /app/hello.sh", "missing step"),
    order(
        "written by a RUN",
        lambda c: build(c, QUICK, PARTS, SORT, "RUN mkdir /app && echo echo > /app/hello.sh"),
        "without a COPY",
        "wrong kind of step",
    ),
    order("misnamed", lambda c: build(c, "lab17-fast", PARTS), "called lab17-fast", "misnamed image"),
    order("another base", lambda c: on_another(c, QUICK), "does not stand on", "wrong base"),
    thin("left there", lambda c: build(c, THIN, RAW, COUNT), "for everybody to see", "still in the image"),
    thin("too late", lambda c: build(c, THIN, RAW, COUNT, "RUN rm /raw.txt"), "still there in", "left in a layer"),
    thin("no result", lambda c: build(c, THIN, f"{RAW} && rm /raw.txt"), "no /lines.txt", "missing step"),
    thin("miscounted", lambda c: build(c, THIN, "RUN seq 99 | wc -l > /lines.txt"), "not read", "wrong content"),
    thin("another base", lambda c: on_another(c, THIN), "does not stand on", "wrong base"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 17 at its beginning: its exercises need nothing of its cells."""
    return begin("17")


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_17.LESSON, RIGHT, WRONG
)


def test_a_check_leaves_no_container(client, lesson):
    stages(client)
    lesson.outcome("no-trace")
    assert [c.name for c in client.containers.list(all=True) if (c.name or "").startswith("lab17-")] == []
