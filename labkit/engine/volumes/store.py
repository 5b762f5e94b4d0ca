"""Volumes: folders with a name, which outlive the containers that they are mounted in.

    STATE/volumes/<name>/_data          what a container sees
    STATE/volumes/<name>/volume.json    labels, options, when it was made

An **anonymous volume** is one that nobody named: it gets 64 hex digits, and goes with its container where that is
asked for (`docker rm -v`, `--rm`). Whether a volume is in use is not written down: the containers' records say it.

Left out: drivers other than `local`, and of that driver's options all but a bind (`type=none,o=bind,device=/path`).
Source: Docker Engine API, "Volumes"; moby volume/local.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.engine.errors import BadParameter, Conflict, NotFound, NotImplemented_, StateError
from labkit.engine.images import beneath
from labkit.engine.images.layers import folder_size
from labkit.engine.state import read_json, write_json
from labkit.engine.volumes.filters import PRUNE, check, passes

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

log = logging.getLogger(__name__)

Json = dict[str, Any]

ANONYMOUS = "com.docker.volume.anonymous"
"""The label by which Docker (since 23) knows a volume that nobody named."""

DRIVER = "local"
GONE = ".gone."  # the beginning of a folder's name from which a volume is being deleted

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")

# option of the driver `local` -> the options that must come with it
OPTIONS = {"device": ("type",), "type": ("device",), "o": ("device", "type"), "size": ()}


@dataclass(frozen=True)
class Volume:
    """One volume. `path` is its folder; `labels` and `options` are None where none were given."""

    name: str
    path: str
    created: str
    labels: Mapping[str, str] | None = None
    options: Mapping[str, str] | None = None

    @property
    def anonymous(self) -> bool:
        return ANONYMOUS in (self.labels or {})

    @property
    def source(self) -> str:
        """The folder that a container sees: its own, or the one of the host's that the options name."""
        return (self.options or {}).get("device") or self.path

    def shown(self) -> Json:
        """`GET /volumes/{name}`, and the answer to its creation."""
        return {
            "CreatedAt": self.created,
            "Driver": DRIVER,
            "Labels": self.labels,
            "Mountpoint": self.path,
            "Name": self.name,
            "Options": self.options,
            "Scope": "local",
        }


