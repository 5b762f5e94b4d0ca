"""The build cache: steps that were done before, found again among the images.

A step is known by what it stood on and by what it did: the same parent image, the same command, and the same config
as a result. For COPY and ADD the command holds a digest of the files. There is no other store: an untagged image with
a parent *is* the cache, which is why `docker images -a` shows it and `docker image prune` empties it.

With `--cache-from` only the images named there are asked, and also those that came from a registry or a file, which
have no parents here: then their history says which steps they were made of.

Source: the Dockerfile reference, "Build cache"; OCI image spec, config.md, "history".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.engine.errors import ApiError, NoSuchImage
from labkit.engine.images import make
from labkit.engine.images.image import EMPTY_LAYER, Image, encoded, unix_time
from labkit.engine.images.store import ImageStore

Config = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One step: the image it stands on, the command, and the config that comes out."""

    parent: Image
    command: Sequence[str]
    config: Config

    @property
    def created_by(self) -> str:
        """The command as the history has it."""
        return " ".join(self.command)


class Cache:
    """Finds steps that were done before. `sources` None: among all images."""

    def __init__(self, store: ImageStore, sources: Sequence[str] | None = None, *, off: bool = False) -> None:
        self.store, self.off = store, off
        self._sources = None if sources is None else [image for image in map(self._get, sources) if image]

    def _get(self, ref: str) -> Image | None:
        with contextlib.suppress(ApiError):
            return self.store.get(ref)
        return None

    def find(self, step: Step) -> Image | None:
        """The newest image that this step gave before. Blocking."""
        if self.off:
            return None
        found = self._by_parent(step) if self._sources is None else self._by_history(step)
        return max(found, key=lambda image: unix_time(image.created), default=None)

    def _by_parent(self, step: Step) -> Iterator[Image]:
        for image in self.store.list():
            if image.parent == step.parent.id and _same_command(image, step) and _same_config(image, step):
                yield image

    def _by_history(self, step: Step) -> Iterator[Image]:
        done = len(_history(step.parent))
        for source in self._sources or ():
            further = _history(source)[done:] if _grew_from(source, step.parent) else ()
            if further and further[0].get("created_by") == step.created_by:
                yield self._at(source, done + 1, step)

    def _at(self, source: Image, height: int, step: Step) -> Image:
        """The image that `source` was after so many steps: one of its parents, or made anew from its own layers."""
        image: Image | None = source
        while image and len(_history(image)) > height:
            image = self._get(image.parent) if image.parent else None
        if image and len(_history(image)) == height and _same_config(image, step):
            return image
        return self._restored(source, height, step)

    def _restored(self, source: Image, height: int, step: Step) -> Image:
        history = _history(source)[:height]
        layers = source.diff_ids[: sum(not row.get("empty_layer") for row in history)]
        author = str(source.config.get("author") or "")
        raw = make.image_config(kept(step.config), layers, history, author=author, like=source.config)
        raw["container_config"] = {"Cmd": list(step.command)}
        return self.store.add(encoded(raw), {}, parent=step.parent.id)


def kept(config: Mapping[str, Any]) -> Config:
    """The part of a config that an image keeps: fields that are set, and belong to no single container."""
    return {field: config[field] for field in make.IMAGE_FIELDS if config.get(field)}


def _history(image: Image) -> list[dict[str, Any]]:
    return list(image.config.get("history") or ())


def _grew_from(image: Image, parent: Image) -> bool:
    below = _history(parent)
    return _history(image)[: len(below)] == below and image.diff_ids[: len(parent.diff_ids)] == parent.diff_ids


def _same_command(image: Image, step: Step) -> bool:
    return (image.config.get("container_config") or {}).get("Cmd") == list(step.command)


def _same_config(image: Image, step: Step) -> bool:
    return kept(image.config.get("config") or {}) == kept(step.config)


def commit(store: ImageStore, container_id: str, step: Step, author: str) -> Image:
    """The image that a step gives: the parent's layers, and what the container changed as one more. Blocking.

    Besides what any image has, its config keeps the command word by word (`container_config`, as Docker's has it):
    the history only holds them joined.
    """
    if step.parent.id and step.parent.id not in store.ids():
        raise NoSuchImage(step.parent.id)
    words = make.Commit(author=author, created_by=step.created_by)
    with store.blobs.spooled(store.driver.diff_tar(container_id)) as (path, diff_id, _):
        empty = diff_id == EMPTY_LAYER
        layers = [*step.parent.diff_ids, *(() if empty else (diff_id,))]
        steps = [*(step.parent.config.get("history") or ()), make.history_step(words, empty=empty)]
        raw = make.image_config(kept(step.config), layers, steps, author=author, like=step.parent.config)
        raw["container_config"] = {"Cmd": list(step.command)}
        return store.add(encoded(raw), {diff_id: path}, parent=step.parent.id)
