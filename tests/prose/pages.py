"""The words of a notebook or a Markdown page as people read them: sentences without code, addresses and markup."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import mistune

from labkit.lessons import material
from labkit.lessons.slips import SLIPS

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"

Token = dict[str, Any]
_parse = mistune.create_markdown(renderer=None, plugins=["table", "strikethrough"])
SPOKEN = {"text", "linebreak", "softbreak"}  # what a reader would read aloud; code is looked at
BLOCKS = {"paragraph", "heading", "block_text", "table_cell"}


@dataclass(frozen=True)
class Page:
    """One file: its Markdown cells (a Markdown page is one cell)."""

    path: Path
    cells: tuple[str, ...]

    @property
    def name(self) -> str:
        """The path as a reader of the repository knows it."""
        return str(self.path.relative_to(ROOT))


def page(path: Path) -> Page:
    """A notebook or a Markdown file."""
    text = path.read_text("utf-8")
    if path.suffix != ".ipynb":
        return Page(path, (text,))
    cells = json.loads(text)["cells"]
    return Page(path, tuple("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"))


def pages() -> list[Page]:
    """Everything that a learner or an instructor reads."""
    written = [*sorted(NOTEBOOKS.glob("*.ipynb")), *sorted(NOTEBOOKS.glob("*.md")), ROOT / "README.md"]
    return [page(path) for path in written]


def materials() -> list[Page]:
    """What the lessons say beside their notebooks: questions, answers, hints. Each text is a cell."""
    folder = Path(material.__file__).parent
    found = [(f"lesson_{number}.py", material.load(number)) for number in material.numbers()]
    return [Page(folder / name, tuple(_texts(value))) for name, value in [*found, ("slips.py", SLIPS)]]


def _texts(value: Any) -> Iterator[str]:
    """The sentences in it; what has no space is a key or a name."""
    if isinstance(value, str) and " " in value:
        yield value
    elif isinstance(value, Mapping):
        yield from (text for part in value.items() for text in _texts(part))
    elif isinstance(value, tuple):
        yield from (text for part in value for text in _texts(part))
    elif is_dataclass(value):
        yield from (text for field in fields(value) for text in _texts(getattr(value, field.name)))


def tokens(cell: str) -> Iterator[Token]:
    """All tokens of a Markdown text, from the outside in."""
    yield from _walk(_parse(cell))


def _walk(found: Any) -> Iterator[Token]:
    for token in found:
        yield token
        yield from _walk(token.get("children", ()))


def blocks(cell: str) -> Iterator[Token]:
    """Its headings, paragraphs, items and cells of tables: what is read in one breath."""
    return (token for token in tokens(cell) if token["type"] in BLOCKS)


def spoken(block: Token, code: str = "") -> str:
    """The text of a block; in the place of code stands `code`, so that a sentence keeps its length."""
    parts = []
    for token in _walk([block]):
        if token["type"] == "codespan":
            parts.append(code)
        elif token["type"] in SPOKEN:
            parts.append(token.get("raw", " "))
    return "".join(parts)


def links(cell: str) -> Iterator[str]:
    """The targets of its links and pictures."""
    return (token["attrs"]["url"] for token in tokens(cell) if token["type"] in ("link", "image"))


def anchors(one: Page) -> set[str]:
    """The names of its headings, as JupyterLab, the static site and code hosts write them in an address."""
    headings = [spoken(block) for cell in one.cells for block in blocks(cell) if block["type"] == "heading"]
    return {form for heading in headings for form in (heading.replace(" ", "-"), slug(heading))}


def slug(heading: str) -> str:
    """`What you've seen` -> `what-youve-seen`"""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
