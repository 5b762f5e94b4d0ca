"""A container's published ports, as they follow from where it is attached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.engine.containers.record import Container
from labkit.engine.networks import bindings
from labkit.engine.networks.attached import endpoints, way_out
from labkit.engine.networks.bindings import Binding
from labkit.engine.networks.endpoint import Endpoint
from labkit.engine.networks.ports import CannotPublish
from labkit.engine.networks.record import HOST_ADDRESS

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

Json = dict[str, Any]


def sync(engine: Engine, container: Container) -> None:
    """Publish a container's ports while it has a way out, and only then. Raises CannotPublish."""
    publisher, way = engine.networks.publisher, way_out(container)
    exposed = container.config.get("ExposedPorts") or {}
    if way is None:
        publisher.withdraw(container.id)
        container.ports = bindings.shown(exposed, {}) if any(e.ip for e in endpoints(container).values()) else {}
    elif not publisher.has(container.id):
        wanted = bindings.parse(container.host_config, exposed, _host_address(engine, way))
        published = _publish(engine, container, wanted, way) if wanted else {}
        container.ports = bindings.shown(exposed, published)


def _host_address(engine: Engine, way: Endpoint) -> str:
    network = engine.networks.find(way.network)
    return network.options.get(HOST_ADDRESS, "") if network else ""


def _publish(engine: Engine, container: Container, wanted: list[Binding], way: Endpoint) -> dict[str, list[Json]]:
    def target() -> str:
        now = way_out(container)
        return now.ip if now else ""

    try:
        return engine.networks.publisher.publish(container.id, wanted, target)
    except CannotPublish as refused:
        name = f"{container.name} ({way.id})"
        raise CannotPublish(
            f"driver failed programming external connectivity on endpoint {name}: {refused.message}"
        ) from refused


def again(engine: Engine, container: Container) -> None:
    """The same ports as before the API process ended, the random ones too."""
    way = way_out(container)
    wanted = [
        Binding(*bindings.split(key), (place["HostIp"],), range(int(place["HostPort"]), int(place["HostPort"]) + 1))
        for key, places in container.ports.items()
        for place in places or ()
    ]
    if wanted and way:
        _publish(engine, container, wanted, way)
