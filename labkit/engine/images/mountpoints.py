"""The files that every container's mounts need, made once an image in a layer between image and container.

A mount needs something to be mounted on. Made in the container's own layer, an empty /etc/hosts would show in
`docker diff` and end up in committed images. Docker therefore puts an "init" layer in between; so do we.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import partial

from labkit.engine.images import beneath

FOLDERS = ("dev", "dev/pts", "dev/shm", "proc", "sys", "etc")
FILES = (".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf")
LINKS = (("etc/mtab", "/proc/mounts"),)

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def make_mount_points(root: int) -> None:
    """Make beneath `root` what the image does not have. Where the image has something else, that stays."""
    for path in FOLDERS:
        with contextlib.suppress(*_THE_IMAGES_OWN):
            os.close(beneath.make_folders(root, path.split("/")))
    for path in FILES:
        _make(root, path, _empty_file)
    for path, target in LINKS:
        _make(root, path, partial(_link, target))


_THE_IMAGES_OWN = (FileExistsError, *beneath.VANISHED)


def _make(root: int, path: str, maker: Callable[[int, str], None]) -> None:
    above, name = os.path.split(path)
    with contextlib.suppress(*_THE_IMAGES_OWN), beneath.opened(root, above) as folder:
        maker(folder, name)


def _link(target: str, folder: int, name: str) -> None:
    os.symlink(target, name, dir_fd=folder)


def _empty_file(folder: int, name: str) -> None:
    os.close(os.open(name, _NEW_FILE, 0o755, dir_fd=folder))
    beneath.chmod(folder, name, 0o755)
