"""How a prediction, an outcome, a hint or a quiz looks, in three forms with the same content.

Text is what a terminal, a screen reader and nbval get; HTML without scripts is what a web page shows; a widget of
ipywidgets is what a running notebook shows. Text and HTML are the same for the same learner's state on every engine.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets  # type: ignore[import-untyped]
from IPython.core.getipython import get_ipython

from labkit.lessons.material import Exercise, Outcome, Prediction, Question
from labkit.lessons.watch import ENDED, Watch

SIGNS = {"passed": "✓ passed", "not yet": "✗ not yet", "not tried": "○ not tried yet"}
COLOURS = {"passed": "#2e7d32", "not yet": "#c62828", "not tried": "#757575"}
LEFT = 'style="text-align: left"'
BARE = 'style="list-style-type: none; padding-left: 1em"'
SPACED = 'style="margin-top: 1.5em"'
LETTERS = "abcdefgh"
LINK = '<a href="#{0}">{1}</a>'

MakeWidget = Callable[[], ipywidgets.Widget]


class Card:
    """Something to show in a notebook: its text, its HTML and, in a running notebook, a widget."""

    def __init__(self, text: str, html: str, widget: MakeWidget | None = None) -> None:
        self.text, self.html, self.widget = text, html, widget

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": self.text, "text/html": self.html}
        if self.widget and get_ipython() is not None:
            bundle = {**self.widget()._repr_mimebundle_(), **bundle}
        return bundle


def inline(text: str) -> str:
    """A sentence as HTML: what stands in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def box(title: str, body: str, colour: str = "#1565c0") -> str:
    """A frame with a coloured edge. The title says the same as the colour, for those who don't see it."""
    return f'<div style="border-left: 4px solid {colour}; padding: 2px 12px"><b>{inline(title)}</b>{body}</div>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names the rows. Aligned by hand: Jupyter aligns to the right otherwise."""
    head = "".join(f'<th scope="col" {LEFT}>{escape(text)}</th>' for text in heads)
    body = [
        f'<tr><th scope="row" {LEFT}>{inline(first)}</th>'
        + "".join(f"<td {LEFT}>{inline(text)}</td>" for text in rest)
        + "</tr>"
        for first, *rest in rows
    ]
    return f"<table>{f'<tr>{head}</tr>' if heads else ''}{''.join(body)}</table>"


def anchor(heading: str) -> str:
    """The link that Jupyter gives to a heading."""
    return heading.replace(" ", "-")


def lettered(texts: list[str]) -> list[str]:
    """a) first  b) second ..."""
    return [f"{letter}) {text}" for letter, text in zip(LETTERS, texts, strict=False)]


def _items(texts: list[str]) -> str:
    """The same as a list. The letters are text: Jupyter's own style would number an `<ol type="a">` 1, 2, 3."""
    return f"<ul {BARE}>{''.join(f'<li>{inline(line)}</li>' for line in lettered(texts))}</ul>"


# --- predictions


def prediction(item: Prediction, lesson: str, guess: str | None, choose: Callable[[str], None]) -> Card:
    """The question before a surprising cell. `choose` is called with the text of the option."""
    options = list(item.options)
    note = f"Your guess: {guess}" if guess else "No guess yet."
    call = f'{lesson}.guess("{item.key}", "a")'
    lines = [f"Predict: {item.ask}", *(f"  {line}" for line in lettered(options)), note]
    text = "\n".join([*lines, f"Click one, or type: {call}"])
    how = f"Click one, or type: `{call}` (in a running notebook)"  # the HTML is shown where none runs
    html = box(f"Predict: {item.ask}", f"{_items(options)}<p>{inline(note)}<br>{inline(how)}</p>")

    def widget() -> ipywidgets.Widget:
        radio = ipywidgets.RadioButtons(options=options, value=guess, layout={"width": "max-content"})
        status = ipywidgets.HTML(inline(note))

        def changed(change: Mapping[str, Any]) -> None:
            choose(change["new"])
            status.value = f"Your guess is noted: {inline(change['new'].rstrip('.'))}. Now run the next cell."

        radio.observe(changed, names="value")
        return ipywidgets.VBox([ipywidgets.HTML(box(f"Predict: {item.ask}", "")), radio, status])

    return Card(text, html, widget)


def reveal(item: Prediction, guess: str | None, fact: str) -> Card:
    """The guess beside the fact."""
    if guess is None:
        verdict = "You made no guess this time."
    else:
        verdict = "You saw it coming." if guess == fact else "Not what you guessed: the next lines say why."
    rows = [("question", item.ask), ("your guess", guess or "none"), ("what happened", fact)]
    text = "\n".join([*(f"{name + ':':<15}{value}" for name, value in rows), verdict])
    return Card(text, f"{table([], rows)}<p>{verdict}</p>")


# --- exercises


def outcome(
    item: Exercise, found: Outcome, lesson: str, before: str, again: Callable[[], Outcome], hint: Callable[[], Card]
) -> Card:
    """What a check found. `before` says that it was passed earlier. `again` looks once more, `hint` gives one."""

    def html(found: Outcome) -> str:
        return outcome_html(item, found, outcome_rows(item.key, found, lesson, before))

    def widget() -> ipywidgets.Widget:
        shown, hints = ipywidgets.HTML(html(found)), ipywidgets.HTML()
        check_again = ipywidgets.Button(description="Check again", icon="check")
        get_hint = ipywidgets.Button(description="Hint", icon="lightbulb-o")

        def look(_: object) -> None:
            shown.value = html(again())

        def advise(_: object) -> None:
            hints.value += hint().html

        check_again.on_click(look)
        get_hint.on_click(advise)
        return ipywidgets.VBox([shown, ipywidgets.HBox([check_again, get_hint]), hints])

    return Card(outcome_text(item, found, outcome_rows(item.key, found, lesson, before)), html(found), widget)


