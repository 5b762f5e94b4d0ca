"""What a lesson consists of beside its notebook, as data: predictions, exercises with hints, parameters, a quiz.

Each lesson has a module `lesson_NN.py` that fills these in under the name LESSON. Nothing here draws or asks an engine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Literal

from labkit.errors import LabkitError
from labkit.lessons.evidence import Evidence, Word
from labkit.lessons.slips import SLIPS

State = Literal["passed", "not yet", "not tried"]
Kind = Literal["level", "edge"]


@dataclass(frozen=True)
class Outcome:
    """What a check found: the state, what was seen, what was expected, which part of the lesson to read again.

    `slip` is a key of slips.SLIPS: what went wrong, by its usual name.
    """

    state: State
    seen: str
    expected: str = ""
    look: str = ""
    slip: str = ""


@dataclass(frozen=True)
class Exercise:
    """A task that is judged by the engine's state, never by the text that was typed.

    A level check asks whether something is true now, and may flip back. An edge check asks whether something was done:
    once passed it stays passed until the lesson begins again. `since` is the version of the lesson in which the task
    last changed; whoever passed it in an older version is asked to do it again.
    """

    key: str
    title: str
    check: Callable[[Evidence], Outcome]
    hints: tuple[str, str, str]
    kind: Kind = "level"
    since: int = 1


@dataclass(frozen=True)
class Parameter:
    """A part of a task that is drawn for each learner, and kept: a name, a port, a word."""

    key: str
    options: tuple[Word, ...]


@dataclass(frozen=True)
class Prediction:
    """A question asked before a cell that surprises. Each option carries the fact that it predicts."""

    key: str
    ask: str
    options: dict[str, object]


@dataclass(frozen=True)
class Choice:
    """One answer to a quiz question, and why it is right or wrong."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A quiz question with exactly one right choice; the wrong ones are beliefs that people really hold."""

    key: str
    ask: str
    choices: tuple[Choice, ...]
    since: int = 1


@dataclass(frozen=True)
class Material:
    """Everything that the notebook of one lesson can ask for by name.

    `version` is raised when a task or a question is no longer the same one. `cast` is every name of a container,
    image, network or volume that the lesson's own cells and exercises use: a name that begins like ours and is not in
    it is a slip of the learner's, and a check says so.
    """

    number: str
    title: str
    cast: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    exercises: tuple[Exercise, ...]
    questions: tuple[Question, ...]
    parameters: tuple[Parameter, ...] = ()
    version: int = 1

    @property
    def prefix(self) -> str:
        """How the name of every container and image of this lesson begins: `lab01-`."""
        return f"lab{self.number}-"


def passed(seen: str) -> Outcome:
    """The task is done."""
    return Outcome("passed", seen)


def not_yet(slip: str, seen: str, expected: str, look: str) -> Outcome:
    """The learner did something, and it is not what was asked. `slip` is a key of SLIPS."""
    assert slip in SLIPS, slip
    return Outcome("not yet", seen, expected, look, slip)


def not_tried(seen: str, expected: str, look: str) -> Outcome:
    """Nothing of this exercise is there."""
    return Outcome("not tried", seen, expected, look)


def numbers() -> list[str]:
    """The lessons that exist, in order: every module here that is called lesson_NN."""
    found = (module.name for module in iter_modules(import_module("labkit.lessons").__path__))
    return sorted(name.removeprefix("lesson_") for name in found if name.startswith("lesson_"))


def load(number: str) -> Material:
    """The material of one lesson. Raises LabkitError for a lesson that does not exist."""
    if number not in numbers():
        raise LabkitError(
            f"We looked for lesson {number!r}", "there is no such lesson", f"choose one of {', '.join(numbers())}"
        )
    material: Material = import_module(f"labkit.lessons.lesson_{number}").LESSON
    return material
