"""`docker create`: from a request to a record and a read-write layer. Nothing runs yet."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.engine import crash
from labkit.engine.containers import body as bodies
from labkit.engine.containers import checks, defaults, remove, spec, storage, timestamps
from labkit.engine.containers.background import background
from labkit.engine.containers.names import check_name, random_name
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError, BadParameter, ServerError
from labkit.engine.images.image import Image
from labkit.engine.networks import bindings, linking, settings
from labkit.engine.networks.record import BRIDGE, HOST
from labkit.runtime import cgroups

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

Json = dict[str, Any]


def create(engine: Engine, body: Mapping[str, Any], name: str = "") -> tuple[Container, list[str]]:
    """The new container and Docker's warnings. `body` has the shape bodies.CREATE, `name` may be empty.

    Raises NoSuchImage, BadParameter, Conflict, NotImplemented_.
    """
    if not body:
        raise BadParameter("Config cannot be empty in order to create a container")
    image = engine.images.get(str(body.get("Image") or "")) if body.get("Image") else None
    if image is None:
        raise BadParameter("no image was given: the field Image of the request is empty")
    return create_on(engine, body, image, name)


def create_on(
    engine: Engine, body: Mapping[str, Any], image: Image, name: str = "", *, building: bool = False
) -> tuple[Container, list[str]]:
    """As `create`, on an image that was found already; in a build it may be nothing at all (FROM scratch)."""
    container = make(engine, body, image)
    container.building = building
    warnings = checks.discard(container.host_config)
    container.name = check_name(name) if name else random_name(engine.containers.names())
    engine.containers.check_free(container.name)
    _store(engine, container, image)
    engine.containers.tell(container, "create")
    missing = cgroups.missing(spec.resources(container.host_config))
    return container, warnings + checks.warnings([one for one in missing if one != "devices"])


async def furnish(engine: Engine, container: Container) -> None:
    """Fill a new container's volumes; it goes again where that fails. Raises ServerError."""
    try:
        await storage.fill(engine, container)
    except ApiError:
        await remove.remove(engine, container, volumes=True)
        raise


def make(engine: Engine, body: Mapping[str, Any], image: Image) -> Container:
    """The record for a request, checked; no name yet."""
    container_id = new_id()
    host_body = (body.get("HostConfig") or {}).items()
    asked = {name: value for name, value in host_body if value is not None and name in bodies.HOST_FIELDS}
    if asked.get("NetworkMode") == HOST and not body.get("Hostname"):
        body = {**body, "Hostname": os.uname().nodename}  # as Docker: who shares the network shares its name
    config = bodies.config(body, image.config.get("config") or {}, container_id)
    host = defaults.host_config({**asked, **_words(asked)})
    checks.check_config(config)
    checks.check_host_config(host)
    _resolve_modes(engine, host)
    endpoints, links = _networks(engine, body, config, host)
    found = [point.to_json() for point in storage.plan(engine, config, host)]
    return Container(container_id, "", timestamps.now(), image.id, config, host, endpoints, found, links=links)


def _networks(engine: Engine, body: Mapping[str, Any], config: Json, host: Json) -> tuple[dict[str, Json], Json]:
    """What is asked of each network, and the links. Whether a network is there is seen at the start, as with Docker."""
    asked = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    endpoints = settings.wanted(host["NetworkMode"], asked, engine.networks.name_of)
    for name, wanted in endpoints.items():
        if network := engine.networks.named(name):
            settings.check_on(network, wanted)
    bindings.parse(host, config.get("ExposedPorts") or ())
    first = next(iter(endpoints), "")
    if config.get("MacAddress") and first:
        endpoints[first].setdefault("MacAddress", settings.check_mac(config["MacAddress"]))
    links = linking.resolve(engine, host)
    if first == BRIDGE:
        host["Links"] = None  # from here on the record's own, which can be removed
        return endpoints, links
    if links:
        endpoints[first]["Links"] = [*(endpoints[first].get("Links") or ()), *host["Links"]]
    return endpoints, {}


def _words(host: Mapping[str, Any]) -> Json:
    return {name: bodies.words(host[name]) for name in ("CapAdd", "CapDrop") if name in host}


def _resolve_modes(engine: Engine, host: Json) -> None:
    """`container:NAME` becomes `container:ID`, as names change. Raises BadParameter where there is none."""
    for field in ("NetworkMode", "PidMode", "IpcMode"):
        kind, _, ref = (host[field] or "").partition(":")
        if kind == "container":
            other = engine.containers.find(ref)
            if other is None:
                raise BadParameter(f"No such container: {ref}")
            host[field] = f"container:{other.id}"


def new_id() -> str:
    """64 hex digits, of which the first twelve are not all decimal: those would look like a number as a hostname."""
    while (made := os.urandom(32).hex())[:12].isdigit():
        pass
    return made


def _store(engine: Engine, container: Container, image: Image) -> None:
    """The layer first, the record last: what has no record was never there, and is swept up at the next start."""
    folder = engine.containers.folder(container)
    try:
        engine.driver.create(container.id, image)
        crash.at("create: layer made")
        os.mkdir(folder, 0o700)
        crash.at("create: folder made")
        _make_volumes(engine, container)
        crash.at("create: volumes made")
        engine.containers.save(container)
        crash.at("create: saved")
    except OSError as refused:
        background(storage.discard(engine, container), f"removing the volumes of {container.name}")
        engine.driver.remove(container.id)
        shutil.rmtree(folder, ignore_errors=True)
        raise ServerError(
            f"cannot store the new container in {engine.state.root}: {refused}; "
            "free some space (labkit clean), or give the engine another state folder"
        ) from refused
    engine.containers.add(container)


def _make_volumes(engine: Engine, container: Container) -> None:
    """Those that nobody named are written down first, as something to be removed: so it is, if we die in between."""
    if storage.name_volumes(container):
        container.state.status, container.volumes_too = "removing", True
        engine.containers.save(container)
        crash.at("create: volumes named")
    storage.make_volumes(engine, container)
    container.state.status, container.volumes_too = "created", False
