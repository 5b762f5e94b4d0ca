"""Dockerfile instructions that change a config and no file: what `--change` of commit and import takes.

    instructions.apply({}, ["ENV A=1", 'CMD ["sh"]'])   ->   {"Env": ["A=1"], "Cmd": ["sh"]}

They are read and carried out as in a build (build/dockerfile.py, build/metadata.py). Left out: instructions that
touch files or start processes (FROM, RUN, COPY, ADD), and those for a build alone (ARG, SHELL), as in Docker.

Source: the Dockerfile reference; Docker API ImageCommit, parameter `changes`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labkit.engine.build import metadata
from labkit.engine.build.dockerfile import Instruction, instruction
from labkit.engine.build.lines import escape_of, joined, lines_of
from labkit.engine.errors import BadParameter

Config = dict[str, Any]

ALLOWED = frozenset(metadata.CHANGES) - {"SHELL"} | {"WORKDIR"}


def apply(config: Mapping[str, Any], changes: Sequence[str]) -> Config:
    """A config with the instructions carried out one after another. Raises BadParameter (400) for a bad one."""
    result: Config = copy.deepcopy(dict(config))
    lines = lines_of("\n".join(changes).encode())
    escape = escape_of(lines)
    has_command = False
    for made in list(_parsed(lines, escape)):  # all are read before the first is carried out
        values = dict(entry.partition("=")[::2] for entry in result.get("Env") or ())
        _carry_out(made, result, metadata.expanding(values, escape))
        if made.word == "ENTRYPOINT" and not has_command:
            result.pop("Cmd", None)  # the old command was made for the old entry point
        has_command = has_command or made.word == "CMD"
    return result


def _parsed(lines: list[str], escape: str) -> Iterator[Instruction]:
    for number, line in joined(lines, escape, []):
        word = line.split(maxsplit=1)[0]
        if word.upper() not in ALLOWED:
            raise BadParameter(f"{word.lower()} is not a valid change command")
        yield instruction(line, number, escape)


def _carry_out(made: Instruction, config: Config, expand: metadata.Expand) -> None:
    if made.word == "WORKDIR":  # without the folder, which a build would make
        config["WorkingDir"] = metadata.workdir(config, expand.word(made.rest))
    else:
        metadata.CHANGES[made.word](config, made, expand)
