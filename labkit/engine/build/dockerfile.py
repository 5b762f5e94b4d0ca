"""A Dockerfile as a list of instructions. Pure.

The first word of an instruction says in which form the rest is written: a command, a list, pairs, or a text. What can
be known to be wrong without running anything is refused here, before a single step is taken.

Left out: here-documents (`RUN <<EOF`) and the options of RUN, which are BuildKit's. Both are refused by name.

Source: the Dockerfile reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from labkit.engine.build import health
from labkit.engine.build.lines import EMPTY_LINES_END, DockerfileError, escape_of, joined, lines_of
from labkit.engine.build.words import BACKSLASH, json_list, split
from labkit.engine.errors import BadParameter

_HEREDOC = re.compile(r"(?:^|\s)\d*<<-?(['\"]?)[A-Za-z_]\w*\1(?=\s|$)")
_STAGE_NAME = re.compile(r"[a-z][a-z0-9._-]*")

ABSENT = "\0"
"""Stands for a value that was not given; no text of a Dockerfile is this."""

BUILDKIT = (
    "the --{flag} option requires BuildKit, which this engine does not have: leave it out, or use a Docker engine"
)


@dataclass(frozen=True)
class Instruction:
    """One instruction: `word` in capitals, its flags, and its arguments in the form that belongs to the word."""

    word: str
    text: str
    """As it was written, continued lines joined: what a build shows of a step."""
    line: int
    rest: str = ""
    """What follows the word and its flags."""
    flags: dict[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    is_json: bool = False
    """The exec form, a JSON list."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Name and value for ENV, LABEL and ARG, quotes and variables still in them."""


@dataclass(frozen=True)
class Dockerfile:
    """All instructions, the escape letter, and what the author should be warned of."""

    instructions: tuple[Instruction, ...]
    escape: str = BACKSLASH
    warnings: tuple[str, ...] = ()


def parse(data: bytes) -> Dockerfile:
    """Read a Dockerfile. Raises DockerfileError."""
    lines = lines_of(data)
    escape, warnings = escape_of(lines), list[str]()
    found = tuple(instruction(line, number, escape) for number, line in joined(lines, escape, warnings))
    if not found:
        raise DockerfileError("file with no instructions")
    return Dockerfile(found, escape, (*warnings, EMPTY_LINES_END) if warnings else ())


# --- one instruction ---------------------------------------------------------------------------------------------


def instruction(text: str, line: int = 0, escape: str = BACKSLASH) -> Instruction:
    """Take one instruction apart and check it. Raises DockerfileError."""
    first, *more = text.split(maxsplit=1)
    word = first.upper()
    form = FORMS.get(word)
    if form is None:
        raise DockerfileError(f"unknown instruction: {word}", line)
    try:
        flags, rest = _flags(more[0].strip() if more else "", escape) if word in FLAGS else ({}, "".join(more).strip())
        made = form(Instruction(word, text, line, rest, flags), escape)
        _check_flags(made)
        _check(made)
    except BadParameter as wrong:
        raise wrong if isinstance(wrong, DockerfileError) else DockerfileError(wrong.message, line) from wrong
    return made


def _flags(text: str, escape: str) -> tuple[dict[str, str], str]:
    """The options `--name=value` in front; a bare `--` ends them."""
    found: dict[str, str] = {}
    while text.startswith("--"):
        flag = re.match(rf"(?:{re.escape(escape)}.|\S)+", text)
        assert flag
        text = text[flag.end() :].lstrip()
        if flag[0] == "--":
            break
        name, equals, value = flag[0][2:].partition("=")
        if name in found:
            raise BadParameter(f"Duplicate flag specified: {name}")
        found[name] = value if equals else ABSENT
    return found, text


def _check_flags(made: Instruction) -> None:
    known, of_buildkit = FLAGS.get(made.word, ((), ()))
    for name, value in made.flags.items():
        if name in of_buildkit:
            raise BadParameter(BUILDKIT.format(flag=name))
        if name not in known:
            raise BadParameter(f"Unknown flag: {name}")
        if value == ABSENT:
            raise BadParameter(f"Missing a value on flag: {name}")


FLAGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ADD": (("chown", "chmod"), ("checksum", "keep-git-dir", "link", "exclude", "unpack")),
    "COPY": (("chown", "chmod", "from"), ("link", "parents", "exclude")),
    "FROM": (("platform",), ()),
    "HEALTHCHECK": (tuple(health.OPTIONS), ()),
    "RUN": ((), ("mount", "network", "security", "device")),
}
"""Which options an instruction takes, and which of them only BuildKit does. Elsewhere `--x` is an ordinary word."""


# --- forms -------------------------------------------------------------------------------------------------------


def _command(made: Instruction, escape: str) -> Instruction:
    found = json_list(made.rest)
    if found is not None:
        return replace(made, args=tuple(found), is_json=True)
    return replace(made, args=(made.rest,) if made.rest else ())


