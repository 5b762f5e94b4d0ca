"""What the engine remembers of a container, and how it is written to `record.json`.

A record is what `POST /containers/create` asked for, with every default filled in, and the state that the container
is in now. What only the running engine needs (its lock, who waits) lies beside it and is never written.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import timestamps
from labkit.engine.containers.lifecycle import ALIVE, WITH_PROCESS
from labkit.engine.containers.waiting import Waiters

if TYPE_CHECKING:
    from labkit.engine.containers.execs import Exec
    from labkit.engine.shim.client import Attachment

Json = dict[str, Any]


@dataclass
class State:
    """Where a container is in its life, and how its last run went. Docker's `State`, but for what follows from it."""

    status: str = "created"
    pid: int = 0
    birth: int = 0
    """When the process began, in ticks since the machine did: with it a pid means one process only."""
    boot_id: str = ""
    """The boot that the pid belongs to."""
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: str = timestamps.NEVER
    finished_at: str = timestamps.NEVER
    health: Json | None = None
    """Docker's `Health` where there is a health check that has been begun: Status, FailingStreak, Log."""

    @property
    def alive(self) -> bool:
        """What Docker calls `Running`: true for a paused and for a restarting one too."""
        return self.status in ALIVE

    @property
    def has_process(self) -> bool:
        return self.status in WITH_PROCESS


@dataclass
class Container:
    """One container. `name` is without Docker's leading slash; times are RFC 3339 texts."""

    id: str
    name: str
    created: str
    image_id: str
    config: Json
    host_config: Json
    endpoints: dict[str, Json] = field(default_factory=dict)
    """network name -> what the container asked for there (networks/settings.py)."""
    mounts: list[Json] = field(default_factory=list)
    """Its mount points (mounts.py)."""
    state: State = field(default_factory=State)
    attached: dict[str, Json] = field(default_factory=dict)
    """network name -> the endpoint that it has there while it runs (networks/endpoint.py)."""
    ports: Json = field(default_factory=dict)
    """Inspect's `NetworkSettings.Ports` while it runs."""
    links: dict[str, str] = field(default_factory=dict)
    """alias -> container id, for links on the default bridge."""
    restart_count: int = 0
    stopped_by_user: bool = False
    """Somebody asked for the last stop: then no restart policy brings it back."""
    building: bool = False
    """It is a step of a build that is under way: without that build it is of no use to anybody."""
    volumes_too: bool = False
    """It is being removed, and its anonymous volumes with it."""

    # known to the running engine only
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False, compare=False)
    waiters: Waiters = field(default_factory=Waiters, repr=False, compare=False)
    attaching: list[Attachment] = field(default_factory=list, repr=False, compare=False)
    """Who attached before the start: handed over when the process is made."""
    execs: dict[str, Exec] = field(default_factory=dict, repr=False, compare=False)
    held: bool = field(default=False, repr=False, compare=False)
    """A restart is under way: the exit in the middle of it does not remove the container (`--rm`)."""
    restart_delay: float = field(default=0.0, repr=False, compare=False)
    restarting: asyncio.Task[None] | None = field(default=None, repr=False, compare=False)
    monitor: asyncio.Task[None] | None = field(default=None, repr=False, compare=False)
    """Runs the health check (health.py)."""
    revision: int = field(default=0, repr=False, compare=False)
    """Counts the times that the record was written: what was made of an older one is out of date."""
    row: tuple[object, str] = field(default=(None, ""), repr=False, compare=False)
    """Its row of the last `docker ps`, and what that was made of (listing.py)."""

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def tty(self) -> bool:
        return bool(self.config.get("Tty"))

    @property
    def labels(self) -> Mapping[str, str]:
        return self.config.get("Labels") or {}

    @property
    def hostname(self) -> str:
        """What the container calls itself."""
        if self.host_config.get("UTSMode") == "host":
            return os.uname().nodename
        return str(self.config.get("Hostname") or self.id[:12])

    @property
    def network_mode(self) -> str:
        """`bridge`, `none`, `host`, `container:ID` or another network; Docker's `default` is the bridge."""
        mode = self.host_config.get("NetworkMode") or "default"
        return "bridge" if mode == "default" else str(mode)

    @property
    def auto_remove(self) -> bool:
        return bool(self.host_config.get("AutoRemove"))

    def began(self, pid: int, birth: int, boot_id: str) -> None:
        """Note that its process runs. When the run before it ended stays known, as with Docker."""
        before, health = self.state.finished_at, self.state.health
        self.state = State("running", pid, birth, boot_id, started_at=timestamps.now(), finished_at=before)
        self.state.health = health

    def ended(self, exit_code: int, at: float, *, restarts: bool = False) -> None:
        """Note that its process is over. `at` is in seconds since 1970."""
        self.state.status = "restarting" if restarts else "exited"
        self.state.pid = self.state.birth = 0
        self.state.exit_code = exit_code
        self.state.finished_at = timestamps.rfc3339(int(at * 1e9) or time.time_ns())

    def failed(self, exit_code: int, error: str) -> None:
        """Note why it did not start. It stays where it was: created, or exited."""
        self.state.pid = self.state.birth = 0
        self.state.exit_code, self.state.error = exit_code, error


_NOT_KEPT = {"lock", "waiters", "attaching", "execs", "held", "restart_delay", "restarting", "monitor"}
_NOT_KEPT |= {"revision", "row"}
_KEPT = tuple(f.name for f in fields(Container) if f.name not in _NOT_KEPT)


def to_json(container: Container) -> Json:
    """What is written to record.json. The dicts are the container's own, not copies."""
    return {name: getattr(container, name) for name in _KEPT} | {"state": vars(container.state)}


def from_json(kept: Mapping[str, Any]) -> Container:
    """The container that record.json tells of. Unknown fields, of a newer engine, are passed over."""
    known = {name: kept[name] for name in _KEPT if name in kept}
    state_fields = asdict(State()).keys()
    known["state"] = State(**{name: value for name, value in kept["state"].items() if name in state_fields})
    return Container(**known)
