"""Lesson 00, Start here: one prediction, one exercise and one question, to try how a lesson works."""

from labkit.lessons.evidence import Evidence
from labkit.lessons.material import (
    Choice,
    Exercise,
    Material,
    Outcome,
    Prediction,
    Question,
    not_tried,
    not_yet,
    passed,
)

GUEST = "lab00-guest"
TASK = f"a container called {GUEST}"
LOOK = "How an exercise works"


def guest(evidence: Evidence) -> Outcome:
    """A container of the right name exists, running or not."""
    container = evidence.container(GUEST)
    if container:
        return passed(f"{GUEST} is there, and it is {container.status}")
    if name := evidence.stranger([GUEST]):
        return not_yet("misnamed", f"a container called {name}", f"{TASK}, letter by letter", LOOK)
    if unnamed := evidence.unnamed():
        seen = f"a container called {unnamed[0].name}: you gave no name, so one was made up"
        return not_yet("unnamed", seen, TASK, LOOK)
    if evidence.happened(GUEST, "destroy"):
        return not_yet("gone", f"{GUEST} was here, and has been removed", f"{TASK}, still there", LOOK)
    return not_tried(f"no container is called {GUEST}", TASK, LOOK)


LESSON = Material(
    number="00",
    title="Start here",
    cast=("lab00-guest",),
    predictions=(
        Prediction(
            "first-run",
            "The next cell starts a container, waits until it has ended, and removes it. How long will that take?",
            {"Less than five seconds": True, "Five seconds or more": False},
        ),
    ),
    exercises=(
        Exercise(
            "guest",
            "Have a guest",
            guest,
            (
                "You need one line of code. It begins with `client.containers.`, like the first container's above.",
                "A container that lives on needs a name and `detach=True`, and no `remove=True`.",
                "The name is one more argument, `name=`, and it is a text in quotes. Any command will do.",
            ),
        ),
    ),
    questions=(
        Question(
            "who-judges",
            "You pass an exercise in a way that nobody thought of. What will its check say?",
            (
                Choice(
                    "Passed: it looks at what the engine has, not at what was typed.",
                    "A check asks the engine what is there. You may use Python, the docker command, or anything else.",
                    right=True,
                ),
                Choice(
                    "Not yet: it compares your cell with the solution.",
                    "No check ever reads your cell. Only the state of the engine counts.",
                ),
                Choice(
                    "Nothing, until you ask for three hints.",
                    "Hints are free and change no result. Take one whenever you are stuck.",
                ),
            ),
        ),
    ),
)
