"""`docker update`: other limits, or another restart policy, for a container that is there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.engine.api.shapes import Shape
from labkit.engine.containers import body, checks, spec
from labkit.engine.containers.record import Container
from labkit.engine.errors import BadParameter, Conflict, ServerError
from labkit.runtime.cgroups import Cgroup, Setting, settings

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

Json = dict[str, Any]

SHAPE: Shape = body.LIMITS

# What else there is to be updated; all other fields are for a create, and an update passes over them.
UNCHECKED = ("CpuRealtimePeriod", "CpuRealtimeRuntime", "KernelMemory")

AT_NEXT_START = "The new limits take effect at the next start: the container runs without a control group for them."


async def update(engine: Engine, container: Container, asked: Mapping[str, Any]) -> list[str]:
    """Change what the request names; zeros and empty words change nothing. Returns warnings.

    Raises BadParameter, Conflict, NotImplemented_, ServerError.
    """
    async with container.lock:
        if container.state.status in ("removing", "dead"):
            raise Conflict(f"Cannot update container {container.id}: it is marked for removal")
        host = merged(container, asked)
        warnings = _apply(container, host) if container.state.has_process else []
        container.host_config = host
        try:
            engine.containers.save(container)
        except OSError as refused:
            raise ServerError(f"Cannot update container {container.id}: {refused}") from refused
        engine.containers.tell(container, "update")
    return warnings


def merged(container: Container, asked: Mapping[str, Any]) -> Json:
    """HostConfig after the update, checked."""
    changes = {name: value for name, value in asked.items() if value and _is_limit(name)}
    policy = asked.get("RestartPolicy") or {}
    host = {**container.host_config, **changes}
    if policy.get("Name"):
        if container.auto_remove and policy["Name"] != "no":
            raise BadParameter("Restart policy cannot be updated because AutoRemove is enabled for the container")
        host["RestartPolicy"] = {"MaximumRetryCount": 0, **policy}
    if 0 < host["MemorySwap"] < host["Memory"] and "MemorySwap" not in changes:
        raise Conflict(
            f"Cannot update container {container.id}: Memory limit should be smaller than already set memoryswap "
            "limit, update the memoryswap at the same time"
        )
    checks.check_host_config(host)
    return host


def _is_limit(name: str) -> bool:
    return (name in SHAPE and name != "RestartPolicy") or name in UNCHECKED or name.startswith("Blkio")


def _apply(container: Container, host: Json) -> list[str]:
    """Write the new limits into the running container's control groups."""
    group = Cgroup.at(f"/labkit/{container.id}")
    resources = spec.resources(host)
    before = spec.resources(container.host_config)
    if resources == before:
        return []
    # Twice: version 1 refuses a memory limit above the old one for memory and swap, which is written after it.
    rows = [(setting, v2) for v2 in (True, False) for setting in settings(resources, v2=v2)] * 2
    written = {setting.controller for setting, v2 in rows if _write(group, setting, v2)}
    asked = {setting.controller for setting in settings(resources, v2=True)}
    return [] if asked <= written else [AT_NEXT_START]


def _write(group: Cgroup, setting: Setting, v2: bool) -> bool:
    folder = group.unified if v2 else group.v1.get(setting.controller)
    path = f"{folder}/{setting.file}"
    if not folder or not os.path.exists(path):
        return False
    with contextlib.suppress(OSError), open(path, "w") as file:
        file.write(setting.value)
        return True
    return False
