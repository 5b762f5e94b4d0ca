"""Signals by name or number, as `docker kill` takes them: KILL, SIGKILL, sigkill, 9. Pure."""

from __future__ import annotations

import signal

from labkit.engine.errors import BadParameter, ServerError

LAST = 64
"""The highest signal number of Linux: signal(7)."""

_NAMES = {name.removeprefix("SIG"): int(number) for name, number in signal.Signals.__members__.items()}
_NAMES |= {f"RTMIN+{n}": signal.SIGRTMIN + n for n in range(1, 16)}
_NAMES |= {f"RTMAX-{n}": signal.SIGRTMAX - n for n in range(1, 15)}


def signal_number(text: str) -> int:
    """The number of a signal. Raises BadParameter for one that does not exist."""
    if text.lstrip("-").isdigit():
        number = int(text)
        if number <= 0:
            raise BadParameter(f"Invalid signal: {text}")
        if number > LAST:
            raise ServerError(f"The linux daemon does not support signal {number}")
        return number
    known = _NAMES.get(text.upper().removeprefix("SIG"))
    if known is None:
        raise BadParameter(f"Invalid signal: {text}")
    return known
