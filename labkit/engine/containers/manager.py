"""The containers of one engine: found by name or id, kept on disk.

The verbs have modules of their own (create, start, stop, exits, remove), each a few functions on an engine and a
container; so has the list (listing.py). Whoever changes a container's state holds its lock meanwhile; nobody holds it
while waiting for an exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import freeing, recover, stop, views
from labkit.engine.containers.record import Container, to_json
from labkit.engine.errors import ApiError, NoSuchContainer, ambiguous, name_in_use
from labkit.engine.networks import links
from labkit.engine.state import write_json

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

log = logging.getLogger(__name__)

Json = dict[str, Any]


class Containers:
    """All containers, by id and by name."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._by_id: dict[str, Container] = {}
        self._by_name: dict[str, Container] = {}

    def __iter__(self) -> Iterator[Container]:
        return iter(list(self._by_id.values()))

    # --- find ----------------------------------------------------------------------------------------------------
    def get(self, ref: str) -> Container:
        """The container of an id, a name or the beginning of an id. Raises NoSuchContainer, BadParameter."""
        found = self._by_id.get(ref) or self._by_name.get(ref.removeprefix("/"))
        if found or not ref:
            return found or self._none(ref)
        matching = [c for container_id, c in self._by_id.items() if container_id.startswith(ref)]
        if len(matching) > 1:
            raise ambiguous(ref)
        return matching[0] if matching else self._none(ref)

    def _none(self, ref: str) -> Container:
        raise NoSuchContainer(ref)

    def find(self, ref: str) -> Container | None:
        """As `get`, but None where there is none."""
        try:
            return self.get(ref)
        except ApiError:
            return None

    def names(self) -> Mapping[str, Container]:
        """The names that are taken."""
        return self._by_name

    # --- keep ----------------------------------------------------------------------------------------------------
    def folder(self, container: Container) -> str:
        """Where its files lie."""
        return f"{self.engine.state.containers}/{container.id}"

    def add(self, container: Container) -> None:
        """Take a new container in. Raises Conflict where its name is taken."""
        self.check_free(container.name)
        self._by_id[container.id] = container
        self._by_name[container.name] = container

    def check_free(self, name: str) -> None:
        """Raise Conflict, in Docker's words, where a name is taken."""
        if other := self._by_name.get(name):
            raise name_in_use(name, other.id)

    def rename(self, container: Container, name: str) -> None:
        """Let a container be found by another name."""
        del self._by_name[container.name]
        container.name = name
        self._by_name[name] = container

    def forget(self, container: Container) -> None:
        """It is not there any more."""
        self._by_id.pop(container.id, None)
        self._by_name.pop(container.name, None)

    def save(self, container: Container) -> None:
        """Write the record. Raises OSError; the old one is then still there."""
        container.revision += 1
        path = f"{self.folder(container)}/record.json"
        with freeing.afterwards(path):
            write_json(path, to_json(container))

    def try_save(self, container: Container) -> None:
        """Write the record if the disk lets us: what has happened has happened, and removal must work when full."""
        try:
            self.save(container)
        except OSError as refused:
            log.warning("the record of %s could not be written: %s", container.name, refused)

    def tell(self, container: Container, action: str, **attributes: Any) -> None:
        """Publish an event about a container."""
        self.engine.events.publish("container", action, container.id, views.event_attributes(container, **attributes))

    # --- show ----------------------------------------------------------------------------------------------------
    def network_ids(self) -> dict[str, str]:
        """The id of each network, by its name."""
        return self.engine.networks.ids()

    def around(self, container: Container) -> views.Around:
        """What inspect needs beside the record."""
        driver = self.engine.driver
        try:
            data = driver.data(container.id)
        except ApiError:  # being removed
            data = {}
        shown = links.shown(container.links, container.name, {c.id: c.name for c in self} if container.links else {})
        return views.Around(self.folder(container), driver.name, data, self.network_ids(), shown)

    async def inspect(self, container: Container, *, size: bool = False) -> Json:
        """`GET /containers/{id}/json`."""
        shown = views.inspect(container, self.around(container))
        return shown | (await self.sizes(container) if size else {})

    async def sizes(self, container: Container) -> Json:
        """What `size=1` adds to an answer, in bytes: its own layer, and all that it sees."""
        try:
            own = await asyncio.to_thread(self.engine.driver.size, container.id)
            image = self.engine.images.get(container.image_id)
        except (ApiError, OSError):  # being removed, or its image is gone
            return {"SizeRw": 0, "SizeRootFs": 0}
        return {"SizeRw": own, "SizeRootFs": own + image.size}

    # --- for the other nouns -------------------------------------------------------------------------------------
    def counts(self) -> dict[str, int]:
        """How many are running, paused and stopped: `GET /info`."""
        states = [c.state.status for c in self]
        running, paused = states.count("running") + states.count("restarting"), states.count("paused")
        return {"running": running, "paused": paused, "stopped": len(states) - running - paused}

    def images_in_use(self) -> dict[str, list[str]]:
        """The ids of the containers on each image."""
        used: dict[str, list[str]] = {}
        for container in self:
            used.setdefault(container.image_id, []).append(container.id)
        return used

    @contextlib.asynccontextmanager
    async def paused(self, container: Container) -> AsyncIterator[None]:
        """Hold a running container still while its files are read, for a commit."""
        if container.state.status != "running":
            yield
            return
        await stop.pause(self.engine, container)
        try:
            yield
        finally:
            with contextlib.suppress(ApiError):  # killed or unpaused meanwhile
                await stop.unpause(self.engine, container)

    async def reconcile(self) -> None:
        """At the engine's start: make the records agree with what really runs."""
        await recover.reconcile(self.engine)

    async def close(self) -> None:
        """At the engine's end: nothing more is restarted from here. Containers go on."""
        for container in self:
            for task in (container.restarting, container.monitor):
                if task:
                    task.cancel()
