"""What lies behind a container's mount points: which it gets, the volumes made for them, and their end.

In this order, and a later one wins (dockerd does the same): the mounts of other containers (`--volumes-from`), those
that the request names (`-v`, `--mount`), and an anonymous volume for each VOLUME of image and request where nothing
stands yet.

**Copy-up**: a volume that is empty when it is first mounted gets what the image has at that place, owner and mode of
the folder included. That is how `docker run -v pages:/usr/share/nginx/html nginx` serves pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labkit.engine.containers import mounts, mountspecs
from labkit.engine.containers.mounts import MountPoint
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError, BadParameter, ServerError
from labkit.engine.images import beneath
from labkit.engine.images.copying import copy_content
from labkit.engine.volumes.store import new_name

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

Config = Mapping[str, Any]


# --- which --------------------------------------------------------------------------------------------------------


def plan(engine: Engine, config: Config, host: Config) -> list[MountPoint]:
    """The mount points that a new container gets; their volumes are not made yet. Raises BadParameter, NotFound."""
    tmpfs = {mountspecs.tmpfs_place(path) for path in host.get("Tmpfs") or {}}
    found = _of_others(engine, host.get("VolumesFrom") or ())
    asked = [mountspecs.bind(text) for text in host.get("Binds") or ()]
    asked = [_with_driver(point, host.get("VolumeDriver") or "") for point in asked]
    asked += [mountspecs.mount(one) for one in host.get("Mounts") or ()]
    _refuse_twice(asked, tmpfs)
    found |= {point.destination: point for point in asked}
    for place in map(mountspecs.clean, config.get("Volumes") or ()):
        if place not in found and place not in tmpfs:
            found[place] = MountPoint("volume", place, copies=True, driver=host.get("VolumeDriver") or "")
    for point in found.values():
        mountspecs.check_source(point)
        if point.type == "volume":
            engine.volumes.check(point.name, point.driver, point.driver_options)
    return list(found.values())


def _of_others(engine: Engine, wanted: Iterable[str]) -> dict[str, MountPoint]:
    """What other containers mount, by place."""
    found = {}
    for text in wanted:
        name, writable = mountspecs.volumes_from(text)
        other = engine.containers.find(name)
        if other is None:
            raise BadParameter(f"No such container: {name}")
        for point in mounts.of(other.mounts):
            taken = replace(point, mode="", copies=False, writable=point.writable and writable)
            found[point.destination] = taken
    return found


def _with_driver(point: MountPoint, driver: str) -> MountPoint:
    return replace(point, driver=driver) if point.type == "volume" else point


def _refuse_twice(asked: Iterable[MountPoint], tmpfs: set[str]) -> None:
    places = set(tmpfs)
    for point in asked:
        if point.destination in places:
            raise BadParameter(f"Duplicate mount point: {point.destination}")
        places.add(point.destination)


# --- make --------------------------------------------------------------------------------------------------------


def name_volumes(container: Container) -> bool:
    """Choose the names of the anonymous volumes that are to be made; are there any?"""
    new = [n for n, point in enumerate(mounts.of(container.mounts)) if point.type == "volume" and not point.name]
    for number in new:
        container.mounts[number]["name"] = new_name()
    return bool(new)


def make_volumes(engine: Engine, container: Container) -> None:
    """Make the volumes that are not there yet, and note where they lie. Raises OSError: some are then made."""
    for number, point in enumerate(mounts.of(container.mounts)):
        container.mounts[number] = _made(engine, point).to_json()


def _made(engine: Engine, point: MountPoint) -> MountPoint:
    if point.type != "volume" or point.source:
        return point
    wanted = (point.name, point.driver, point.driver_options, point.labels)
    volume = engine.volumes.create(*wanted, anonymous=not point.named)
    return replace(point, name=volume.name, source=volume.source)


async def fill(engine: Engine, container: Container) -> None:
    """Copy the image's content into the empty volumes of a container that has never run. Raises ServerError."""
    points = mounts.of(container.mounts)
    if not any(point.copies for point in points):
        return
    async with engine.volumes.filling:
        try:
            await asyncio.to_thread(_fill, engine, container, [point for point in points if point.copies])
        except OSError as refused:
            raise ServerError(f"cannot copy the image's files into a volume: {refused}") from refused
    container.mounts = [replace(point, copies=False).to_json() for point in points]
    engine.containers.try_save(container)


def _fill(engine: Engine, container: Container, points: list[MountPoint]) -> None:
    empty = [point for point in points if os.path.isdir(point.source) and not os.listdir(point.source)]
    if not empty:
        return
    with engine.driver.opened(container.id) as root:
        for point in empty:
            copy_up(root, point)


def copy_up(root: int, point: MountPoint) -> None:
    """Copy what the image has at a mount point into its empty volume. Raises OSError, ServerError."""
    try:
        with (
            beneath.opened(root, point.destination, os.O_RDONLY | os.O_DIRECTORY) as image,
            beneath.opened_folder(point.source) as volume,
        ):
            copy_content(image, volume)
    except FileNotFoundError:
        return  # the image has nothing there
    except NotADirectoryError as file:
        raise ServerError(
            f"source {point.destination} is not directory: the image has a file there, and a volume is a folder"
        ) from file


# --- use and end ---------------------------------------------------------------------------------------------------


def tell_mounted(engine: Engine, container: Container) -> None:
    """Publish that the volumes are mounted now."""
    for point in mounts.of(container.mounts):
        if point.type == "volume":
            attributes = {
                "container": container.id,
                "destination": point.destination,
                "driver": "local",
                "propagation": "",
                "read/write": str(point.writable).lower(),
            }
            engine.publish("volume", "mount", point.name, attributes)


def tell_unmounted(engine: Engine, container: Container) -> None:
    """Publish that the volumes are not mounted any more."""
    for point in mounts.of(container.mounts):
        if point.type == "volume":
            engine.publish("volume", "unmount", point.name, {"container": container.id, "driver": "local"})


async def discard(engine: Engine, container: Container) -> None:
    """Remove the anonymous volumes of a container that is gone, unless another one has them: `docker rm -v`."""
    for point in mounts.of(container.mounts):
        if point.type == "volume" and point.name and not point.named:
            with contextlib.suppress(ApiError):  # in use, or removed by hand
                await engine.volumes.remove(engine.volumes.get(point.name))
