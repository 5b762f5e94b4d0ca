"""What COPY and ADD copy: from words to files of a root, and a digest of what they hold.

A root is a build context, or the files of another stage. Paths are looked up by the kernel inside it (beneath.py), so
a link in a context that leads to /etc leads to the context's own /etc.

The digest is for the build's cache: the same names, modes, owners and contents give the same, whatever the times.

Source: the Dockerfile reference, "COPY" and "Cache invalidation".
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.engine.build import ignore
from labkit.engine.build.context import inside
from labkit.engine.errors import BadParameter, NotFound
from labkit.engine.images import beneath
from labkit.engine.images.archive import BadArchive, Limits
from labkit.engine.images.pack import final_target, walk
from labkit.engine.images.tarstream import entries

WILDCARDS = "*?["
_CHUNK = 1 << 20
_ONE_HEADER = Limits(entries=1)


@dataclass(frozen=True)
class Root:
    """Where files are taken from: an open folder, and what is said where one is missing in it."""

    fd: int
    missing: str


CONTEXT_MISSING = "file not found in build context or excluded by .dockerignore: stat {path}: file does not exist"
STAGE_MISSING = "stat {path}: file does not exist"


@dataclass(frozen=True)
class Source:
    """One file or folder to copy. `path` is its own, links resolved; `name` is the one that it was asked for by."""

    root: int
    path: str
    name: str
    kind: int
    """st_mode of inode(7)."""

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.kind)

    def is_archive(self) -> bool:
        """Whether ADD unpacks it: a tar, compressed or not."""
        if not stat.S_ISREG(self.kind):
            return False
        with beneath.opened(self.root, self.path, os.O_RDONLY | os.O_NONBLOCK) as fd, open(os.dup(fd), "rb") as file:
            try:
                return next(entries(file, _ONE_HEADER), None) is not None
            except BadArchive:
                return False


def find(root: Root, words: Sequence[str]) -> list[Source]:
    """The files that the words mean, wildcards resolved. Raises BadParameter, NotFound."""
    found = [source for word in words for source in _find(root, word)]
    if not found:
        raise BadParameter("no source files were specified")
    return found


def _find(root: Root, word: str) -> Iterator[Source]:
    path = inside(word)
    if not set(WILDCARDS) & set(path):
        yield _source(root, path)
        return
    for there, _ in walk(root.fd):
        if ignore.matches(path, there):
            yield _source(root, there)


def _source(root: Root, path: str) -> Source:
    target = final_target(root.fd, path).lstrip("/")
    try:
        with beneath.opened(root.fd, target, os.O_PATH | os.O_NOFOLLOW) as fd:
            there = os.fstat(fd)
    except OSError as error:
        raise NotFound(root.missing.format(path=path)) from error
    return Source(root.fd, target, posixpath.basename(path), there.st_mode)


# --- digests -----------------------------------------------------------------------------------------------------


def digest(sources: Sequence[Source]) -> str:
    """What the history of an image says was copied: `file:`, `dir:` or `multi:` and a SHA-256."""
    found = [_digest(source) for source in sources]
    if len(found) == 1:
        return found[0]
    return "multi:" + hashlib.sha256("\n".join(found).encode()).hexdigest()


def _digest(source: Source) -> str:
    total = hashlib.sha256()
    if source.is_folder:
        with beneath.opened(source.root, source.path) as folder:
            for path, there in walk(folder):
                total.update(_line(folder, path, path, there))
        return f"dir:{total.hexdigest()}"
    there = os.stat(source.path, dir_fd=source.root, follow_symlinks=False)
    total.update(_line(source.root, source.path, source.name, there))
    return f"file:{total.hexdigest()}"


def _line(root: int, path: str, name: str, there: os.stat_result) -> bytes:
    """One file as bytes: all that a copy of it would share, and no time."""
    facts = [name, oct(there.st_mode), there.st_uid, there.st_gid, there.st_rdev, _content(root, path, there)]
    return ("\0".join(map(str, facts)) + "\n").encode("utf-8", "surrogateescape")


def _content(root: int, path: str, there: os.stat_result) -> str:
    folder, base = posixpath.split(path)
    with beneath.opened(root, folder, resolve=beneath.NO_LINKS) as parent:
        if stat.S_ISLNK(there.st_mode):
            return os.readlink(base, dir_fd=parent)
        if not stat.S_ISREG(there.st_mode):
            return ""
        with open(os.open(base, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent), "rb", buffering=0) as file:
            total = hashlib.sha256()
            while data := file.read(_CHUNK):
                total.update(data)
            return total.hexdigest()
