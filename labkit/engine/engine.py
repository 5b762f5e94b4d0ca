"""The engine: what the API's handlers work with, in one place. serve.py fills it, step by step."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.engine.events import Events
from labkit.engine.state import State

if TYPE_CHECKING:
    from labkit.engine.containers.manager import Containers
    from labkit.engine.images.layers import GraphDriver
    from labkit.engine.images.store import ImageStore
    from labkit.engine.network import Bridge
    from labkit.engine.shim.client import Shim
    from labkit.engine.userns import Ids

VERSION = "0.1.0"
NAME = "labkit engine"

NETWORKS = {"bridge": "bridge", "host": "host", "none": "null"}
"""The networks that are always there, and the driver of each."""


@dataclass
class Engine:
    """What a handler may reach. `containers` is made last, as it takes the engine itself.

    Of the containers' manager, the other nouns ask only this:
    `get(ref)` -> record with `id`, `name`, `image_id`, `config` (as inspect's Config); raises NoSuchContainer;
    `counts()` -> {"running": n, "paused": n, "stopped": n};
    `images_in_use()` -> {image id: [container id, ...]}, for removing images;
    `summaries(all=True, size=True)` -> what `GET /containers/json` lists, for `GET /system/df`;
    `paused(record)` -> async context manager that pauses a running container meanwhile, for a commit;
    `reconcile()` and `close()`, awaited by serve.py at the start and at the end.
    """

    state: State
    events: Events
    driver: GraphDriver
    images: ImageStore
    shim: Shim
    network: Bridge | None = None
    ids: Ids | None = None
    """The engine's user namespace where it is rootless: which users there are inside."""
    id: str = ""
    warnings: list[str] = field(default_factory=list)
    containers: Containers = field(init=False)

    @property
    def network_ids(self) -> dict[str, str]:
        """The ids of the networks that are always there: the same as long as the engine's own id is."""
        return {name: hashlib.sha256(f"{self.id} {name}".encode()).hexdigest() for name in NETWORKS}

    def publish(self, type_: str, action: str, id_: str, attributes: Mapping[str, Any] | None = None) -> None:
        """Tell an event (Docker wants every attribute to be a string)."""
        self.events.publish(type_, action, id_, {key: str(value) for key, value in (attributes or {}).items()})