def _list(made: Instruction, escape: str) -> Instruction:
    found = json_list(made.rest)
    return replace(made, args=tuple(made.rest.split() if found is None else found), is_json=found is not None)


def _text(made: Instruction, escape: str) -> Instruction:
    return replace(made, args=(made.rest,) if made.rest else ())


def _fields(made: Instruction, escape: str) -> Instruction:
    return replace(made, args=tuple(made.rest.split()))


def _pairs(made: Instruction, escape: str) -> Instruction:
    """`name=value name2="a value"`, or the old form `name the whole rest`."""
    parts = split(made.rest, escape)
    if not parts:
        return made
    if "=" not in parts[0]:
        name, *rest = made.rest.split(maxsplit=1)
        if not rest:
            raise BadParameter(f"{made.word} must have two arguments")
        return replace(made, args=tuple(parts), pairs=((name, rest[0]),))
    if odd := next((part for part in parts if "=" not in part), None):
        raise BadParameter(f"Syntax error - can't find = in {json.dumps(odd)}. Must be of the form: name=value")
    return replace(made, args=tuple(parts), pairs=tuple(_pair(part) for part in parts))


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name, value


def _names(made: Instruction, escape: str) -> Instruction:
    """`ARG name` or `ARG name=default`; a name alone has ABSENT for its value."""
    parts = split(made.rest, escape)
    return replace(
        made, args=tuple(parts), pairs=tuple(_pair(part) if "=" in part else (part, ABSENT) for part in parts)
    )


Form = Callable[[Instruction, str], Instruction]
FORMS: dict[str, Form] = {
    "ADD": _list,
    "ARG": _names,
    "CMD": _command,
    "COPY": _list,
    "ENTRYPOINT": _command,
    "ENV": _pairs,
    "EXPOSE": _fields,
    "FROM": _fields,
    "HEALTHCHECK": _text,
    "LABEL": _pairs,
    "MAINTAINER": _text,
    "ONBUILD": _text,
    "RUN": _command,
    "SHELL": _command,
    "STOPSIGNAL": _text,
    "USER": _text,
    "VOLUME": _list,
    "WORKDIR": _text,
}
"""Every instruction there is, and the form in which its arguments are written."""


# --- checks ------------------------------------------------------------------------------------------------------

ONE_OR_MORE = ("ARG", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "SHELL", "VOLUME")
EXACTLY_ONE = ("MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR")
HEREDOC_WORDS = ("ADD", "COPY", "RUN")


def _check(made: Instruction) -> None:
    if made.word in ONE_OR_MORE and not made.args:
        raise BadParameter(f"{made.word} requires at least one argument")
    if made.word in EXACTLY_ONE and not made.args:
        raise BadParameter(f"{made.word} requires exactly one argument")
    if made.word in HEREDOC_WORDS and not made.is_json and _HEREDOC.search(made.rest):
        raise BadParameter(
            "here-documents (<<EOF) require BuildKit, which this engine does not have: "
            "join the commands with &&, or put the lines into a file and COPY it"
        )
    if check := _CHECKS.get(made.word):
        check(made)


def _check_from(made: Instruction) -> None:
    if len(made.args) not in (1, 3) or (len(made.args) == 3 and made.args[1].lower() != "as"):
        raise BadParameter("FROM requires either one or three arguments")
    if len(made.args) == 3 and not _STAGE_NAME.fullmatch(made.args[2].lower()):
        name = made.args[2].lower()
        raise BadParameter(
            f'invalid name for build stage: "{name}", name can\'t start with a number or contain symbols'
        )


def _check_copy(made: Instruction) -> None:
    if not made.args:
        raise BadParameter(f"{made.word} requires at least two arguments, but none were provided")
    if len(made.args) == 1:
        raise BadParameter(
            f"{made.word} requires at least two arguments, but only one was provided. "
            "Destination could not be determined"
        )


def _check_names(made: Instruction) -> None:
    if any(not name for name, _ in made.pairs):
        raise BadParameter(f"{made.word} names can not be blank")


def _check_shell(made: Instruction) -> None:
    if not made.is_json:
        raise BadParameter("SHELL requires the arguments to be in JSON form")


def _check_onbuild(made: Instruction) -> None:
    trigger = made.rest.split()[0].upper()
    if trigger == "ONBUILD":
        raise BadParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("FROM", "MAINTAINER"):
        raise BadParameter(f"{trigger} isn't allowed as an ONBUILD trigger")


def _check_health(made: Instruction) -> None:
    health.config(made.rest, made.flags)


_CHECKS: dict[str, Callable[[Instruction], None]] = {
    "ADD": _check_copy,
    "ARG": _check_names,
    "COPY": _check_copy,
    "ENV": _check_names,
    "FROM": _check_from,
    "HEALTHCHECK": _check_health,
    "LABEL": _check_names,
    "ONBUILD": _check_onbuild,
    "SHELL": _check_shell,
}
