"""`Lesson`: the object that a notebook holds. It joins the material, the engine, the progress file and the cards."""

import time
from typing import TypeVar

import docker
from docker.models.containers import Container

from labkit import lab_terminal, magic
from labkit.errors import LabkitError
from labkit.lessons import cards, report
from labkit.lessons.cards import LETTERS, Card
from labkit.lessons.draw import draw
from labkit.lessons.evidence import Evidence, Word
from labkit.lessons.material import Exercise, Outcome, Parameter, Prediction, Question, load
from labkit.lessons.progress import Progress
from labkit.lessons.slips import SLIPS
from labkit.lessons.tidy import tidy
from labkit.lessons.watch import UNREACHABLE, Watch

Item = TypeVar("Item", Exercise, Parameter, Prediction, Question)
NAME = "lesson"  # the variable that our notebooks use, for the "or type" lines


class Lesson:
    """One lesson on one engine: `lesson = labkit.Lesson("01", client)`."""

    def __init__(self, number: str, client: docker.DockerClient, progress: Progress | None = None) -> None:
        self.material = load(number)
        self._client = client
        self._progress = progress or Progress()
        self._seen: set[str] = set()  # the latches: what checks have met since the lesson began
        self._passed: dict[str, Outcome] = {}  # what was passed since then
        self._watches: dict[str, Watch] = {}
        self._began = time.time()
        magic.register(client)

    def __repr__(self) -> str:
        return f"Lesson {self.material.number}: {self.material.title}"

    # --- begin and end

    def begin(self) -> None:
        """Remove what an earlier run of this lesson left, and start counting events from now."""
        self._stop_watches()
        left = tidy(self._client, self.material.prefix, self.material.cast)
        self._seen.clear()
        self._passed.clear()
        self._began = time.time()
        tasks = _count(len(self.material.exercises), "exercise")
        asked = _count(len(self.material.questions), "quiz question")
        print(f"Lesson {self.material.number} begins: {tasks}, {asked}. Nothing of an earlier run is left.")
        _warn(left)
        for line in report.changed([report.standing(self.material, self._progress)]):
            print(line)

    def end(self) -> None:
        """Remove what this lesson made."""
        self._stop_watches()
        left = tidy(self._client, self.material.prefix, self.material.cast)
        print(f"Lesson {self.material.number} has removed what it made.")
        _warn(left)

    # --- predict, then look

    def predict(self, key: str) -> Card:
        """Ask what will happen in the next cell; the guess is noted."""
        item = self._prediction(key)
        return cards.prediction(item, NAME, self._guess(item), lambda text: self._note_guess(item, text))

    def guess(self, key: str, letter: str) -> Card:
        """Guess by typing a letter, where no widget can be clicked."""
        item = self._prediction(key)
        options = list(item.options)
        self._note_guess(item, options[_index(letter, len(options), f"guess for {key!r}")])
        return self.predict(key)

    def reveal(self, key: str, fact: object) -> Card:
        """Show the guess beside what really happened. `fact` is computed in the cell, never typed in."""
        item = self._prediction(key)
        happened = next((text for text, value in item.options.items() if value == fact), str(fact))
        return cards.reveal(item, self._guess(item), happened)

    def _prediction(self, key: str) -> Prediction:
        return _find(self.material.predictions, key, "prediction")

    def _guess(self, item: Prediction) -> str | None:
        noted = self._progress.section(self.material.number, "guesses").get(item.key, {}).get("guess")
        return noted if noted in item.options else None  # the options may have been reworded since

    def _note_guess(self, item: Prediction, text: str) -> None:
        self._progress.record(self.material.number, "guesses", item.key, guess=text)

    # --- exercises

    def word(self, key: str) -> Word:
        """The learner's own part of a task: drawn once, then kept (draw.py)."""
        return draw(_find(self.material.parameters, key, "parameter"), self.material.number, self._progress)

    def check(self, key: str) -> Card:
        """Look at the engine and show whether the exercise is passed, not yet, or not tried."""
        item = self._exercise(key)
        before = self._before(item)
        found = self.outcome(key)
        return cards.outcome(item, found, NAME, before, lambda: self.outcome(key), lambda: self.hint(key))

    def watch(self, key: str) -> Card:
        """Check after each event of the engine: turns green the moment the state is right, and ends then."""
        item = self._exercise(key)
        if key in self._watches:
            self._watches[key].stop()
        watch = self._watches[key] = Watch(self._client, lambda: self.outcome(key))
        return cards.watching(item, watch)

    def outcome(self, key: str) -> Outcome:
        """What `check` shows, as data. An exercise that is passed is noted in the progress file."""
        item, material = self._exercise(key), self.material
        if item.kind == "edge" and key in self._passed:
            return self._passed[key]
        words = {parameter.key: self.word(parameter.key) for parameter in material.parameters}
        found = item.check(Evidence(self._client, material.prefix, material.cast, self._began, self._seen, words))
        if found.state == "passed":
            self._progress.record(material.number, "exercises", key, state="passed", version=material.version)
            self._passed[key] = found
        return found

    def hint(self, key: str) -> Card:
        """A hint for what is there now, once; otherwise the next of the exercise's three, the last one stays."""
        item = self._exercise(key)
        noted = self._progress.section(self.material.number, "hints").get(key, {})
        taken, slips = noted.get("taken", 0), noted.get("slips", [])
        slip = self._slip(key)
        if slip and slip not in slips:
            self._progress.record(self.material.number, "hints", key, taken=taken, slips=[*slips, slip])
            return cards.hint("Hint for what is there now", SLIPS[slip])
        number = min(taken + 1, len(item.hints))
        self._progress.record(self.material.number, "hints", key, taken=number, slips=slips)
        return cards.hint(f"Hint {number} of {len(item.hints)}", item.hints[number - 1])

    def _exercise(self, key: str) -> Exercise:
        return _find(self.material.exercises, key, "exercise")

    def _slip(self, key: str) -> str:
        """What is wrong on the engine now; nothing when there is no engine to ask, for hints need none."""
        try:
            return self.outcome(key).slip if self._client is not None else ""
        except UNREACHABLE:
            return ""

    def _before(self, item: Exercise) -> str:
        if item.key in self._passed:
            return "it was passed a while ago; since then the state has changed"
        noted = self._progress.section(self.material.number, "exercises").get(item.key)
        return "you passed this exercise in an earlier run" if report.mark(item, noted) == "passed" else ""

    def _stop_watches(self) -> None:
        for watch in self._watches.values():
            watch.stop()

    # --- a terminal

    def terminal(self, container: Container | str, *command: str) -> lab_terminal.Terminal:
        """A button that opens JupyterLab's own terminal in a running container (lab_terminal.py)."""
        return lab_terminal.terminal(container, *command, client=self._client)

    # --- quiz

    def quiz(self) -> Card:
        """All questions; choose an answer to read why it is right or wrong."""
        noted = self._progress.section(self.material.number, "answers")
        asked = [question for question in self.material.questions if question.key in noted]
        given = {q.key: noted[q.key]["choice"] for q in asked if report.counts(q, noted[q.key])}
        return cards.quiz(self.material.questions, NAME, self._answer, given)

    def answer(self, key: str, letter: str) -> Card:
        """Answer by typing a letter, where no widget can be clicked."""
        question = _find(self.material.questions, key, "quiz question")
        return self._answer(key, _index(letter, len(question.choices), f"answer to {key!r}"))

    def _answer(self, key: str, chosen: int) -> Card:
        question = _find(self.material.questions, key, "quiz question")
        right = question.choices[chosen].right
        facts = {"choice": chosen, "right": right, "version": self.material.version}
        self._progress.record(self.material.number, "answers", key, **facts)
        return cards.verdict(question, chosen)

    # --- progress

    def progress(self) -> Card:
        """Every lesson that exists, how far you are in it, and what to do next. `labkit progress` says the same."""
        found = report.standings(self._progress)
        return cards.progress(report.text(self._progress), report.rows(found), report.advice(found))


def _find(items: tuple[Item, ...], key: str, noun: str) -> Item:
    for item in items:
        if item.key == key:
            return item
    known = ", ".join(repr(item.key) for item in items)
    raise LabkitError(
        f"We looked for the {noun} {key!r}", "this lesson has none of that name", f"choose one of {known}"
    )


def _index(letter: str, count: int, what: str) -> int:
    allowed = LETTERS[:count]
    if len(letter) == 1 and letter.lower() in allowed:
        return allowed.index(letter.lower())
    raise LabkitError(f"We took {letter!r} as a {what}", "", f"choose one letter of {', '.join(allowed)}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _warn(left: list[str]) -> None:
    if left:
        print(f"Left alone, because it is not the course's or is in use elsewhere: {', '.join(left)}.")
