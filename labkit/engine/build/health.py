"""`HEALTHCHECK`: its options and its command, as the config of an image has them. Pure.

    config("CMD wget -q localhost", {"interval": "5s"})
        ->   {"Test": ["CMD-SHELL", "wget -q localhost"], "Interval": 5000000000}

Source: the Dockerfile reference, "HEALTHCHECK"; Docker API, HealthConfig (times in nanoseconds).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from labkit.engine.build.words import json_list
from labkit.engine.errors import BadParameter

OPTIONS = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
    "retries": "Retries",
}
LEAST_NANOSECONDS = 10**6

_UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|us|µs|ns|s)"


def config(text: str, flags: Mapping[str, str]) -> dict[str, Any]:
    """What the instruction means. Raises BadParameter."""
    kind, *more = text.split(maxsplit=1)
    command = more[0] if more else ""
    if kind.upper() == "NONE":
        if command:
            raise BadParameter("HEALTHCHECK NONE takes no arguments")
        return {"Test": ["NONE"]}
    if kind.upper() != "CMD":
        raise BadParameter(f"Unknown type {json.dumps(kind)} in HEALTHCHECK (try CMD)")
    words = json_list(command)
    if not (command if words is None else words):
        raise BadParameter("Missing command after HEALTHCHECK CMD")
    test = ["CMD-SHELL", command] if words is None else ["CMD", *words]
    numbers = {OPTIONS[name]: _number(name, value) for name, value in flags.items()}
    return {"Test": test, **{name: number for name, number in numbers.items() if number}}


def _number(option: str, value: str) -> int:
    if option != "retries":
        return _at_least_a_millisecond(option, nanoseconds(value))
    if not re.fullmatch(r"[+-]?\d+", value):
        raise BadParameter(f"--retries must be a whole number, not {value!r}")
    if int(value) < 0:
        raise BadParameter(f"--retries must be at least 1 (not {int(value)})")
    return int(value)


def _at_least_a_millisecond(option: str, number: int) -> int:
    if number and number < LEAST_NANOSECONDS:
        raise BadParameter(f'Interval "{option}" cannot be less than 1ms')
    return number


def nanoseconds(text: str) -> int:
    """A duration as Go writes it, such as `1m30s`. Raises BadParameter."""
    if text == "0":
        return 0
    if not re.fullmatch(f"[+-]?({_PART})+", text):
        raise BadParameter(f"time: invalid duration {json.dumps(text, ensure_ascii=False)}")
    total = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
    return round(-total if text.startswith("-") else total)
