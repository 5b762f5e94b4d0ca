"""Mount points: the places in a container where something from outside its image is shown. Pure, but for one function.

    bind      a folder or file of the host
    volume    a folder that the engine keeps under a name, or under no name (anonymous)
    tmpfs     memory, gone with the container's process

A record keeps its container's mount points as JSON. From here they become rows of `docker inspect`, and mounts as OCI
has them. How a request asks for them is read in mountspecs.py; storage.py makes and removes what lies behind them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labkit.engine.errors import ServerError

Json = dict[str, Any]


@dataclass(frozen=True)
class MountPoint:
    """One mount of a container. `source` is a path on the host, `destination` one in the container."""

    type: str
    destination: str
    source: str = ""
    name: str = ""
    """The volume's."""
    mode: str = ""
    """The words after the second colon of a bind, as they were given."""
    writable: bool = True
    propagation: str = ""
    recursive: bool = True
    """A bind shows what is mounted below its source, too."""
    named: bool = False
    """Somebody chose the volume: it outlives the container, whatever is asked."""
    copies: bool = False
    """The image's content is still to be copied in, if the volume is empty."""
    subpath: str = ""
    """The part of the volume that is shown."""
    makes_source: bool = False
    """A folder is made where a bind's source is missing."""
    options: str = ""
    """Of a tmpfs: as mount(8) has them."""
    driver: str = ""
    driver_options: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    """What a volume gets if it has to be made."""

    def to_json(self) -> Json:
        """What the record keeps."""
        return asdict(self)

    def holds(self, path: str) -> bool:
        """Whether a path of the container's lies here."""
        return f"{os.path.normpath('/' + path.lstrip('/'))}/".startswith(f"{self.destination}/")

    def row(self) -> Json:
        """One of inspect's `Mounts`: Docker Engine API, MountPoint."""
        volume = self.type == "volume"
        return {
            "Type": self.type,
            **({"Name": self.name} if volume else {}),
            "Source": self.source,
            "Destination": self.destination,
            **({"Driver": "local"} if volume else {}),
            "Mode": self.mode,
            "RW": self.writable,
            "Propagation": self.propagation,
        }

    def to_oci(self) -> Json:
        """The mount as OCI has it. `subpath` is a word of our own: runtime/mounts.py opens it below the source."""
        if self.type == "tmpfs":
            return tmpfs(self.destination, self.options)
        options = ["rbind" if self.recursive else "bind", *([] if self.writable else ["ro"])]
        made = {
            "destination": self.destination,
            "type": "bind",
            "source": self.source,
            "options": [*options, self.propagation or "rprivate"],
        }
        return {**made, "subpath": self.subpath} if self.subpath else made


def of(kept: Iterable[Mapping[str, Any]]) -> list[MountPoint]:
    """The mount points that a record keeps."""
    return [MountPoint(**one) for one in kept]


def in_order(mounts: Iterable[Json]) -> list[Json]:
    """OCI mounts so that none hides another: what lies deeper comes later."""
    return sorted(mounts, key=lambda one: one["destination"].rstrip("/").count("/"))


def make_sources(points: Iterable[MountPoint]) -> None:
    """Make the folder that a bind shows, where it is missing, as Docker does. Raises OSError, ServerError."""
    for point in points:
        if point.type != "bind" or os.path.lexists(point.source):
            continue
        if not point.makes_source:
            raise ServerError(f'invalid mount config for type "bind": bind source path does not exist: {point.source}')
        os.makedirs(point.source, exist_ok=True)


# --- tmpfs -------------------------------------------------------------------------------------------------------

TMPFS_DEFAULTS = ("noexec", "nosuid", "nodev")

# mount(8) and tmpfs(5); a word may be given with or without "no"
TMPFS_FLAGS = frozenset(
    "defaults ro rw suid dev exec sync async dirsync mand atime diratime relatime strictatime".split()
)
TMPFS_VALUES = frozenset("size mode uid gid nr_inodes nr_blocks mpol".split())


def tmpfs(path: str, options: str) -> Json:
    """A tmpfs with Docker's defaults, which later words may undo."""
    words = [*TMPFS_DEFAULTS, *(word for word in options.split(",") if word)]
    return {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": words}


def check_tmpfs(options: str) -> None:
    """Whether these are words that a tmpfs knows. Raises ServerError, as Docker does at the start."""
    for word in options.split(",") if options else ():
        name, equals, _ = word.partition("=")
        if name not in TMPFS_VALUES if equals else name.removeprefix("no") not in TMPFS_FLAGS:
            raise ServerError(f'invalid tmpfs option ["{word}"]')


def tmpfs_options(options: Mapping[str, Any], *, writable: bool) -> str:
    """TmpfsOptions of `--mount type=tmpfs` as words of mount(8): a size in bytes, a mode in octal."""
    words: Sequence[str] = (
        "" if writable else "ro",
        f"size={options['SizeBytes']}" if options.get("SizeBytes") else "",
        f"mode={options['Mode']:o}" if options.get("Mode") else "",
    )
    return ",".join(word for word in words if word)
