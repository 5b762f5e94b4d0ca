"""`Lesson`: the object that a notebook holds. It joins the material, the engine, the progress file and the cards."""

import time
from typing import TypeVar

import docker

from labkit.errors import LabkitError
from labkit.lessons import cards
from labkit.lessons.cards import LETTERS, Card
from labkit.lessons.evidence import Evidence
from labkit.lessons.material import Exercise, Outcome, Prediction, Question, load, numbers
from labkit.lessons.progress import Progress
from labkit.lessons.tidy import tidy

Item = TypeVar("Item", Exercise, Prediction, Question)
NAME = "lesson"  # the variable that our notebooks use, for the "or type" lines


class Lesson:
    """One lesson on one engine: `lesson = labkit.Lesson("01", client)`."""

    def __init__(self, number: str, client: docker.DockerClient, progress: Progress | None = None) -> None:
        self.material = load(number)
        self._client = client
        self._progress = progress or Progress()
        self._seen: set[str] = set()  # the latches: what checks have met since the lesson began
        self._began = time.time()

    def __repr__(self) -> str:
        return f"Lesson {self.material.number}: {self.material.title}"

    # --- begin and end

    def begin(self) -> None:
        """Remove what an earlier run of this lesson left, and start counting events from now."""
        left = tidy(self._client, self.material.prefix)
        self._seen.clear()
        self._began = time.time()
        tasks = _count(len(self.material.exercises), "exercise")
        asked = _count(len(self.material.questions), "quiz question")
        print(f"Lesson {self.material.number} begins: {tasks}, {asked}. Nothing of an earlier run is left.")
        _warn(left)

    def end(self) -> None:
        """Remove what this lesson made."""
        left = tidy(self._client, self.material.prefix)
        print(f"Lesson {self.material.number} has removed its containers and images.")
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

    def check(self, key: str) -> Card:
        """Look at the engine and show whether the exercise is passed, not yet, or not tried."""
        item = _find(self.material.exercises, key, "exercise")
        before = key in self._progress.section(self.material.number, "exercises")
        found = self.outcome(key)
        return cards.outcome(item, found, NAME, before, lambda: self.outcome(key), lambda: self.hint(key))

    def outcome(self, key: str) -> Outcome:
        """What `check` shows, as data. An exercise that is passed is noted in the progress file."""
        item = _find(self.material.exercises, key, "exercise")
        material = self.material
        found = item.check(Evidence(self._client, material.prefix, material.cast, self._began, self._seen))
        if found.state == "passed":
            self._progress.record(material.number, "exercises", key, state="passed")
        return found

    def hint(self, key: str) -> Card:
        """The next hint of this exercise: three in all, the last one stays."""
        item = _find(self.material.exercises, key, "exercise")
        taken = self._progress.section(self.material.number, "hints").get(key, {}).get("taken", 0)
        number = min(taken + 1, len(item.hints))
        self._progress.record(self.material.number, "hints", key, taken=number)
        return cards.hint(number, len(item.hints), item.hints[number - 1])

    # --- quiz

    def quiz(self) -> Card:
        """All questions; choose an answer to read why it is right or wrong."""
        noted = self._progress.section(self.material.number, "answers")
        given = {key: entry["choice"] for key, entry in noted.items()}
        return cards.quiz(self.material.questions, NAME, self._answer, given)

    def answer(self, key: str, letter: str) -> Card:
        """Answer by typing a letter, where no widget can be clicked."""
        question = _find(self.material.questions, key, "quiz question")
        return self._answer(key, _index(letter, len(question.choices), f"answer to {key!r}"))

    def _answer(self, key: str, chosen: int) -> Card:
        question = _find(self.material.questions, key, "quiz question")
        right = question.choices[chosen].right
        self._progress.record(self.material.number, "answers", key, choice=chosen, right=right)
        return cards.verdict(question, chosen)

    # --- progress

    def progress(self) -> Card:
        """Every lesson that exists, and how far you are in it."""
        rows = []
        for number in numbers():
            material = load(number)
            passed = len(self._progress.section(number, "exercises"))
            answers = self._progress.section(number, "answers").values()
            right = sum(entry["right"] for entry in answers)
            rows.append(
                (
                    f"{number} {material.title}",
                    f"exercises {passed} of {len(material.exercises)}",
                    f"quiz {right} of {len(material.questions)}",
                )
            )
        return cards.progress(rows)


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