class Volumes:
    """All volumes of one engine, by name."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.root = Path(engine.state.root) / "volumes"
        self.filling = asyncio.Lock()
        """Held by who copies an image's content into an empty volume: two at once would mix."""
        self._by_name: dict[str, Volume] = {}
        self._load()

    def __iter__(self) -> Iterator[Volume]:
        return iter(list(self._by_name.values()))

    def _load(self) -> None:
        self.root.mkdir(mode=0o700, exist_ok=True)
        for name in sorted(os.listdir(self.root)):
            if name.startswith(GONE):
                self._delete(name)
                continue
            try:
                self._by_name[name] = Volume(**read_json(self.root / name / "volume.json", {}))
            except (StateError, TypeError, OSError) as broken:
                log.error("the record of the volume %s cannot be used and is left alone: %s", name, broken)

    # --- find ----------------------------------------------------------------------------------------------------
    def get(self, name: str) -> Volume:
        """The volume of this name; the beginning of one will not do. Raises NotFound."""
        if name not in self._by_name:
            raise NotFound(f"get {name}: no such volume")
        return self._by_name[name]

    def users(self, name: str) -> list[str]:
        """The ids of the containers that mount it, running or not, but for those that are being removed with theirs."""
        there = (c for c in self.engine.containers if not (c.state.status == "removing" and c.volumes_too))
        return [c.id for c in there if any(point.get("name") == name for point in c.mounts)]

    def listed(self, wanted: Mapping[str, Sequence[str]]) -> list[Volume]:
        """Those that pass the filters of `GET /volumes`. Raises BadParameter."""
        check(wanted)
        return [volume for volume in self if passes(volume, wanted, used=bool(self.users(volume.name)))]

    # --- make ----------------------------------------------------------------------------------------------------
    def create(
        self,
        name: str = "",
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        *,
        anonymous: bool = False,
    ) -> Volume:
        """A volume of this name: the one that is there, or a new one; without a name an anonymous one.

        `anonymous`: the name is one that nobody chose.

        Raises BadParameter, NotFound (no such driver), NotImplemented_.
        """
        if anonymous or not name:
            name, labels = name or new_name(), {**(labels or {}), ANONYMOUS: ""}
        self.check(name, driver, options)
        if name in self._by_name:
            return self._by_name[name]
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        made = Volume(name, f"{self.root}/{name}/_data", created, labels, options or None)
        self._store(made)
        self.tell(made, "create")
        return made

    def check(self, name: str, driver: str = "", options: Mapping[str, str] | None = None) -> None:
        """Whether there can be such a volume; one without a name can. Raises as `create` does."""
        name = name or new_name()
        if driver not in ("", DRIVER):
            raise NotFound(f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')
        check_name(name)
        if name not in self._by_name:
            check_options(name, options or {})

    def _store(self, volume: Volume) -> None:
        """The record last: a folder without one was never a volume. Raises OSError."""
        folder = self.root / volume.name
        (folder / "_data").mkdir(mode=0o755, parents=True, exist_ok=True)
        (folder / "_data").chmod(0o755)  # whatever the umask
        write_json(folder / "volume.json", asdict(volume))
        self._by_name[volume.name] = volume

    def tell(self, volume: Volume, action: str, **attributes: str) -> None:
        """Publish an event about a volume."""
        self.engine.publish("volume", action, volume.name, {"driver": DRIVER, **attributes})

    # --- remove --------------------------------------------------------------------------------------------------
    async def remove(self, volume: Volume) -> None:
        """Delete it and all that is in it. Raises Conflict where a container has it."""
        if users := self.users(volume.name):
            raise Conflict(f"remove {volume.name}: volume is in use - [{', '.join(users)}]")
        self._by_name.pop(volume.name, None)
        gone = f"{GONE}{secrets.token_hex(8)}"
        os.rename(self.root / volume.name, self.root / gone)  # from now on its name is free
        await asyncio.to_thread(self._delete, gone)
        self.tell(volume, "destroy")

    def _delete(self, name: str) -> None:
        with beneath.opened_folder(self.root) as root:
            beneath.remove_tree(root, name)

    async def prune(self, wanted: Mapping[str, Sequence[str]], *, named_too: bool) -> Json:
        """Remove those that no container has and that pass the filters: `POST /volumes/prune`. Raises BadParameter."""
        check(wanted, PRUNE)
        removed, freed = [], 0
        for volume in self:
            unused = not self.users(volume.name) and (named_too or volume.anonymous)
            if unused and passes(volume, wanted, used=False, known=PRUNE):
                freed += await self.size(volume)
                await self.remove(volume)
                removed.append(volume.name)
        self.engine.publish("volume", "prune", "", {"reclaimed": str(freed)})
        return {"VolumesDeleted": removed, "SpaceReclaimed": freed}

    async def size(self, volume: Volume) -> int:
        """Bytes of the files in it; 0 for a folder of the host's that it only shows."""
        if volume.options:
            return 0
        return await asyncio.to_thread(folder_size, Path(volume.path))

    async def disk_usage(self) -> list[Json]:
        """The volumes of `GET /system/df`."""
        return [
            {
                **volume.shown(),
                "UsageData": {"RefCount": len(self.users(volume.name)), "Size": await self.size(volume)},
            }
            for volume in self
        ]


def new_name() -> str:
    """A name for a volume that nobody named."""
    return secrets.token_hex(32)


def check_name(name: str) -> None:
    """Whether a volume may be called so. Raises BadParameter, in Docker's words."""
    if len(name) < 2:
        raise BadParameter(
            f"create {name}: volume name is too short, names should be at least two alphanumeric characters"
        )
    if not _NAME.fullmatch(name):
        raise BadParameter(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )


def check_options(name: str, options: Mapping[str, str]) -> None:
    """Whether a volume may be made with these options of its driver. Raises BadParameter, NotImplemented_."""
    for option in options:
        if option not in OPTIONS:
            raise BadParameter(f'create {name}: invalid option: "{option}"')
        for other in OPTIONS[option]:
            if not options.get(other):
                raise BadParameter(f'create {name}: missing required option: "{other}"')
    if options and (options.get("type") != "none" or "bind" not in options.get("o", "").split(",")):
        raise NotImplemented_(
            f"create {name}: this engine mounts no file systems for a volume; of the driver's options it knows only "
            "type=none,o=bind,device=/some/folder"
        )
