"""Restart policies: whether a container that ended is started again by the engine, and after how long. Pure.

    no               never
    on-failure[:n]   after an exit code other than 0, at most n times
    always           after every exit
    unless-stopped   the same, and after the engine itself was away; differs from `always` only there

What somebody stopped or killed is not started again. Source: Docker, "Start containers automatically".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIRST_DELAY, LONGEST_DELAY = 0.1, 60.0
"""Seconds before the first restart, and the most after many: it doubles in between."""

GOOD_RUN = 10.0
"""Seconds of running after which the delay begins anew."""


def restarts(policy: Mapping[str, Any], exit_code: int, count: int, stopped_by_user: bool) -> bool:
    """Whether an exit is followed by a restart. `count` is how often there was one already."""
    if stopped_by_user:
        return False
    name, most = policy.get("Name"), policy.get("MaximumRetryCount") or 0
    if name == "on-failure":
        return exit_code != 0 and (not most or count < most)
    return name in ("always", "unless-stopped")


def next_delay(last: float, ran: float) -> float:
    """Seconds to wait now, from the last wait and how long it ran since."""
    if not last or ran >= GOOD_RUN:
        return FIRST_DELAY
    return min(last * 2, LONGEST_DELAY)
