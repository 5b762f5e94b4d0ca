"""Times as Docker writes them: RFC 3339 in UTC with nanoseconds, and durations in words. Pure."""

from __future__ import annotations

import contextlib
import math
import re
import time
from datetime import datetime

from labkit.engine.errors import BadParameter

NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time: what Docker says for "has not happened yet"."""

_FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
SECOND = 1_000_000_000


def rfc3339(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as text: 2026-01-31T12:00:00.123456789Z."""
    seconds, rest = divmod(nanoseconds, SECOND)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def now() -> str:
    """This moment."""
    return rfc3339(time.time_ns())


def parse(text: str) -> float:
    """Such a text as seconds since 1970; 0 for NEVER. Raises ValueError if it is no such text."""
    if text == NEVER:
        return 0.0
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time in RFC 3339: {text!r}")
    day, fraction, zone = match.groups()
    # not time.strptime: a list of 500 containers asks for 1,500 times, and fromisoformat is ten times as quick
    seconds = int(datetime.fromisoformat(day + ("+00:00" if zone == "Z" else zone)).timestamp())
    return seconds + int((fraction or "").ljust(9, "0")) / SECOND


_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def moment(text: str, now: float | None = None) -> float:
    """What a client means by `until`: seconds since 1970, a time of RFC 3339, or `10m` for ten minutes ago."""
    with contextlib.suppress(ValueError):
        return float(text)
    parts = _GO_DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        ago = sum(float(number) * _UNITS[unit] for number, unit in parts)
        return (time.time() if now is None else now) - ago
    try:
        return parse(text)
    except ValueError as wrong:
        raise BadParameter(f'invalid time "{text}": give a unix time, RFC 3339 or a duration') from wrong


HOUR, DAY = 3600, 86400
HALF = HOUR / 2
"""From hours on Docker rounds to the nearest hour first."""

_WORDS = (
    # below so many seconds, added before the division, seconds of the unit, the words
    (1, 0, 1, "Less than a second"),
    (2, 0, 1, "1 second"),
    (60, 0, 1, "{} seconds"),
    (120, 0, 60, "About a minute"),
    (HOUR, 0, 60, "{} minutes"),
    (2 * HOUR - HALF, HALF, HOUR, "About an hour"),
    (2 * DAY - HALF, HALF, HOUR, "{} hours"),
    (14 * DAY - HALF, HALF, DAY, "{} days"),
    (60 * DAY - HALF, HALF, 7 * DAY, "{} weeks"),
    (730 * DAY - HALF, HALF, 30 * DAY, "{} months"),
    (math.inf, 0, 365 * DAY, "{} years"),
)


def in_words(seconds: float) -> str:
    """How long that is, in the words of `docker ps`: "2 minutes", "About an hour", "3 weeks"."""
    _, more, unit, words = next(row for row in _WORDS if seconds < row[0])
    return words.format(int((seconds + more) // unit))
