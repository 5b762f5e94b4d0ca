"""Remove what the course made on an engine, and nothing else: containers, then what they used, then their images.

What is the course's carries the label `labkit=course`. Docker hands an image's labels on to its containers and to
images committed from them, so all that grew out of `labkit/base` has it. On a Docker Engine that several learners
share, the label `labkit.owner` (owner.py) says whose a thing is, and only one's own goes. Both labels are read again
before each removal.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.models.images import Image

from labkit.owner import OWNER, owner
from labkit.rootfs import LABELS

Filters = dict[str, str | list[str] | bool]  # as the SDK's types have them

FILTERS: Filters = {"label": [f"{key}={value}" for key, value in LABELS.items()]}

Labels = Mapping[str, str] | None


@dataclass(frozen=True)
class Outcome:
    """What happened to one thing; `kept` says why it is still there."""

    kind: str  # "container", "network", "volume" or "image"
    id: str
    name: str
    kept: str = ""


@dataclass(frozen=True)
class Claim:
    """Which of the course's things on an engine somebody may remove."""

    owner: str = ""  # nothing: the engine is one user's own, and so is all that is on it
    shared: bool = False  # somebody else's things are on it, too

    @classmethod
    def on(cls, client: docker.DockerClient) -> "Claim":
        """What the caller may remove there."""
        me = whose(client)
        return cls(me, shared=bool(me) and any(name != me for name in owners(client)))

    def foreign(self, labels: Labels) -> bool:
        """Whether a thing is signed by somebody else."""
        return foreign(self.owner, labels)

    def refusal(self, labels: Labels) -> str:
        """Why a thing with these labels stays; "" if it may go."""
        if not ours(labels):
            return "its label is gone"
        if self.foreign(labels):
            return f"it is {(labels or {})[OWNER]}'s now"
        if self.shared and OWNER not in (labels or {}):
            return "it does not say whose it is, and others use this engine too"
        return ""


def whose(client: docker.DockerClient) -> str:
    """The caller's name on an engine; "" on one of labkit's own, as it listens for one user alone."""
    platform = client.version().get("Platform") or {}
    return "" if "labkit" in str(platform.get("Name", "")) else owner(client.api.base_url)


def foreign(me: str, labels: Labels) -> bool:
    """Whether a thing is signed by somebody else. `me` is what `whose` said."""
    return bool(me) and (labels or {}).get(OWNER, me) != me


def owners(client: docker.DockerClient) -> set[str]:
    """The names that the course's things on the engine are signed with."""
    signed: Filters = {"label": [*(f"{key}={value}" for key, value in LABELS.items()), OWNER]}
    found = [
        *client.api.containers(all=True, filters=signed),
        *client.api.networks(filters=signed),
        *(client.api.volumes(filters=signed)["Volumes"] or ()),
        *client.api.images(all=True, filters=signed),
    ]
    return {one["Labels"][OWNER] for one in found}


def clean(client: docker.DockerClient, dry_run: bool = False) -> list[Outcome]:
    """Remove everything that carries our label; with `dry_run`, only say what that is.

    Twice gives the same as once. What the engine refuses to remove is in the answer, with the engine's words. What
    somebody else has signed is not spoken of at all.
    """
    claim = Claim.on(client)
    containers = client.containers.list(all=True, filters=FILTERS, ignore_removed=True)
    mine = [container for container in containers if not claim.foreign(container.labels)]
    done = [_remove_container(client, container, claim, dry_run) for container in mine]
    return [*done, *_remove_belongings(client, claim, dry_run), *_remove_images(client, claim, dry_run)]


def _remove_belongings(client: docker.DockerClient, claim: Claim, dry_run: bool) -> Iterator[Outcome]:
    """Networks and volumes: no image hands its label on to them, so a lesson gives it when it makes one."""
    for kind, collection in (("network", client.networks), ("volume", client.volumes)):
        for one in collection.list(filters=FILTERS):
            if not claim.foreign(one.attrs.get("Labels")):
                yield _remove_belonging(collection, Outcome(kind, one.id or "", one.name or ""), claim, dry_run)


def _remove_belonging(collection: Any, described: Outcome, claim: Claim, dry_run: bool) -> Outcome:
    try:
        fresh = collection.get(described.id)
        if why := claim.refusal(fresh.attrs.get("Labels")):
            return _kept(described, why)
        if not dry_run:
            fresh.remove()
    except NotFound:
        pass
    except APIError as error:
        return _kept(described, error.explanation or str(error))
    return described


def _remove_container(client: docker.DockerClient, container: Container, claim: Claim, dry_run: bool) -> Outcome:
    described = Outcome("container", container.id or "", container.name or "")
    try:
        fresh = client.containers.get(described.id)
        if why := claim.refusal(fresh.labels):
            return _kept(described, why)
        if not dry_run:
            fresh.remove(force=True, v=True)
    except NotFound:
        pass  # somebody was faster
    except APIError as error:
        return _kept(described, error.explanation or str(error))
    return described


def _remove_images(client: docker.DockerClient, claim: Claim, dry_run: bool) -> list[Outcome]:
    """Several rounds: an image can be removed only after those that were committed from it."""
    images = [image for image in client.images.list(all=True, filters=FILTERS) if not claim.foreign(image.labels)]
    done: dict[str, Outcome] = {}
    for _ in images:  # each round removes at least one, or it was the last
        waiting = [image for image in images if image.id not in done or done[image.id].kept]
        outcomes = [_remove_image(client, image, claim, dry_run) for image in waiting]
        done |= {outcome.id: outcome for outcome in outcomes}
        if all(outcome.kept for outcome in outcomes):
            break
    return list(done.values())


def _remove_image(client: docker.DockerClient, image: Image, claim: Claim, dry_run: bool) -> Outcome:
    described = Outcome("image", image.id or "", ", ".join(image.tags) or image.short_id)
    try:
        fresh = client.images.get(described.id)
        if why := claim.refusal(fresh.labels):
            return _kept(described, why)
        for name in () if dry_run else fresh.tags or [described.id]:
            client.images.remove(name)
    except NotFound:
        pass
    except APIError as error:
        return _kept(described, error.explanation or str(error))
    return described


def _kept(outcome: Outcome, why: str) -> Outcome:
    return Outcome(outcome.kind, outcome.id, outcome.name, why)


def ours(labels: Labels) -> bool:
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