def watching(item: Exercise, watch: Watch) -> Card:
    """What a watch has seen so far. In a running notebook it changes by itself."""

    def rows() -> list[tuple[str, str]]:
        return [*_seen(watch.found), ("watching", ENDED[watch.state])]

    def html() -> str:
        return outcome_html(item, watch.found, rows())

    def widget() -> ipywidgets.Widget:
        shown = ipywidgets.HTML(html())

        def change() -> None:
            shown.value = html()

        watch.on_change = change
        change()  # it may have changed since the widget was made
        return shown

    return Card(outcome_text(item, watch.found, rows()), html(), widget)


def outcome_text(item: Exercise, found: Outcome, rows: Sequence[tuple[str, str]]) -> str:
    """An outcome as lines."""
    return "\n".join([f"{SIGNS[found.state]}: {item.title}", *(f"  {name + ':':<11}{value}" for name, value in rows)])


def outcome_html(item: Exercise, found: Outcome, rows: Sequence[tuple[str, str]]) -> str:
    """The same in a frame; its colour is never the only sign."""
    lines = "".join(f"<br>{name}: {_linked(name, value)}" for name, value in rows)
    return box(f"{SIGNS[found.state]}: {item.title}", lines, COLOURS[found.state])


def outcome_rows(key: str, found: Outcome, lesson: str, before: str) -> list[tuple[str, str]]:
    """What was seen and expected, which part of the lesson to look at, and how to get a hint."""
    rows = _seen(found)
    if found.state != "passed":
        rows += [("hint", f'{lesson}.hint("{key}")'), *([("earlier", before)] if before else [])]
    return rows


def _seen(found: Outcome) -> list[tuple[str, str]]:
    rows = [("seen", found.seen), ("expected", found.expected), ("look at", found.look)]
    return [(name, value) for name, value in rows if value]


def _linked(name: str, value: str) -> str:
    if name == "look at":
        return LINK.format(anchor(value), escape(value))
    return f"<code>{escape(value)}</code>" if name == "hint" else inline(value)


def hint(heading: str, text: str) -> Card:
    """One hint: which one it is, or that it is about what is there now."""
    return Card(f"{heading}: {text}", box(heading, f"<br>{inline(text)}", "#f9a825"))


# --- quizzes


def verdict(question: Question, chosen: int) -> Card:
    """Right or not, and why."""
    choice = question.choices[chosen]
    heading = "✓ right" if choice.right else "✗ not quite"
    colour = COLOURS["passed" if choice.right else "not yet"]
    return Card(f"{heading}: {choice.why}", box(heading, f"<br>{inline(choice.why)}", colour))


def quiz(
    questions: tuple[Question, ...], lesson: str, answer: Callable[[str, int], Card], given: Mapping[str, int]
) -> Card:
    """All questions of a lesson. The HTML hides the answers behind a fold, for a reader without a kernel."""
    lines, parts = [], []
    for number, question in enumerate(questions, 1):
        texts = [choice.text for choice in question.choices]
        lines += [f"{number}. {question.ask}  [{question.key}]", *(f"   {line}" for line in lettered(texts))]
        parts.append(f"<p {SPACED}><b>{number}. {inline(question.ask)}</b></p>{_items(texts)}{_fold(question)}")
    lines.append(f'Click an answer, or type: {lesson}.answer("{questions[0].key}", "a")')

    def widget() -> ipywidgets.Widget:
        return ipywidgets.VBox([_quiz_widget(n, q, answer, given.get(q.key)) for n, q in enumerate(questions, 1)])

    return Card("\n".join(lines), "".join(parts), widget)


def _fold(question: Question) -> str:
    right = next(i for i, choice in enumerate(question.choices) if choice.right)
    why = inline(question.choices[right].why)
    return f"<details><summary>Show the answer</summary><p>{LETTERS[right]}) {why}</p></details>"


def _quiz_widget(
    number: int, question: Question, answer: Callable[[str, int], Card], given: int | None
) -> ipywidgets.Widget:
    radio = ipywidgets.RadioButtons(
        options=[(choice.text, at) for at, choice in enumerate(question.choices)],
        value=given,
        layout={"width": "max-content"},
    )
    why = ipywidgets.HTML("" if given is None else verdict(question, given).html)

    def changed(change: Mapping[str, Any]) -> None:
        why.value = answer(question.key, change["new"]).html

    radio.observe(changed, names="value")
    return ipywidgets.VBox([ipywidgets.HTML(f"<b>{number}. {inline(question.ask)}</b>"), radio, why])


# --- progress


def progress(text: str, rows: Sequence[Sequence[str]], advice: Sequence[str]) -> Card:
    """A table of lessons: the name, the exercises passed and which, the questions answered rightly; what comes next."""
    sentences = "".join(f"<p>{escape(line)}</p>" for line in advice)
    unbroken = [[cell.replace(" of ", "\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}") for cell in row] for row in rows]
    return Card(text, table(["lesson", "exercises", "quiz", "one by one"], unbroken) + sentences)
