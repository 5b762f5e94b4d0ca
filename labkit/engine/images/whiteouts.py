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
