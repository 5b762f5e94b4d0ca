"""`docker ps`: which containers are listed, and a row for each.

Clients ask for the list again and again, and of 500 rows hardly one is another than a second ago. So each container
keeps the text of its row, with all that the text was made of; while that is the same, so is the row.

Source: Docker Engine API, ContainerList.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import filters, views
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError
from labkit.engine.images import reference
from labkit.engine.networks import linking

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

Json = dict[str, Any]


# --- which ---------------------------------------------------------------------------------------------------------


def chosen(engine: Engine, wanted: filters.Filters, *, all: bool = False, limit: int = 0) -> list[Container]:
    """Those to list, newest first. Raises BadParameter for a filter that Docker does not have."""
    filters.check(wanted)
    everything = all or limit > 0 or bool(filters.SHOW_STOPPED & wanted.keys())
    ancestors = _ancestors(engine, wanted.get("ancestor", ()))
    context = filters.Context(engine.containers.find, ancestors, engine.containers.network_ids())
    found = [c for c in engine.containers if (everything or c.state.alive) and filters.passes(c, wanted, context)]
    found.sort(key=lambda container: container.created, reverse=True)
    return found[:limit] if limit > 0 else found


def _ancestors(engine: Engine, refs: Sequence[str]) -> dict[str, set[str]]:
    """For each image of an `ancestor` filter: its id, and those of all images made on top of it."""
    if not refs:
        return {}
    images, found = engine.images.list(), {}
    for ref in refs:
        with contextlib.suppress(ApiError):
            base = engine.images.get(ref)
            depth = len(base.layers)
            found[ref] = {i.id for i in images if i.id == base.id or _on_top(i.layers, base.layers[:depth])}
    return found


def _on_top(layers: Sequence[str], base: Sequence[str]) -> bool:
    return bool(base) and len(layers) > len(base) and tuple(layers[: len(base)]) == tuple(base)


# --- the rows ------------------------------------------------------------------------------------------------------


def text(engine: Engine, found: Sequence[Container]) -> str:
    """`GET /containers/json`, as JSON."""
    around, tags, now = _around(engine), engine.images.tags(), time.time()
    return f"[{','.join(_row(container, around, tags, now) for container in found)}]"


async def with_sizes(engine: Engine, found: Sequence[Container]) -> list[Json]:
    """The same with `size=1`. Sizes are counted anew each time, since a container writes whenever it likes."""
    around, tags = _around(engine), engine.images.tags()
    rows = [views.summary(container, around, image_name(container, tags)) for container in found]
    return [row | await engine.containers.sizes(each) for row, each in zip(rows, found, strict=True)]


def _around(engine: Engine) -> views.Around:
    ids = engine.containers.network_ids()
    return views.Around("", engine.driver.name, network_ids=ids, link_names=linking.names(engine))


def _row(container: Container, around: views.Around, tags: Mapping[str, str], now: float) -> str:
    """The text of a row: the last one, if it was made of the same."""
    made_of = (
        container.revision,
        container.state.status,
        tuple(container.attached),  # given back before the record is written, when a start is called off
        views.status(container, now),
        image := image_name(container, tags),
        tuple(around.link_names.get(container.id, ())),
        tuple(map(around.network_ids.get, container.endpoints)),
    )
    if container.row[0] != made_of:
        container.row = made_of, json.dumps(views.summary(container, around, image, now), separators=(",", ":"))
    return container.row[1]


def image_name(container: Container, tags: Mapping[str, str]) -> str:
    """The name of the image that was given, unless it means another image now: then the id."""
    given = str(container.config.get("Image", ""))
    if container.image_id.startswith((given, f"sha256:{given}")):
        return given
    return given if tags.get(reference.normalize(given)) == container.image_id else container.image_id
