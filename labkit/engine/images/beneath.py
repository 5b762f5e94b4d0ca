"""Paths beneath a root folder, looked up by the kernel and never glued together from strings.

An image may hold the symbolic link `logs -> /etc`. Joined as text, ROOT/logs/passwd is then the *host's* file. So a
root is always a descriptor here, and openat2(2) resolves the path with that folder as `/`: links, absolute ones and
`..` included, end inside. The last name is handled by calls that don't follow links at all.

Left out: what to do with the file once it is found; see extract.py and pack.py.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from labkit import linux

# Links stay inside the root. "Magic" links are those of /proc/PID/fd, which lead anywhere.
IN_ROOT = linux.RESOLVE_IN_ROOT | linux.RESOLVE_NO_MAGICLINKS
# For a tree that was walked name by name: a link on the way means that somebody swapped a folder meanwhile.
NO_LINKS = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS


class Swapped(OSError):
    """ELOOP: a link stands where a folder stood a moment ago."""


# What an honest walk of a living tree meets, and passes over.
VANISHED = (FileNotFoundError, NotADirectoryError, Swapped)

_LEVELS_BY_DESCRIPTOR = 64  # remove_tree holds one open folder a level, and flattens what is deeper


@contextlib.contextmanager
def opened(root: int, path: str, flags: int = os.O_PATH | os.O_DIRECTORY, resolve: int = IN_ROOT) -> Iterator[int]:
    """A descriptor of `path` beneath `root`, closed at the end. Raises OSError as openat2(2) does."""
    try:
        fd = linux.openat2(root, path or ".", flags, 0, resolve)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Swapped(error.errno, error.strerror, path) from error
        raise
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def opened_folder(path: str | Path) -> Iterator[int]:
    """A descriptor of one of the engine's own folders, to be used as a root."""
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def make_folders(root: int, parts: Sequence[str], mode: int = 0o755) -> int:
    """Open a folder beneath `root` and make it, and those above it, where they are missing (mkdir -p)."""
    path = "/".join(parts) or "."
    with contextlib.suppress(FileNotFoundError):
        return linux.openat2(root, path, os.O_PATH | os.O_DIRECTORY, 0, IN_ROOT)
    above = make_folders(root, parts[:-1], mode)
    try:
        os.mkdir(parts[-1], 0o700, dir_fd=above)
        chmod(above, parts[-1], mode)
    finally:
        os.close(above)
    return linux.openat2(root, path, os.O_PATH | os.O_DIRECTORY, 0, IN_ROOT)


def lstat(folder: int, name: str) -> os.stat_result | None:
    """What is at `name`, the link itself if it is one; None if nothing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def chmod(folder: int, name: str, mode: int) -> None:
    """Set a file's mode without following a link, which chmod(2) alone cannot do.

    O_PATH pins the file itself, then its entry in /proc/self/fd is changed: a link swapped in has no mode (EOPNOTSUPP).
    """
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{fd}", mode)
    finally:
        os.close(fd)


def remove_tree(folder: int, name: str) -> None:
    """Delete a file or a whole folder; nothing there is fine too. Needs no free space for ordinary trees.

    A container may leave any tree behind: folders of mode 000 (overlay's own `work` is one), and folders nested
    deeper than there are descriptors or than a path can say. Those are moved up to the top, then deleted from there.
    """
    if _unlinked(folder, name):
        return
    fresh = count()
    with _listable(folder, name) as top:
        _empty(top, top, fresh, 0)
        while moved := os.listdir(top):  # what was too deep; each round deletes one, and may move deeper ones up
            _remove_below(top, moved[0], top, fresh, 1)
    os.rmdir(name, dir_fd=folder)


def _empty(folder: int, top: int, fresh: Iterator[int], depth: int) -> None:
    for name in os.listdir(folder):
        _remove_below(folder, name, top, fresh, depth)


def _remove_below(folder: int, name: str, top: int, fresh: Iterator[int], depth: int) -> None:
    if _unlinked(folder, name):
        return
    if depth >= _LEVELS_BY_DESCRIPTOR:
        os.rename(name, f".deep.{next(fresh)}.{os.getpid()}", src_dir_fd=folder, dst_dir_fd=top)
        return
    with _listable(folder, name) as inner:
        _empty(inner, top, fresh, depth + 1)
    os.rmdir(name, dir_fd=folder)


def _unlinked(folder: int, name: str) -> bool:
    """Delete what is not a folder; tell whether the name is gone now."""
    there = lstat(folder, name)
    if there is not None and stat.S_ISDIR(there.st_mode):
        return False
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    return True


@contextlib.contextmanager
def _listable(folder: int, name: str) -> Iterator[int]:
    """An open folder from which names can be deleted, whatever its mode was."""
    there = lstat(folder, name)
    if there is not None and there.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        chmod(folder, name, stat.S_IRWXU)
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)
