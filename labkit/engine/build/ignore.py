"""`.dockerignore`: which paths of a folder are no part of a build context. Pure.

    rules = read("*.log\\n!keep.log\\n")
    ignored(rules, "a.log")   ->   True

A pattern is Go's filepath.Match (`*` and `?` stop at a slash, `[a-z]`), and `**` for any number of folders. A rule
that names a folder holds for all below it; `!` takes paths back; the last rule that matches decides.

Source: the Dockerfile reference, ".dockerignore file"; Go's package path/filepath.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from labkit.engine.errors import BadParameter


class BadPattern(BadParameter):
    """400: a pattern with a bracket that is never closed, a range that goes backwards, or a backslash at its end."""

    def __init__(self, pattern: str) -> None:
        super().__init__(f"syntax error in pattern: {pattern}")


@dataclass(frozen=True)
class Rule:
    """One line: what it matches, and whether it takes a path out or back in."""

    pattern: re.Pattern[str]
    back: bool = False


def read(text: str) -> list[Rule]:
    """The rules of a .dockerignore. Raises BadPattern."""
    return [_rule(line) for line in _lines(text)]


def _lines(text: str) -> Iterable[str]:
    for line in text.removeprefix("\ufeff").splitlines():
        if not line.startswith("#") and line.strip():
            yield line.strip()


def _rule(line: str) -> Rule:
    back = line.startswith("!")
    path = line[1:].strip() if back else line
    clean = posixpath.normpath(path).lstrip("/") or "."
    return Rule(compiled(clean), back)


def ignored(rules: Sequence[Rule], path: str) -> bool:
    """Whether a path, relative to the context, is left out of it."""
    parts = path.split("/")
    places = ["/".join(parts[:height]) for height in range(1, len(parts) + 1)]
    out = False
    for rule in rules:
        if out == rule.back and any(map(rule.pattern.fullmatch, places)):
            out = not rule.back
    return out


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression, to be matched in full. Raises BadPattern."""
    try:
        return re.compile(_expression(pattern))
    except re.error as error:  # a range that goes backwards
        raise BadPattern(pattern) from error


def _expression(pattern: str) -> str:
    found, rest = "", pattern
    while rest:
        for written, expression in _SPECIAL:
            if match := written.match(rest):
                found += expression(match)
                rest = rest[match.end() :]
                break
        else:
            raise BadPattern(pattern)
    return found


def _class(match: re.Match[str]) -> str:
    """`[^a-z]`: a set of letters, never a slash; Go writes ^ for "not"."""
    body = re.sub(r"\\(.)|([\[\]&~|])", lambda one: re.escape(one[1] or one[2]), match[2])
    return f"(?!/)[{match[1]}{body}]"


_SPECIAL: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\*\*/?$"), lambda match: ".*"),
    (re.compile(r"\*\*/"), lambda match: "(?:.*/)?"),
    (re.compile(r"\*\*"), lambda match: ".*"),
    (re.compile(r"\*"), lambda match: "[^/]*"),
    (re.compile(r"\?"), lambda match: "[^/]"),
    (re.compile(r"\[(\^|(?!\^))((?:\\.|[^\]\\])+)\]"), _class),
    (re.compile(r"\\(.)"), lambda match: re.escape(match[1])),
    (re.compile(r"[^\\\[]"), lambda match: re.escape(match[0])),
)
"""What stands for what, the longest first; a letter that none of these takes is a bracket or a backslash left open."""


def matches(pattern: str, path: str) -> bool:
    """Go's filepath.Match, in which `**` is no more than `*`. False for a bad pattern, as in COPY."""
    try:
        return compiled(re.sub(r"(?<!\\)\*+", "*", pattern)).fullmatch(path) is not None
    except BadPattern:
        return False
