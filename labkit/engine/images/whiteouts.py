"""How a layer says "deleted": the mark in an archive, and the mark on a disk.

A layer can't remove a file of the layer below, it can only cover it. In a layer's tar (OCI image spec, layer.md) an
empty file `.wh.NAME` covers NAME, and `.wh..wh..opq` covers all that the layers below have in this folder, which is
then called opaque. Overlay, the kernel's file system (Documentation/filesystems/overlayfs.rst), wants for the first a
character device 0:0 named NAME and for the second an extended attribute on the folder.

Making such a device is the one mknod(2) that a user namespace allows, since Linux 5.8; overlay itself may be mounted
there since 5.11. So no second form is needed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from labkit.engine.images import beneath
from labkit.engine.images.tarstream import BadArchive, Entry

PREFIX, OPAQUE, RESERVED = ".wh.", ".wh..wh..opq", ".wh..wh."


def opaque_attribute(userxattr: bool) -> str:
    """The attribute's name: only root of the machine may write `trusted.*`, hence overlay's option userxattr."""
    return "user.overlay.opaque" if userxattr else "trusted.overlay.opaque"


def is_whiteout(there: os.stat_result) -> bool:
    """Is this overlay's mark for a deleted file?"""
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == 0


def make_whiteout(folder: int, name: str) -> None:
    """Cover `name` of the layers below."""
    os.mknod(name, stat.S_IFCHR, 0, dir_fd=folder)


def make_opaque(folder: int, userxattr: bool) -> None:
    """Cover all that the layers below have in this folder (any descriptor of it, O_PATH too)."""
    os.setxattr(f"/proc/self/fd/{folder}", opaque_attribute(userxattr), b"y")


def is_opaque(folder: int, userxattr: bool) -> bool:
    """Does this folder hide what the layers below have in it?"""
    with contextlib.suppress(OSError):  # ENODATA: no such attribute
        return os.getxattr(f"/proc/self/fd/{folder}", opaque_attribute(userxattr)) == b"y"
    return False


@dataclass
class Deletions:
    """Carries out a layer's whiteouts while it is unpacked.

    A whiteout covers what the layers below have, never what its own layer brings, and entries come in any order.
    `folder_at` opens one of the layer's folders. `at_once`: nothing is stacked, so what is covered is deleted (vfs).
    """

    folder_at: Callable[[list[str]], int]
    at_once: bool
    userxattr: bool
    _made: set[str] = field(default_factory=set)  # what this layer brought
    _covered: set[str] = field(default_factory=set)  # where its whiteouts are

    def carried_out(self, entry: Entry) -> bool:
        """Delete or cover what this entry says; False if it is an ordinary one. Raises BadArchive for nonsense."""
        *above, name = entry.parts
        if any(part.startswith(PREFIX) for part in above):
            if not above[0].startswith(RESERVED):
                raise BadArchive("a whiteout used as a folder", entry.name)
            return True  # bookkeeping of aufs, which very old images carry
        if not name.startswith(PREFIX):
            return False
        if name == OPAQUE:
            self._cover_all(self.folder_at(above), above)
        elif not name.startswith(RESERVED):
            covered = name[len(PREFIX) :]
            if covered in ("", ".", ".."):
                raise BadArchive("a whiteout of nothing", entry.name)
            self._cover(self.folder_at(above), [*above, covered])
        return True

    def note(self, parts: list[str]) -> None:
        """Remember what this layer brings, with the folders above it."""
        if self.at_once:
            self._made.update("/".join(parts[:height]) for height in range(1, len(parts) + 1))

    def uncover(self, parts: list[str]) -> None:
        """Put folders where this layer's own whiteouts are; what the layers below had in them stays hidden."""
        for height in range(1, len(parts) + 1) if self._covered else ():
            path = "/".join(parts[:height])
            if path in self._covered:
                self._covered.remove(path)
                folder, name = self.folder_at(parts[: height - 1]), parts[height - 1]
                os.unlink(name, dir_fd=folder)
                os.close(beneath.make_folders(folder, [name]))
                self._hide_old(folder, name)

    def _cover(self, folder: int, path: list[str]) -> None:
        name = path[-1]
        there = beneath.lstat(folder, name)
        if self.at_once:
            self._delete_old(folder, path)
        elif there is None:
            make_whiteout(folder, name)
            self._covered.add("/".join(path))
        elif stat.S_ISDIR(there.st_mode):  # this layer's own
            self._hide_old(folder, name)

    def _cover_all(self, folder: int, above: list[str]) -> None:
        if not self.at_once:
            make_opaque(folder, self.userxattr)
            return
        with beneath.opened(folder, ".", os.O_RDONLY | os.O_DIRECTORY) as listable:
            for name in os.listdir(listable):
                self._delete_old(folder, [*above, name])

    def _hide_old(self, folder: int, name: str) -> None:
        with beneath.opened(folder, name, resolve=beneath.NO_LINKS) as fd:
            make_opaque(fd, self.userxattr)

    def _delete_old(self, folder: int, path: list[str]) -> None:
        """Delete what the layers below left at a path, and keep what this one made there."""
        there = beneath.lstat(folder, path[-1])
        if "/".join(path) not in self._made:
            beneath.remove_tree(folder, path[-1])
        elif there and stat.S_ISDIR(there.st_mode):
            with beneath.opened(folder, path[-1], resolve=beneath.NO_LINKS) as inner:
                self._cover_all(inner, path)
