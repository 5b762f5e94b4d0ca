"""Instructions that change an image's config and none of its files. Pure.

Each is a function from a config and an instruction to the words that the image's history keeps. The config is the
`config` of an OCI image config; it is changed in place. How a word is expanded is the caller's part: `Expand` puts
values in, or leaves them out where Docker does.

    "ENV" with 'A="x y"'   ->   config["Env"] = [..., "A=x y"], history: ENV A=x y

Left out: ARG and WORKDIR, which also need what is around the config; see steps.py. One difference to Docker is meant:
for a HEALTHCHECK, the history has the instruction as it was written, where Docker prints one of Go's structures.

Source: the Dockerfile reference; OCI image spec, config.md.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.engine.build import health, words
from labkit.engine.build.dockerfile import Instruction
from labkit.engine.containers.signals import signal_number
from labkit.engine.errors import BadParameter

Config = dict[str, Any]
SHELL = ("/bin/sh", "-c")
HIGHEST_PORT = 65535

_PORTS = re.compile(r"(?:.*:)?(\d+)(?:-(\d+))?(?:/(\w+))?")
_PROTOCOLS = ("tcp", "udp", "sctp")


@dataclass(frozen=True)
class Expand:
    """How variables are put into a word, and into a text that may become several words."""

    word: Callable[[str], str]
    words: Callable[[str], list[str]]


def expanding(values: Mapping[str, str], escape: str) -> Expand:
    """Puts in these values."""
    return Expand(
        lambda text: words.expand(text, values, escape), lambda text: words.expand_words(text, values, escape)
    )


Change = Callable[[Config, Instruction, Expand], str]


def shell(config: Config) -> tuple[str, ...]:
    """What runs a command in the shell form."""
    return tuple(config.get("Shell") or SHELL)


def command(config: Config, made: Instruction) -> list[str]:
    """The words to execute: those of the exec form, or the shell and one text."""
    return list(made.args) if made.is_json or not made.args else [*shell(config), *made.args]


def quoted(words: Iterable[str]) -> str:
    """A list as Docker's history has it, each word in quotes and no comma between."""
    return "[" + " ".join(json.dumps(word, ensure_ascii=False) for word in words) + "]"


def bare(words: Iterable[str]) -> str:
    return "[" + " ".join(words) + "]"


def set_variables(environment: Sequence[str] | None, new: Iterable[tuple[str, str]]) -> list[str]:
    """An environment with some variables set; one that was there keeps its place."""
    old = {entry.partition("=")[0]: entry for entry in environment or ()}
    return list({**old, **{name: f"{name}={value}" for name, value in new}}.values())


def _expanded_pairs(made: Instruction, expand: Expand) -> list[tuple[str, str]]:
    pairs = [(expand.word(name), expand.word(value)) for name, value in made.pairs]
    if any(not name for name, _ in pairs):
        raise BadParameter(f"{made.word} names can not be blank")
    return pairs


def _env(config: Config, made: Instruction, expand: Expand) -> str:
    pairs = _expanded_pairs(made, expand)
    config["Env"] = set_variables(config.get("Env"), pairs)
    return "ENV " + " ".join(f"{name}={value}" for name, value in pairs)


def _label(config: Config, made: Instruction, expand: Expand) -> str:
    pairs = _expanded_pairs(made, expand)
    config["Labels"] = {**(config.get("Labels") or {}), **dict(pairs)}
    return "LABEL " + " ".join(f"{name}={value}" for name, value in pairs)


def _cmd(config: Config, made: Instruction, expand: Expand) -> str:
    config["Cmd"] = command(config, made)
    return f"CMD {quoted(config['Cmd'])}"


def _entrypoint(config: Config, made: Instruction, expand: Expand) -> str:
    config["Entrypoint"] = command(config, made)
    return f"ENTRYPOINT {quoted(config['Entrypoint'])}"


def _shell(config: Config, made: Instruction, expand: Expand) -> str:
    config["Shell"] = list(made.args)
    return f"SHELL {bare(made.args)}"


def _expose(config: Config, made: Instruction, expand: Expand) -> str:
    asked = [word for text in sorted(made.args) for word in expand.words(text)]
    config["ExposedPorts"] = {
        **(config.get("ExposedPorts") or {}),
        **{port: {} for one in asked for port in ports(one)},
    }
    return "EXPOSE " + " ".join(asked)


def ports(text: str) -> list[str]:
    """The ports of one word, `80`, `53/udp` or `8000-8002`, as the config names them. Raises BadParameter."""
    match = _PORTS.fullmatch(text)
    protocol = (match[3] or "tcp").lower() if match else ""
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not match or last > HIGHEST_PORT:
        raise BadParameter(f"Invalid containerPort: {text}")
    if protocol not in _PROTOCOLS:
        raise BadParameter(f"Invalid proto: {protocol}")
    if last < first:
        raise BadParameter(f"Invalid range specified for the Container Port: {text}")
    return [f"{number}/{protocol}" for number in range(first, last + 1)]


def _volume(config: Config, made: Instruction, expand: Expand) -> str:
    paths = [expand.word(path) for path in made.args]
    if not all(path.strip() for path in paths):
        raise BadParameter("VOLUME specified can not be an empty string")
    config["Volumes"] = {**(config.get("Volumes") or {}), **{path: {} for path in paths}}
    return f"VOLUME {bare(paths)}"


def _user(config: Config, made: Instruction, expand: Expand) -> str:
    config["User"] = expand.word(made.rest)
    return f"USER {config['User']}"


def _stopsignal(config: Config, made: Instruction, expand: Expand) -> str:
    word = expand.word(made.rest)
    signal_number(word)
    config["StopSignal"] = word
    return f"STOPSIGNAL {word}"


def _healthcheck(config: Config, made: Instruction, expand: Expand) -> str:
    # an option that is not given stays as the check before had it: Docker's way, also from a base image
    config["Healthcheck"] = {**(config.get("Healthcheck") or {}), **health.config(made.rest, made.flags)}
    return " ".join(["HEALTHCHECK", *(f"--{name}={value}" for name, value in made.flags.items()), made.rest])


def _onbuild(config: Config, made: Instruction, expand: Expand) -> str:
    config["OnBuild"] = [*(config.get("OnBuild") or []), made.rest]
    return f"ONBUILD {made.rest}"


CHANGES: dict[str, Change] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
}


def workdir(config: Config, path: str) -> str:
    """The working directory that `WORKDIR path` means: a relative path goes on from the one before."""
    if not path:
        raise BadParameter("cannot normalize nothing")
    joined = posixpath.join("/", config.get("WorkingDir") or "/", path)
    return "/" + posixpath.normpath(joined).lstrip("/")
