"""`--format`: the part of Go's templates that people type behind it.

Fields (`.State.Status`), pipes and brackets, the functions below, `range`, `if`, `with`, `else`, `end`, `$` and the
variables of a range. Left out: defining templates and variables. Go's documentation: text/template.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.docker_command.words import Misused

ACTION = re.compile(r"\{\{(-\s)?\s*(.*?)\s*(\s-)?\}\}", re.DOTALL)
TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|\(|\)|\||[^\s()|]+)')
BLOCKS = ("range", "if", "with")


@dataclass
class Block:
    """A range, if or with: its condition, what stands in it, and what stands after its else."""

    word: str
    pipeline: str
    body: list["str | Action | Block"] = field(default_factory=list)
    otherwise: list["str | Action | Block"] = field(default_factory=list)


@dataclass(frozen=True)
class Action:
    """A pipeline whose value is printed."""

    pipeline: str


Part = str | Action | Block


def render(template: str, data: Any) -> str:
    """The template filled with data, which is what JSON gives. Raises Misused for what it can't read."""
    text = template.replace("\\t", "\t").replace("\\n", "\n")
    return "".join(_print(parse(text), data, {"$": data}))


# --- reading ---------------------------------------------------------------------------------------


def parse(template: str) -> list[Part]:
    """A template as parts: text as it is, actions, and blocks that hold parts."""
    top: list[Part] = []
    stack: list[tuple[Block | None, list[Part]]] = [(None, top)]
    for piece in _pieces(template):
        _, parts = stack[-1]
        word, _, rest = piece.pipeline.partition(" ") if isinstance(piece, Action) else ("", "", "")
        if isinstance(piece, str):
            parts.append(piece)
        elif word in BLOCKS:
            block = Block(word, rest.strip())
            parts.append(block)
            stack.append((block, block.body))
        elif word in ("else", "end"):
            open_block, _ = stack.pop()
            if open_block is None:
                raise Misused(f"template parsing error: unexpected {{{{{word}}}}}")
            if word == "else":
                stack.append((open_block, open_block.otherwise))
        else:
            parts.append(piece)
    if len(stack) > 1:
        raise Misused("template parsing error: unexpected EOF")
    return top


def _pieces(template: str) -> Iterator[str | Action]:
    end, trim = 0, False
    for found in ACTION.finditer(template):
        text = template[end : found.start()]
        text = text.lstrip() if trim else text
        yield text.rstrip() if found[1] else text
        yield Action(found[2])
        end, trim = found.end(), bool(found[3])
    yield template[end:].lstrip() if trim else template[end:]


# --- printing --------------------------------------------------------------------------------------


def _print(parts: Sequence[Part], dot: Any, names: Mapping[str, Any]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, Action):
            yield shown(_value(part.pipeline, dot, names))
        else:
            yield from _block(part, dot, names)


def _block(block: Block, dot: Any, names: Mapping[str, Any]) -> Iterator[str]:
    variables, _, pipeline = block.pipeline.rpartition(":=")
    found = _value(pipeline.strip(), dot, names)
    if not found:
        yield from _print(block.otherwise, dot, names)
    elif block.word != "range":
        yield from _print(block.body, found if block.word == "with" else dot, names)
    else:
        wanted = [name.strip() for name in variables.split(",") if name.strip()]
        for key, item in sorted(found.items()) if isinstance(found, Mapping) else enumerate(found):
            pair = [item] if len(wanted) == 1 else [key, item]
            yield from _print(block.body, item, {**names, **dict(zip(wanted, pair, strict=False))})


def _value(pipeline: str, dot: Any, names: Mapping[str, Any]) -> Any:
    tokens = TOKEN.findall(pipeline)
    value, rest = _pipeline(tokens, dot, names)
    if rest:
        raise Misused(f"template parsing error: unexpected {rest[0]!r} in {{{{{pipeline}}}}}")
    return value


def _pipeline(tokens: list[str], dot: Any, names: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """Commands with `|` between them: each gets the value of the one before as its last argument."""
    piped: list[Any] = []
    while True:
        arguments, tokens = _arguments(tokens, dot, names)
        first, rest = arguments[0] if arguments else None, arguments[1:]
        if callable(first):
            piped = [first(*rest, *piped)]
        elif rest or piped or not arguments:
            raise Misused("template parsing error: a value is no function, so it takes no arguments")
        else:
            piped = [first]
        if not tokens or tokens[0] != "|":
            return piped[0], tokens
        tokens = tokens[1:]


def _arguments(tokens: list[str], dot: Any, names: Mapping[str, Any]) -> tuple[list[Any], list[str]]:
    arguments: list[Any] = []
    while tokens and tokens[0] not in ("|", ")"):
        token, tokens = tokens[0], tokens[1:]
        if token == "(":
            inner, tokens = _pipeline(tokens, dot, names)
            if not tokens or tokens[0] != ")":
                raise Misused("template parsing error: unclosed left paren")
            arguments, tokens = [*arguments, inner], tokens[1:]
        else:
            arguments.append(_term(token, dot, names))
    return arguments, tokens


def _term(token: str, dot: Any, names: Mapping[str, Any]) -> Any:
    if token[0] in '"`':
        return json.loads(token) if token[0] == '"' else token[1:-1]
    if re.fullmatch(r"-?\d+", token):
        return int(token)
    if token in ("true", "false", "nil"):
        return {"true": True, "false": False, "nil": None}[token]
    if token in FUNCTIONS:
        return FUNCTIONS[token]
    start, _, path = token.partition(".")
    if start and start not in names:
        raise Misused(f'template parsing error: function "{start}" not defined')
    value = names[start] if start else dot
    for name in filter(None, path.split(".")):
        value = _field(value, name)
    return value


def _field(value: Any, name: str) -> Any:
    if isinstance(value, Mapping) and name in value:
        return value[name]
    raise Misused(f'template parsing error: map has no entry for key "{name}"')


def shown(value: Any) -> str:
    """A value as Go prints it: [a b], map[k:v], true, <no value>."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{shown(value[key])}' for key in sorted(value))}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(map(shown, value))}]"
    return str(value)


def to_json(value: Any) -> str:
    """As Go's encoder writes it: no blanks, and what HTML would read as marks is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else value[key]
    return value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": to_json,
    "len": len,
    "index": _index,
    "join": lambda items, separator: separator.join(items),
    "split": lambda text, separator: text.split(separator),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "title": lambda text: text.title(),
    "println": lambda *values: " ".join(map(shown, values)) + "\n",
    "print": lambda *values: "".join(map(shown, values)),
    "eq": lambda first, *others: first in others,
    "ne": lambda first, second: first != second,
    "not": lambda value: not value,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
}
