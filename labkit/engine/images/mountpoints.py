"""The files that every container's mounts need, made once an image in a layer between image and container.

A mount needs something to be mounted on. Made in the container's own layer, an empty /etc/hosts would show in
`docker diff` and end up in committed images. Docker therefore puts an "init" layer in between; so do we.
"""

from __future__ import annotations

import contextlib
import os

from labkit.engine.images import beneath

FOLDERS = ("dev", "dev/pts", "dev/shm", "proc", "sys", "etc")
FILES = (".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf")
LINKS = (("etc/mtab", "/proc/mounts"),)

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def make_mount_points(root: int) -> None:
    """Make beneath `root` what the image does not have. Where the image has something else, that stays."""
    for path in FOLDERS:
        with contextlib.suppress(OSError):
            os.close(beneath.make_folders(root, path.split("/")))
    for path in FILES:
        with _place_for(root, path) as (folder, name):
            os.close(os.open(name, _NEW_FILE, 0o755, dir_fd=folder))
            beneath.chmod(folder, name, 0o755)
    for path, target in LINKS:
        with _place_for(root, path) as (folder, name):
            os.symlink(target, name, dir_fd=folder)


@contextlib.contextmanager
def _place_for(root: int, path: str):  # type: ignore[no-untyped-def]
    above, name = os.path.split(path)
    with contextlib.suppress(OSError), beneath.opened(root, above) as folder:
        yield folder, name
