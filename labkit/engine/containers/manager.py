"""The containers of one engine: found by name or id, kept on disk, listed.

The verbs have modules of their own (create, start, stop, exits, remove), each a few functions on an engine and a
container. Whoever changes a container's state holds its lock meanwhile; nobody holds it while waiting for an exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import filters, recover, stop, views
from labkit.engine.containers.record import Container, to_json
from labkit.engine.errors import ApiError, NoSuchContainer, ambiguous, name_in_use
from labkit.engine.images import reference
from labkit.engine.networks import linking, links
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
        write_json(f"{self.folder(container)}/record.json", to_json(container))

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
        return shown | (await self._sizes(container) if size else {})

    async def _sizes(self, container: Container) -> Json:
        try:
            own = await asyncio.to_thread(self.engine.driver.size, container.id)
            image = self.engine.images.get(container.image_id)
        except (ApiError, OSError):  # being removed, or its image is gone
            return {"SizeRw": 0, "SizeRootFs": 0}
        return {"SizeRw": own, "SizeRootFs": own + image.size}

    async def summaries(
        self,
        *,
        all: bool = False,
        size: bool = False,
        limit: int = 0,
        wanted: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Json]:
        """`GET /containers/json`, newest first. Raises BadParameter for a filter that Docker does not have."""
        wanted = wanted or {}
        filters.check(wanted)
        everything = all or limit > 0 or bool(filters.SHOW_STOPPED & wanted.keys())
        context = filters.Context(self.find, self._ancestors(wanted.get("ancestor", ())), self.network_ids())
        found = [c for c in self if (everything or c.state.alive) and filters.passes(c, wanted, context)]
        found.sort(key=lambda c: c.created, reverse=True)
        return await self._rows(found[:limit] if limit > 0 else found, size)

    async def _rows(self, found: list[Container], size: bool) -> list[Json]:
        around = views.Around(
            "", self.engine.driver.name, network_ids=self.network_ids(), link_names=linking.names(self.engine)
        )
        tags = self.engine.images.tags()
        rows = [views.summary(c, around, self._image_name(c, tags)) for c in found]
        if size:
            for row, container in zip(rows, found, strict=True):
                row |= await self._sizes(container)
        return rows

    def _image_name(self, container: Container, tags: Mapping[str, str]) -> str:
        """The name that was given, unless it means another image now."""
        given = str(container.config.get("Image", ""))
        if container.image_id.startswith((given, f"sha256:{given}")):
            return given
        meant = tags.get(str(reference.parse(given).tagged()))
        return given if meant == container.image_id else container.image_id

    def _ancestors(self, refs: Sequence[str]) -> dict[str, set[str]]:
        """For each image of an `ancestor` filter: its id, and those of all images made on top of it."""
        if not refs:
            return {}
        images, found = self.engine.images.list(), {}
        for ref in refs:
            with contextlib.suppress(ApiError):
                base = self.engine.images.get(ref)
                depth = len(base.layers)
                found[ref] = {i.id for i in images if i.id == base.id or _on_top(i.layers, base.layers[:depth])}
        return found

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


def _on_top(layers: Sequence[str], base: Sequence[str]) -> bool:
    return bool(base) and len(layers) > len(base) and tuple(layers[: len(base)]) == tuple(base)
