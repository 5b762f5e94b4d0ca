"""Dockerfile instructions that change a config and no file: what `--change` of commit and import takes.

    instructions.apply({}, ["ENV A=1", 'CMD ["sh"]'])   ->   {"Env": ["A=1"], "Cmd": ["sh"]}

Left out: instructions that touch files or start processes (FROM, RUN, COPY, ADD), as in Docker.
Source: the Dockerfile reference; Docker API ImageCommit, parameter `changes`.
"""

from __future__ import annotations

import copy
import json
import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labkit.engine.errors import BadParameter

Config = dict[str, Any]
_SHELL = ("/bin/sh", "-c")
_VARIABLE = re.compile(r"\\\$|\$(?:\{(\w+)\}|(\w+))")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?)(h|ms|m|us|µs|ns|s)")


def apply(config: Mapping[str, Any], changes: Sequence[str]) -> Config:
    """A config with the instructions carried out one after another. Raises BadParameter (400) for a bad one."""
    result: Config = copy.deepcopy(dict(config))
    words = [(word, rest.strip()) for word, rest in map(_first_word, _lines(changes))]
    for word, rest in words:
        change = INSTRUCTIONS.get(word)
        if change is None:
            raise BadParameter(f"{word.lower()} is not a valid change command")
        if not rest and word not in ("CMD", "ENTRYPOINT"):  # those two may be emptied
            raise BadParameter(f"{word} requires at least one argument")
        change(result, _expanded(rest, result) if word in _EXPANDED else rest)
    named = {word for word, _ in words}
    if "ENTRYPOINT" in named and "CMD" not in named:
        result.pop("Cmd", None)  # the old command was made for the old entry point
    return result


def _lines(changes: Sequence[str]) -> list[str]:
    """Each instruction by itself; a change may hold several lines, with comments."""
    lines = [line.strip() for text in changes for line in text.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _first_word(line: str) -> tuple[str, str]:
    word, *rest = line.split(maxsplit=1)
    return word.upper(), rest[0] if rest else ""


def _expanded(text: str, config: Config) -> str:
    """Put in the values of $NAME and ${NAME}, taken from the environment set so far."""
    values = dict(item.partition("=")[::2] for item in config.get("Env") or ())

    def value(match: re.Match[str]) -> str:
        return "$" if match[0] == "\\$" else values.get(match[1] or match[2], "")

    return _VARIABLE.sub(value, text)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BadParameter(f"cannot read {text!r}: {error}") from error


def _json_list(text: str) -> list[str] | None:
    """The exec form, a JSON list of strings, or None for the shell form."""
    try:
        found = json.loads(text) if text.startswith("[") else None
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(word, str) for word in found) else None


def _command(text: str, config: Config) -> list[str]:
    if not text:
        return []
    exec_form = _json_list(text)
    return exec_form if exec_form is not None else [*(config.get("Shell") or _SHELL), text]


def _pairs(text: str, word: str) -> dict[str, str]:
    """`key=value key2="a value"`, or the old form `key the whole rest`."""
    words = _words(text)
    if "=" not in words[0]:
        key, *rest = text.split(maxsplit=1)
        if not rest and word not in ("CMD", "ENTRYPOINT"):  # those two may be emptied
            raise BadParameter(f"{word} must have two arguments")
        return {key: rest[0]}
    if odd := next((item for item in words if "=" not in item or item.startswith("=")), None):
        raise BadParameter(f"Syntax error - can't find = in {odd!r}. Must be of the form: name=value")
    return dict(item.partition("=")[::2] for item in words)


def _cmd(config: Config, text: str) -> None:
    config["Cmd"] = _command(text, config)


def _entrypoint(config: Config, text: str) -> None:
    config["Entrypoint"] = _command(text, config)


def _env(config: Config, text: str) -> None:
    new = _pairs(text, "ENV")
    old = [item.partition("=")[::2] for item in config.get("Env") or ()]
    config["Env"] = [f"{key}={value}" for key, value in {**dict(old), **new}.items()]


def _expose(config: Config, text: str) -> None:
    for word in _words(text):
        port, _, protocol = word.partition("/")
        if not re.fullmatch(r"\d+(-\d+)?", port) or protocol.lower() not in ("", "tcp", "udp", "sctp"):
            raise BadParameter(f"Invalid containerPort: {word}")
        first, _, last = port.partition("-")
        for number in range(int(first), min(int(last or first), 65535) + 1):
            config.setdefault("ExposedPorts", {})[f"{number}/{protocol.lower() or 'tcp'}"] = {}


def _label(config: Config, text: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **_pairs(text, "LABEL")}


def _onbuild(config: Config, text: str) -> None:
    word, _ = _first_word(text)
    if word in ("ONBUILD", "FROM", "MAINTAINER"):
        raise BadParameter(f"{word} isn't allowed as an ONBUILD trigger")
    config["OnBuild"] = [*(config.get("OnBuild") or []), text]


def _volume(config: Config, text: str) -> None:
    for path in _json_list(text) or _words(text):
        config.setdefault("Volumes", {})[path] = {}


def _workdir(config: Config, text: str) -> None:
    config["WorkingDir"] = posixpath.normpath(posixpath.join(config.get("WorkingDir") or "/", text))


def _stopsignal(config: Config, text: str) -> None:
    config["StopSignal"] = text


def _user(config: Config, text: str) -> None:
    config["User"] = text


def _healthcheck(config: Config, text: str) -> None:
    options, rest = _flags(text)
    word, command = _first_word(rest) if rest else ("", "")
    if word == "NONE":
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    if word != "CMD" or not command:
        raise BadParameter(f"Unknown type {word!r} in HEALTHCHECK (try CMD)")
    exec_form = _json_list(command)
    test = ["CMD", *exec_form] if exec_form is not None else ["CMD-SHELL", command]
    config["Healthcheck"] = {"Test": test, **options}


def _flags(text: str) -> tuple[dict[str, int], str]:
    """The options in front of a health check, in the API's units: nanoseconds, and a count."""
    found = {}
    while text.startswith("--"):
        flag, _, text = text.partition(" ")
        name, _, value = flag.removeprefix("--").partition("=")
        field = _HEALTH_OPTIONS.get(name)
        if field is None:
            raise BadParameter(f"Unknown flag: {name}")
        found[field] = _count(value) if field == "Retries" else _nanoseconds(value)
        text = text.lstrip()
    return found, text


def _count(text: str) -> int:
    if not text.isdigit():
        raise BadParameter(f"--retries must be a whole number, not {text!r}")
    return int(text)


def _nanoseconds(text: str) -> int:
    """A duration as Go writes it, `1m30s`, in nanoseconds."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise BadParameter(f'invalid duration "{text}"')
    return round(sum(float(number) * _SECONDS[unit] for number, unit in parts) * 10**9)


_HEALTH_OPTIONS = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
    "retries": "Retries",
}

INSTRUCTIONS: dict[str, Callable[[Config, str], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
_EXPANDED = {"ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}  # the Dockerfile reference's list
