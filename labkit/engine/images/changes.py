"""`docker diff`: what a container changed, computed from its own layer and the layers below.

Overlay copies a file up into the container's layer before the first write, so only what stands in that layer can
differ. Each path there is compared with the topmost layer below that has it. What comes out is Docker's list: a
changed path, then every folder above it as changed too.

Left out: contents. A file whose kind, mode, owner, size and time are the same counts as the same, as in Docker.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from labkit.engine.images import beneath, whiteouts


class Kind(IntEnum):
    """The kinds of change, with the numbers of the Docker API (ContainerChanges)."""

    CHANGED = 0
    ADDED = 1
    DELETED = 2


class Change(NamedTuple):
    """One path that is not as the image has it."""

    path: str
    kind: Kind


@dataclass(frozen=True)
class Tree:
    """A container's layer `upper` over image layers `lowers` (topmost first), each an open root folder.

    `complete`: the upper tree holds all files and not only the changed ones (the vfs driver's copies).
    """

    upper: int
    lowers: Sequence[int]
    userxattr: bool = False
    complete: bool = False


def changes(tree: Tree) -> list[Change]:
    """All changes, sorted by path. Folders are visited from a list, so depth is no danger."""
    found: dict[str, Kind] = {}
    todo: list[tuple[str, Sequence[int]]] = [("", tree.lowers)]
    while todo:
        folder, below = todo.pop()
        with contextlib.suppress(*beneath.VANISHED):  # the container may run, and rename folders meanwhile
            for path, kind, inner in (_folder_changes if below else _new_folder)(tree, folder, below):
                if kind is not None:
                    found[path] = kind
                if inner is not None:
                    todo.append((path, inner))
    complete = with_parents(found)
    return [Change("/" + path, complete[path]) for path in sorted(complete)]


def with_parents(found: dict[str, Kind]) -> dict[str, Kind]:
    """Add each folder above a change as changed: its list of names is not the image's."""
    complete = dict(found)
    for path in found:
        while (path := path.rpartition("/")[0]) and path not in complete:
            complete[path] = Kind.CHANGED
    return complete


def same(a: os.stat_result, b: os.stat_result) -> bool:
    """Do two files look the same from outside? A folder's size and time say nothing about it.

    Docker compares times by the second where one of them has no fraction, and misses quick changes; we don't.
    """
    if (a.st_mode, a.st_uid, a.st_gid, a.st_rdev) != (b.st_mode, b.st_uid, b.st_gid, b.st_rdev):
        return False
    return stat.S_ISDIR(a.st_mode) or (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns)


_Found = tuple[str, Kind | None, Sequence[int] | None]  # path, how it differs, and for a folder the layers to compare


def _new_folder(tree: Tree, folder: str, below: Sequence[int]) -> Iterator[_Found]:
    """A folder that no layer below has: all in it is added. The listing tells the kinds, so no file is looked at."""
    with (
        beneath.opened(tree.upper, folder, os.O_RDONLY | os.O_DIRECTORY, beneath.NO_LINKS) as fd,
        os.scandir(fd) as entries,
    ):
        prefix = f"{folder}/" if folder else ""
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield prefix + entry.name, Kind.ADDED, ()
            elif entry.is_file(follow_symlinks=False) or not _hides(tree, entry):
                yield prefix + entry.name, Kind.ADDED, None


def _hides(tree: Tree, entry: os.DirEntry[str]) -> bool:
    """Whether it is a whiteout, which no user of the container sees, and not a link, a device or a socket."""
    with contextlib.suppress(FileNotFoundError):
        return not tree.complete and whiteouts.is_whiteout(entry.stat(follow_symlinks=False))
    return True  # gone meanwhile


def _folder_changes(tree: Tree, folder: str, below: Sequence[int]) -> Iterator[_Found]:
    """Compare one folder of the upper layer with the same folder in the layers below that have it."""
    with beneath.opened(tree.upper, folder, os.O_RDONLY | os.O_DIRECTORY, beneath.NO_LINKS) as fd:
        present = _content(fd)
        hides_all = bool(below) and (tree.complete or (bool(folder) and whiteouts.is_opaque(fd, tree.userxattr)))
    for name, there in present.items():
        yield from _name_changes(tree, os.path.join(folder, name), there, below)
    if hides_all:
        for name in _names_below(tree, folder, below) - present.keys():
            yield os.path.join(folder, name), Kind.DELETED, None


def _name_changes(tree: Tree, path: str, there: os.stat_result, below: Sequence[int]) -> Iterator[_Found]:
    before, inner = _look_below(tree, path, below)
    is_folder = stat.S_ISDIR(there.st_mode)
    if whiteouts.is_whiteout(there) and not tree.complete:
        if before is not None:
            yield path, Kind.DELETED, None
    elif before is None:
        yield path, Kind.ADDED, () if is_folder else None
    else:
        yield path, None if same(there, before) else Kind.CHANGED, inner if is_folder else None


def _look_below(tree: Tree, path: str, below: Sequence[int]) -> tuple[os.stat_result | None, list[int]]:
    """What the layers below show at a path, and for a folder which of them have a part in it."""
    first: os.stat_result | None = None
    parts: list[int] = []
    for layer in below:
        there = beneath.lstat(layer, path)
        if there is None:
            continue
        if not stat.S_ISDIR(there.st_mode):
            shown = None if whiteouts.is_whiteout(there) and not tree.complete else there
            return (first or shown), parts
        first = first or there
        parts.append(layer)
        if _layer_opaque(tree, layer, path):
            break
    return first, parts


def _layer_opaque(tree: Tree, layer: int, path: str) -> bool:
    with beneath.opened(layer, path, os.O_PATH | os.O_DIRECTORY, beneath.NO_LINKS) as fd:
        return whiteouts.is_opaque(fd, tree.userxattr)


def _names_below(tree: Tree, folder: str, below: Sequence[int]) -> set[str]:
    """The names that the layers below show in a folder, whiteouts taken into account."""
    shown: set[str] = set()
    hidden: set[str] = set()
    for layer in below:
        with beneath.opened(layer, folder, os.O_RDONLY | os.O_DIRECTORY, beneath.NO_LINKS) as fd:
            there = _content(fd)
        covered = {n for n, s in there.items() if whiteouts.is_whiteout(s) and not tree.complete}
        shown |= there.keys() - covered - hidden
        hidden |= covered
    return shown


def _content(folder: int) -> dict[str, os.stat_result]:
    found = {}
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            found[entry.name] = entry.stat(follow_symlinks=False)
    return found
