"""Remove what the course made on an engine, and nothing else: containers, then what they used, then their images.

What is ours carries the label `labkit=course`. Docker hands an image's labels on to its containers and to images
committed from them, so all that grew out of `labkit/base` has it. The label is read again before each removal.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.models.images import Image

from labkit.rootfs import LABELS

FILTERS: dict[str, str | list[str] | bool] = {"label": [f"{key}={value}" for key, value in LABELS.items()]}


@dataclass(frozen=True)
class Outcome:
    """What happened to one thing; `kept` says why it is still there."""

    kind: str  # "container", "network", "volume" or "image"
    id: str
    name: str
    kept: str = ""


def clean(client: docker.DockerClient, dry_run: bool = False) -> list[Outcome]:
    """Remove everything that carries our label; with `dry_run`, only say what that is.

    Twice gives the same as once. What the engine refuses to remove is in the answer, with the engine's words.
    """
    containers = client.containers.list(all=True, filters=FILTERS, ignore_removed=True)
    done = [_remove_container(client, container, dry_run) for container in containers]
    return [*done, *_remove_belongings(client, dry_run), *_remove_images(client, dry_run)]


def _remove_belongings(client: docker.DockerClient, dry_run: bool) -> Iterator[Outcome]:
    """Networks and volumes: no image hands its label on to them, so a lesson gives it when it makes one."""
    for kind, collection in (("network", client.networks), ("volume", client.volumes)):
        for one in collection.list(filters=FILTERS):
            described = Outcome(kind, one.id or "", one.name or "")
            yield described if dry_run else _remove_belonging(collection, described)


def _remove_belonging(collection: Any, described: Outcome) -> Outcome:
    try:
        fresh = collection.get(described.id)
        if not ours(fresh.attrs.get("Labels")):
            return _kept(described, "its label is gone")
        fresh.remove()
    except NotFound:
        pass
    except APIError as error:
        return _kept(described, error.explanation or str(error))
    return described


def _remove_container(client: docker.DockerClient, container: Container, dry_run: bool) -> Outcome:
    described = Outcome("container", container.id or "", container.name or "")
    if dry_run:
        return described
    try:
        fresh = client.containers.get(described.id)
        if not ours(fresh.labels):
            return _kept(described, "its label is gone")
        fresh.remove(force=True, v=True)
    except NotFound:
        pass  # somebody was faster
    except APIError as error:
        return _kept(described, error.explanation or str(error))
    return described


def _remove_images(client: docker.DockerClient, dry_run: bool) -> list[Outcome]:
    """Several rounds: an image can be removed only after those that were committed from it."""
    images = client.images.list(all=True, filters=FILTERS)
    if dry_run:
        return [_describe(image) for image in images]
    done: dict[str, Outcome] = {}
    for _ in images:  # each round removes at least one, or it was the last
        waiting = [image for image in images if image.id not in done or done[image.id].kept]
        outcomes = [_remove_image(client, image) for image in waiting]
        done |= {outcome.id: outcome for outcome in outcomes}
        if all(outcome.kept for outcome in outcomes):
            break
    return list(done.values())


def _remove_image(client: docker.DockerClient, image: Image) -> Outcome:
    described = _describe(image)
    try:
        fresh = client.images.get(described.id)
        if not ours(fresh.labels):
            return _kept(described, "its label is gone")
        for name in fresh.tags or [described.id]:
            client.images.remove(name)
    except NotFound:
        pass
    except APIError as error:
        return _kept(described, error.explanation or str(error))
    return described


def _describe(image: Image) -> Outcome:
    return Outcome("image", image.id or "", ", ".join(image.tags) or image.short_id)


def _kept(outcome: Outcome, why: str) -> Outcome:
    return Outcome(outcome.kind, outcome.id, outcome.name, why)


def ours(labels: dict[str, str] | None) -> bool:
    """Whether these labels are the course's."""
    return LABELS.items() <= (labels or {}).items()


def told(outcomes: Iterable[Outcome], dry_run: bool) -> str:
    """The outcomes as lines for a reader, and one that counts them."""
    outcomes = list(outcomes)
    verb = "would remove" if dry_run else "removed"
    lines = [
        f"kept {one.kind} {one.name}: {one.kept}" if one.kept else f"{verb} {one.kind} {one.name}" for one in outcomes
    ]
    gone = [one.kind for one in outcomes if not one.kept]
    kinds = [kind for kind in ("container", "network", "volume", "image") if kind in ("container", "image", *gone)]
    counts = [counted(gone.count(kind), kind) for kind in kinds]
    return "\n".join([*lines, f"{verb}: {', '.join(counts)}"])


def counted(number: int, noun: str) -> str:
    """`1 container`, `2 containers`"""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
