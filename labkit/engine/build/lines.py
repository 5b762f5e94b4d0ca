"""The lines of a Dockerfile: parser directives, comments, and lines that go on in the next. Pure.

A line that ends in the escape letter (a backslash, unless a directive `# escape=` says otherwise) is continued. Lines
that are comments are dropped even in the middle of a continued one, as people comment their long RUNs out by parts.

Source: the Dockerfile reference, "Parser directives" and "Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.engine.build.words import BACKSLASH
from labkit.engine.errors import BadParameter

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
KNOWN_DIRECTIVES = ("escape", "syntax")

EMPTY_LINE = "[WARNING]: Empty continuation line found in:\n    {line}"
EMPTY_LINES_END = "[WARNING]: Empty continuation lines will become errors in a future release."


class DockerfileError(BadParameter):
    """400: what is written in the Dockerfile makes no sense. Says in which line, where it is one line's fault."""

    def __init__(self, reason: str, line: int = 0) -> None:
        where = f"dockerfile parse error line {line}: " if line else "failed to parse Dockerfile: "
        super().__init__(where + reason)


def lines_of(data: bytes) -> list[str]:
    """The lines of a file, whatever system it was written on."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    return [line.removesuffix("\r") for line in text.split("\n")]


def escape_of(lines: list[str]) -> str:
    """The letter that continues a line. Directives are comments of one form, before anything else."""
    seen: dict[str, str] = {}
    for line in lines:
        match = _DIRECTIVE.match(line.strip())
        if match is None:
            break
        name = match[1].lower()
        if name in seen and name in KNOWN_DIRECTIVES:
            raise DockerfileError(f"only one {name} parser directive can be used")
        seen[name] = match[2]
    escape = seen.get("escape", BACKSLASH)
    if escape not in (BACKSLASH, "`"):
        raise DockerfileError(f"invalid escape token '{escape}' does not match ` or \\")
    return escape


def joined(lines: list[str], escape: str, warnings: list[str]) -> Iterator[tuple[int, str]]:
    """Each instruction as one line, with the number of the line that it begins in; warnings go into the list."""
    goes_on = re.compile(rf"(.*){re.escape(escape)}[ \t]*$")
    whole, begins, gap = "", 0, False
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("#"):
            continue
        if not line.strip():
            gap = gap or bool(begins and number < len(lines))  # what follows the last line end is no line
            continue
        begins = begins or number
        if match := goes_on.match(line):
            whole += match[1]
            continue
        yield begins, _finished(whole + line, gap, warnings)
        whole, begins, gap = "", 0, False
    if whole.strip():
        yield begins, _finished(whole, gap, warnings)


def _finished(line: str, gap: bool, warnings: list[str]) -> str:
    if gap:
        warnings.append(EMPTY_LINE.format(line=line.strip()))
    return line.strip()
