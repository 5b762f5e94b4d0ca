"""Gather what the lessons say of themselves: `python -m tests.notebooks.gather` writes the glossary and the tables of
lessons in notebooks/README.md, in the README and in lesson 00.

Each lesson defines its new terms under "## Words" and says its time, claims and prerequisites at its beginning; so the
pages can't differ from the lessons. A test fails when they do (test_gather.py).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.notebooks.execute import NOTEBOOKS, as_text, paths, read

GLOSSARY, INDEX, START = NOTEBOOKS / "glossary.md", NOTEBOOKS / "README.md", NOTEBOOKS / "00_start_here.ipynb"
README = NOTEBOOKS.parent / "README.md"
BEGIN, END = "<!-- gathered from the lessons: begin -->", "<!-- end -->"
WORD = re.compile(r"^- \*\*(.+?)\*\*: (.+)$", re.MULTILINE)

HEADER = """# Glossary

The words of the course, each as the lesson defines it in which it first matters. This page is gathered from the
lessons.
"""


@dataclass(frozen=True)
class Facts:
    """What a lesson says of itself at its beginning. `minutes` is for a learner who tries each exercise."""

    path: Path
    title: str
    question: str
    minutes: int
    claims: tuple[str, ...]
    before: tuple[str, ...]

    @property
    def number(self) -> str:
        """`02`"""
        return self.path.stem[:2]


def facts(path: Path) -> Facts:
    """Read them from the lesson's first cell."""
    first = read(path).cells[0].source
    row = dict(re.findall(r"^\| (\w[\w ]*?) \| (.*?) \|$", first, re.MULTILINE))
    return Facts(
        path,
        re.search(r"^# (.+)$", first, re.MULTILINE)[1],
        re.search(r"^\*\*The question[\w ]*:\*\* (.+)$", first, re.MULTILINE)[1],
        int(re.search(r"about (\d+) minutes", row["Time"])[1]),
        tuple(re.findall(r"\*\*(C\d+)\*\*", row.get("Claims", ""))),
        tuple(re.findall(r"\]\((\d\d)_", row.get("Before this", ""))),
    )


def words(path: Path) -> Iterator[tuple[str, str]]:
    """The terms that a lesson defines, with their definitions."""
    for cell in read(path).cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## Words"):
            yield from WORD.findall(cell.source)


def glossary() -> str:
    """All terms in the order of the alphabet, each with the lesson that defines it."""
    found = [(term, meaning, path) for path in paths() for term, meaning in words(path)]
    found.sort(key=lambda entry: entry[0].strip("`").casefold())
    lines = [f"- **{term}**: {meaning} ([{path.stem[:2]}]({path.name}))" for term, meaning, path in found]
    return "\n".join([HEADER, *lines]) + "\n"


def _question(lesson: Facts) -> str:
    return lesson.question[0].upper() + lesson.question[1:]


def index_table() -> str:
    """A row a lesson: number, title, minutes, claims, what must come before it, question."""
    rows = ["| | Lesson | Minutes | Claims | Before it | The question |", "|---|---|---|---|---|---|"]
    for lesson in map(facts, paths()):
        claims, before = ", ".join(lesson.claims) or "–", ", ".join(lesson.before) or "–"
        link = f"[{lesson.title}]({lesson.path.name})"
        rows.append(f"| {lesson.number} | {link} | {lesson.minutes} | {claims} | {before} | {_question(lesson)} |")
    return "\n".join(rows)


def readme_table() -> str:
    """The same, shorter, as seen from the folder above."""
    rows = ["| lesson | the question |", "|---|---|"]
    for lesson in map(facts, paths()):
        rows.append(f"| [{lesson.number} {lesson.title}](notebooks/{lesson.path.name}) | {_question(lesson)} |")
    return "\n".join(rows)


def start_table() -> str:
    """The same for lesson 00, which does not link to itself."""
    rows = ["| | Lesson | Minutes | The question |", "|---|---|---|---|"]
    for lesson in map(facts, paths()):
        title = f"[{lesson.title}]({lesson.path.name})" if lesson.number != "00" else lesson.title
        rows.append(f"| {lesson.number} | {title} | {lesson.minutes} | {_question(lesson)} |")
    return "\n".join(rows)


def filled(text: str, table: str) -> str:
    """The text with a fresh table between its two marks."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def pages() -> dict[Path, str]:
    """Every page that is gathered, as it should read."""
    start = read(START)
    cell = next(cell for cell in start.cells if BEGIN in cell.source)
    cell.source = filled(cell.source, start_table())
    return {
        GLOSSARY: glossary(),
        INDEX: filled(INDEX.read_text("utf-8"), index_table()),
        README: filled(README.read_text("utf-8"), readme_table()),
        START: as_text(start),
    }


def main() -> None:
    """Write the pages."""
    for path, text in pages().items():
        path.write_text(text, "utf-8")
        print(f"written: {path.name}")


if __name__ == "__main__":
    main()
