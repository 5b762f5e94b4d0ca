"""What a container is attached to now, as its record tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.engine.containers.record import Container
from labkit.engine.networks.endpoint import Endpoint, from_json
from labkit.engine.networks.record import PREDEFINED, Network

if TYPE_CHECKING:
    from labkit.engine.engine import Engine


def endpoints(container: Container) -> dict[str, Endpoint]:
    """network name -> the endpoint that the container has there now."""
    return {name: from_json(kept) for name, kept in container.attached.items()}


def way_out(container: Container) -> Endpoint | None:
    """The endpoint that has the default route, and that published ports lead to: the first with a gateway."""
    return next((from_json(kept) for kept in container.attached.values() if kept["gateway"]), None)


def resolves(container: Container) -> bool:
    """Whether the container gets a resolver of ours: on a network that somebody made, it does."""
    return any(name not in PREDEFINED for name in container.endpoints)


def networks(engine: Engine, container: Container) -> list[Network]:
    """The networks that it is connected to."""
    return [network for name in container.attached if (network := engine.networks.named(name))]
