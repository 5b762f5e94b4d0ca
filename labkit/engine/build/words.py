"""Words of a Dockerfile: quotes taken off, variables put in; and JSON lists of words. Pure.

    expand('"$A and" ${B:-more}', {"A": "1"})   ->   "1 and more"

The rules are a shell's, cut down: 'single quotes' keep everything, "double quotes" keep blanks, and a backslash (or
the other letter that `# escape=` chose) takes the meaning from the letter behind it. A variable without a value is
empty. Left out: `${name#pattern}` and the other ways to cut a value, which Docker's classic builder has not either.

Source: the Dockerfile reference, "Environment replacement".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from labkit.engine.errors import BadParameter

BACKSLASH = "\\"
SPECIAL = "@*#?-$!0"
"""The names of one letter that a shell gives a meaning; here they are empty."""

Piece = tuple[str, bool]
"""A part of a word, and whether it stood in quotes."""


class BadWord(BadParameter):
    """400: a quote or a brace without its end, or a substitution that does not exist."""


def expand(text: str, values: Mapping[str, str], escape: str = BACKSLASH) -> str:
    """The text as one word. Raises BadWord."""
    return "".join(piece for piece, _ in _pieces(text, values, escape))


def expand_words(text: str, values: Mapping[str, str], escape: str = BACKSLASH) -> list[str]:
    """The text as words, taken apart at blanks outside quotes, those of a variable's value too. Raises BadWord."""
    words = [""]
    for piece, quoted in _pieces(text, values, escape):
        for letter in piece:
            if quoted or not letter.isspace():
                words[-1] += letter
            elif words[-1]:
                words.append("")
    return [word for word in words if word]


def split(text: str, escape: str = BACKSLASH) -> list[str]:
    """Take a line apart at blanks outside quotes; quotes and escapes stay where they are."""
    words, quote, position = [""], "", 0
    while position < len(text):
        letter = text[position]
        if letter == escape and quote != "'" and position + 1 < len(text):
            letter = text[position : position + 2]
        elif letter == quote:
            quote = ""
        elif not quote and letter in "'\"":
            quote = letter
        if letter.isspace() and not quote:
            words += [""] if words[-1] else []
        else:
            words[-1] += letter
        position += len(letter)
    return [word for word in words if word]


def json_list(text: str) -> list[str] | None:
    """The exec form, a JSON list of strings; None where it is none, which is then the shell form."""
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not all(isinstance(one, str) for one in found):
        raise BadParameter("when using JSON array syntax, arrays must be comprised of strings only")
    return list(found)


def _pieces(text: str, values: Mapping[str, str], escape: str) -> list[Piece]:
    try:
        return _Scanner(text, values, escape).pieces()
    except BadWord as error:
        raise BadWord(f"failed to process {json.dumps(text, ensure_ascii=False)}: {error.message}") from error


class _Scanner:
    """Goes through a text once, letter by letter."""

    def __init__(self, text: str, values: Mapping[str, str], escape: str) -> None:
        self.text, self.values, self.escape = text, values, escape
        self.position = 0

    def pieces(self, stop: str = "") -> list[Piece]:
        """Everything up to `stop`, which is read too, or to the end."""
        found: list[Piece] = []
        special: dict[str, Callable[[], Piece]] = {
            self.escape: self._escaped,
            "'": self._single,
            '"': self._double,
            "$": self._variable,
        }
        while letter := self._peek():
            if letter == stop:
                self._next()
                return found
            found.append(special[letter]() if letter in special else (self._next(), False))
        if stop:
            raise BadWord(f"unexpected end of statement while looking for matching {stop}")
        return found

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _next(self) -> str:
        letter = self._peek()
        self.position += len(letter)
        return letter

    def _escaped(self) -> Piece:
        self._next()
        return self._next(), True

    def _single(self) -> Piece:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise BadWord("unexpected end of statement while looking for matching single-quote")
        inner, self.position = self.text[self.position + 1 : end], end + 1
        return inner, True

    def _double(self) -> Piece:
        self._next()
        inner = ""
        while letter := self._peek():
            if letter == '"':
                self._next()
                return inner, True
            if letter == "$":
                inner += self._variable()[0]
                continue
            inner += self._next()
            if letter == self.escape and self._peek() in ('"', "$", self.escape):
                inner = inner[:-1] + self._next()
        raise BadWord("unexpected end of statement while looking for matching double-quote")

    def _variable(self) -> Piece:
        self._next()
        if self._peek() != "{":
            name = self._name()
            return (self.values.get(name, ""), False) if name else ("$", False)
        self._next()
        name = self._name()
        if self._peek() == "}":
            self._next()
            return self.values.get(name, ""), False
        return self._substitution(name), False

    def _name(self) -> str:
        start, letter = self.position, self._peek()
        if letter.isascii() and (letter.isalpha() or letter == "_"):
            self._skip(lambda one: one.isascii() and (one.isalnum() or one == "_"))
        elif letter and letter in SPECIAL:
            self._next()
        else:
            self._skip(lambda one: one.isascii() and one.isdigit())
        return self.text[start : self.position]

    def _skip(self, wanted: Callable[[str], bool]) -> None:
        while self._peek() and wanted(self._peek()):
            self._next()

    def _substitution(self, name: str) -> str:
        """`:-word` a default, `:+word` another value, `:?word` an error; without the colon an empty value counts."""
        colon = self._peek() == ":"
        if colon:
            self._next()
        kind = self._next()
        if not kind:
            raise BadWord("unexpected end of statement while looking for matching }")
        if kind not in "-+?":
            raise BadWord(f"unsupported modifier ({kind}) in substitution")
        word = "".join(piece for piece, _ in self.pieces("}"))
        value = self.values.get(name)
        has_value = bool(value) if colon else value is not None
        if kind == "+":
            return word if has_value else ""
        if kind == "?" and not has_value:
            raise BadWord(f"{name}: {word or 'is not allowed to be unset'}")
        return value or "" if has_value else word
