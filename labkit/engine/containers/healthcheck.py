"""What a health check asks for, and what its results make of a container. Pure.

    {"Test": ["CMD-SHELL", "wget -q localhost"], "Interval": 5000000000, "Retries": 3}

Times are nanoseconds in the API, seconds here. Who runs the check is in health.py.
Source: Docker Engine API, HealthConfig and Health; the Dockerfile reference, "HEALTHCHECK"; moby daemon/health.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.engine.errors import BadParameter

Json = dict[str, Any]

SECOND = 10**9
DEFAULTS = {"Interval": 30 * SECOND, "Timeout": 30 * SECOND, "StartPeriod": 0, "Retries": 3}
LEAST = 10**6
"""Nanoseconds: nothing may be asked for more often than each millisecond."""

SHELL = ("/bin/sh", "-c")
KEPT_RESULTS = 5


@dataclass(frozen=True)
class Check:
    """A health check, complete; times in seconds."""

    command: tuple[str, ...]
    interval: float
    timeout: float
    start_period: float
    start_interval: float
    retries: int


def check_of(config: Mapping[str, Any]) -> Check | None:
    """The health check of a Config; None where there is none, or an unknown one."""
    asked = config.get("Healthcheck") or {}
    command = _command(asked.get("Test") or (), config.get("Shell") or SHELL)
    if not command:
        return None
    interval, timeout, period = ((asked.get(n) or DEFAULTS[n]) / SECOND for n in ("Interval", "Timeout", "StartPeriod"))
    often = (asked.get("StartInterval") or 0) / SECOND or interval
    return Check(command, interval, timeout, period, often, asked.get("Retries") or DEFAULTS["Retries"])


def _command(test: Sequence[str], shell: Sequence[str]) -> tuple[str, ...]:
    kind, *words = test or ("NONE",)
    commands = {"CMD": tuple(words), "CMD-SHELL": (*shell, *words)}
    return commands.get(kind, ()) if words else ()


def merged(asked: Mapping[str, Any] | None, image: Mapping[str, Any] | None) -> Json | None:
    """The request's health check; what it leaves out, or says as 0, is the image's."""
    if asked is None:
        return dict(image) if image else None
    return {**(image or {}), **{name: value for name, value in asked.items() if value}}


def check_config(asked: Mapping[str, Any]) -> None:
    """Refuse numbers that make no sense. Raises BadParameter, in Docker's words."""
    for name in ("Interval", "Timeout", "StartPeriod", "StartInterval"):
        if asked.get(name) and asked[name] < LEAST:
            raise BadParameter(f"{name} in Healthcheck cannot be less than 1ms")
    if (asked.get("Retries") or 0) < 0:
        raise BadParameter("Retries in Healthcheck cannot be negative")


def after(health: Mapping[str, Any], result: Json, check: Check, *, age: float) -> Json:
    """The health after one more result. `age`: seconds from the container's start to the check's. Pure."""
    good = result["ExitCode"] == 0
    forgiven = health["Status"] == "starting" and age < check.start_period
    streak = 0 if good else health["FailingStreak"] + (not forgiven)
    status = "healthy" if good else "unhealthy" if streak >= check.retries else health["Status"]
    log = [*health["Log"], result][-KEPT_RESULTS:]
    return {"Status": status, "FailingStreak": streak, "Log": log}
