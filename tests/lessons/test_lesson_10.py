"""The exercises of lesson 10: what learners do, and what the checks say."""

import io
from functools import partial

import pytest

from labkit.lessons import lesson_10
from labkit.lessons.checks_10 import GREET, GREETER, LOOK, NAP, PROBE
from tests.lessons.attempts import Attempt, exercise_tests

WORD = "Quito"  # drawn with the seed of conftest.py
MOTD = "/etc/motd"


def build(client, name, *lines):
    dockerfile = "\n".join(["FROM labkit/base", *lines])
    client.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=name, rm=True, forcerm=True)


def look(client, command=None, image=GREET, name=LOOK, **options):
    """A container that has ended."""
    container = client.containers.run(image, command, name=name, detach=True, **options)
    container.wait(timeout=30)
    return container


GREETS = ('ENTRYPOINT ["echo", "good morning"]', f'CMD ["{WORD}"]')
SCRIPTED = (
    r"""RUN printf '%s\n' '#!/bin/sh' 'echo "good morning $*"' > /greet && chmod +x /greet""",
    'ENTRYPOINT ["/greet"]',
    f'CMD ["{WORD}"]',
)
NAPS = (
    r"""RUN printf '%s\n' '#!/bin/sh' 'exec sleep "${NAP:-600}"' > /nap && chmod +x /nap""",
    'ENTRYPOINT ["/nap"]',
)

# what a learner does for one exercise
greet = partial(Attempt, "greeter")
inside = partial(Attempt, "look-inside")
nap = partial(Attempt, "any-nap")


def greeter(*lines):
    return lambda client: build(client, GREETER, *lines)


def napper(*lines):
    return lambda client: build(client, NAP, *lines)


RIGHT = [
    greet("entrypoint and command", greeter(*GREETS)),
    greet("a script", greeter(*SCRIPTED)),
    inside("entrypoint and command", lambda c: look(c, [MOTD], entrypoint="cat")),
    inside("all in the entrypoint", lambda c: look(c, entrypoint=["head", MOTD])),
    nap("shell form with exec", napper("ENV NAP=600", "CMD exec sleep $NAP")),
    nap("a script", napper(*NAPS)),
]
WRONG = [
    greet("all in CMD", greeter(f'CMD ["echo", "good morning", "{WORD}"]'), 'exec: "Grace"', "all in CMD"),
    greet(
        "all in ENTRYPOINT",
        greeter(f'ENTRYPOINT ["echo", "good morning", "{WORD}"]'),
        f"prints 'good morning {WORD} Grace Hopper'",
        "default is fixed",
    ),
    greet("shell form", greeter(f"ENTRYPOINT echo good morning {WORD}"), "Hopper, it prints", "arguments lost"),
    greet("a neighbour's word", greeter(GREETS[0], 'CMD ["Rome"]'), "prints 'good morning Rome'", "wrong words"),
    greet("single quotes", greeter("CMD ['echo', 'good']"), "not found", "wrong words"),
    greet("one word", greeter(f'CMD ["good morning {WORD}"]'), "without arguments, it fails", "can't start"),
    greet("slip", lambda c: build(c, "lab10-greter", *GREETS), "image called lab10-greter", "misnamed"),
    inside("as it is", lambda c: look(c), "executes: echo hello world", "entrypoint kept"),
    inside("as a command", lambda c: look(c, ["cat", MOTD]), "executes: echo hello cat", "entrypoint kept"),
    inside("another file", lambda c: look(c, ["/etc/group"], entrypoint="cat"), "printed 'root", "wrong words"),
    inside("no file", lambda c: look(c, ["/etc/mot"], entrypoint="cat"), "ended with 1", "wrong words"),
    inside("base image", lambda c: look(c, ["cat", MOTD], "labkit/base"), "made from labkit/base", "wrong image"),
    inside("created", lambda c: c.containers.create(GREET, MOTD, entrypoint="cat", name=LOOK), "never", "not started"),
    inside(
        "a shell that stays",
        lambda c: c.containers.run(GREET, ["600"], entrypoint="sleep", name=LOOK, detach=True),
        "still runs: sleep 600",
        "still running",
    ),
    inside("slip", lambda c: look(c, [MOTD], entrypoint="cat", name="lab10-lok"), "called lab10-lok", "misnamed"),
    nap("exec form", napper("ENV NAP=600", 'CMD ["sleep", "$NAP"]'), "ends at once", "fixed value"),
    nap("no variable", napper('CMD ["sleep", "600"]'), "NAP=700, PID 1 is 'sleep 600'", "fixed value"),
    nap("a shell stays", napper("ENV NAP=600", "CMD sleep $NAP; true"), "PID 1 is '/bin/sh -c", "not PID 1"),
    nap("no default", napper("CMD exec sleep $NAP"), "ends at once", "exited"),
    nap("no program", napper("ENV NAP=600", 'CMD ["slep", "600"]'), "it fails", "can't start"),
    nap("slip", lambda c: build(c, "lab10-naps", 'CMD ["true"]'), "image called lab10-naps", "misnamed"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 10 where its own cells have been run: the image whose entrypoint is in the way."""
    begun = begin("10")
    build(client, GREET, 'ENTRYPOINT ["echo", "hello"]', 'CMD ["world"]')
    return begun


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_10.LESSON, RIGHT, WRONG
)


def test_a_check_leaves_nothing_behind(client, lesson):
    """What it starts is gone, also after an earlier one that was interrupted."""
    build(client, GREETER, *GREETS)
    client.containers.create(GREETER, name=PROBE)
    assert lesson.outcome("greeter").state == "passed"
    assert client.containers.list(all=True, filters={"name": PROBE}) == []


def test_the_word_is_part_of_the_task(lesson):
    assert lesson.word("word") == WORD
