"""The engine: what the API's handlers work with, in one place. serve.py fills it, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.engine.events import Events
from labkit.engine.state import State

if TYPE_CHECKING:
    from labkit.engine.containers.manager import Containers
    from labkit.engine.images.layers import GraphDriver
    from labkit.engine.images.store import ImageStore
    from labkit.engine.networks.store import Networks
    from labkit.engine.shim.client import Shim
    from labkit.engine.userns import Ids
    from labkit.engine.volumes.store import Volumes

VERSION = "0.1.0"
NAME = "labkit engine"


@dataclass
class Engine:
    """What a handler may reach. `networks` and `containers` come last: containers take the engine itself."""

    state: State
    events: Events
    driver: GraphDriver
    images: ImageStore
    shim: Shim
    ids: Ids | None = None
    """The engine's user namespace where it is rootless: which users there are inside."""
    id: str = ""
    warnings: list[str] = field(default_factory=list)
    networks: Networks = field(init=False)
    containers: Containers = field(init=False)
    volumes: Volumes = field(init=False)

    def publish(self, type_: str, action: str, id_: str, attributes: Mapping[str, Any] | None = None) -> None:
        """Tell an event (Docker wants every attribute to be a string)."""
        self.events.publish(type_, action, id_, {key: str(value) for key, value in (attributes or {}).items()})
