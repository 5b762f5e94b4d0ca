"""Times as Docker writes them: RFC 3339 in UTC with nanoseconds, and durations in words. Pure."""

from __future__ import annotations

import contextlib
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


def in_words(seconds: float) -> str:
    """How long that is, in the words of `docker ps`: "2 minutes", "About an hour", "3 weeks"."""
    whole = int(seconds)
    minutes, hours = whole // 60, int(seconds / 3600 + 0.5)
    # the first row whose limit is not reached gives the words
    table = (
        (whole < 1, "Less than a second"),
        (whole == 1, "1 second"),
        (whole < 60, f"{whole} seconds"),
        (minutes == 1, "About a minute"),
        (minutes < 60, f"{minutes} minutes"),
        (hours == 1, "About an hour"),
        (hours < 48, f"{hours} hours"),
        (hours < 24 * 7 * 2, f"{hours // 24} days"),
        (hours < 24 * 30 * 2, f"{hours // 24 // 7} weeks"),
        (hours < 24 * 365 * 2, f"{hours // 24 // 30} months"),
    )
    return next((words for fits, words in table if fits), f"{int(seconds / 3600) // 24 // 365} years")
