"""A command line taken apart, as the stock command's own parser (pflag) reads it.

Short options may be joined (`-aq`) and may hold their value (`-eA=1`); long ones take it after `=` or as the next
word. After the first word that is no option, `run` and `exec` leave the rest to the container.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


class Misused(Exception):
    """A command line that this command can't take. The text is what the learner reads."""


@dataclass(frozen=True)
class Option:
    """One option: how it is written, and whether it takes a value. A `many` may be given more than once."""

    names: tuple[str, ...]
    takes: bool = False
    many: bool = False

    @property
    def key(self) -> str:
        """The long name without its dashes, by which a verb asks for it."""
        return max(self.names, key=len).lstrip("-")


def switch(*names: str) -> Option:
    """An option without a value."""
    return Option(names)


def value(*names: str) -> Option:
    """An option with one value; the last one counts."""
    return Option(names, takes=True)


def values(*names: str) -> Option:
    """An option that may be repeated."""
    return Option(names, takes=True, many=True)


@dataclass
class Given:
    """What was typed after the verb: the options by key, and the other words."""

    verb: str
    options: dict[str, list[str]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def on(self, key: str) -> bool:
        """Whether a switch was given, and not as `--key=false`."""
        return self.options.get(key, ["false"])[-1] not in ("false", "0")

    def one(self, key: str, default: str = "") -> str:
        """The value of an option."""
        return self.options.get(key, [default])[-1]

    def all(self, key: str) -> list[str]:
        """Every value of an option that may be repeated."""
        return self.options.get(key, [])


def parse(verb: str, options: Sequence[Option], words: Sequence[str], own_words: int | None = None) -> Given:
    """Take the words after a verb apart. After `own_words` words that are no options, the rest is the container's."""
    known = {name: option for option in options for name in option.names}
    given = Given(verb)
    rest = iter(words)
    for word in rest:
        if word == "--":
            given.words += rest
        elif word.startswith("-") and word != "-":
            for option, text in _options(word, known, rest, verb):
                given.options.setdefault(option.key, []).append(text)
        else:
            given.words.append(word)
            if own_words is not None and len(given.words) == own_words:
                given.words += rest
    return given


def _options(word: str, known: dict[str, Option], rest: Iterator[str], verb: str) -> Iterator[tuple[Option, str]]:
    """The options in one word, each with its value; a value that is missing is taken from the next word."""
    if word.startswith("--"):
        name, equals, text = word.partition("=")
        option = _known(name, known, verb)
        if not option.takes:
            yield option, text if equals else "true"
        else:
            yield option, text if equals else _next(rest, name)
        return
    letters = word[1:]
    while letters:
        name, letters = f"-{letters[0]}", letters[1:]
        option = _known(name, known, verb)
        if option.takes:
            yield option, letters.removeprefix("=") or _next(rest, name)
            return
        yield option, "true"


def _known(name: str, known: dict[str, Option], verb: str) -> Option:
    if name in known:
        return known[name]
    names = ", ".join(sorted(known)) or "none"
    raise Misused(f"labkit's `docker {verb}` has no option {name}. It has: {names}. (The stock command has more.)")


def _next(rest: Iterator[str], name: str) -> str:
    for word in rest:
        return word
    raise Misused(f"flag needs an argument: {name}")
