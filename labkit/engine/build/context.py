"""The build context: the folder that the client sent as a tar, and the Dockerfile in it.

The tar is unpacked like any archive that may be hostile, into a folder that is gone when the build ends. Everything
in it belongs to root from then on: who owned it on the client's machine means nothing here.

What a .dockerignore names the client leaves out when it makes the tar. Only the Dockerfile and the .dockerignore
itself always come along, as the build needs them; where the rules name them, no COPY finds them.

Source: Docker API ImageBuild.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit import linux
from labkit.engine.build import ignore
from labkit.engine.build.options import DOCKERFILE
from labkit.engine.errors import BadParameter, ServerError
from labkit.engine.images import beneath
from labkit.engine.images.archive import extract
from labkit.engine.images.tarstream import Readable

IGNORE_FILE = ".dockerignore"
ROOT = (0, 0)
LARGEST_TEXT = 16 << 20
"""Bytes of a Dockerfile or a .dockerignore that are read at most."""


@dataclass(frozen=True)
class Context:
    """An unpacked build context: a descriptor of its root, and the text of its Dockerfile."""

    root: int
    dockerfile: bytes


@contextlib.contextmanager
def unpacked(stream: Readable, folder: Path, dockerfile: str) -> Iterator[Context]:
    """The context in `folder`, which is the caller's to remove. Blocking. Raises BadParameter, ServerError."""
    with beneath.opened_folder(folder) as root:
        extract(stream, root, copy_uidgid=ROOT)
        name, text = _dockerfile(root, dockerfile)
        _hide(root, name)
        yield Context(root, text)


def inside(path: str) -> str:
    """A path of the context, from its root. Raises BadParameter for one that leads out."""
    clean = posixpath.normpath(path.lstrip("/") or ".")
    if clean == ".." or clean.startswith("../"):
        raise BadParameter(f"forbidden path outside the build context: {path} ()")
    return clean


def _dockerfile(root: int, asked: str) -> tuple[str, bytes]:
    """The name and the text of the Dockerfile; `dockerfile` will do where nobody asked for another."""
    name = inside(asked)
    for candidate in (name, name.lower()) if name == DOCKERFILE else (name,):
        text = _read(root, candidate)
        if text:
            return candidate, text
        if text is not None:
            raise BadParameter(f"the Dockerfile ({candidate}) cannot be empty")
    raise ServerError(f"Cannot locate specified Dockerfile: {asked}")


def _read(root: int, name: str) -> bytes | None:
    """A file of the context, links followed inside it; None where there is none."""
    try:
        # O_NONBLOCK: a fifo in place of the file must not hold the engine
        fd = linux.openat2(root, name, os.O_RDONLY | os.O_NONBLOCK, 0, beneath.IN_ROOT)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise ServerError(f"cannot open {name} in the build context: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise BadParameter(f"{name} in the build context is no file")
        with open(fd, "rb", closefd=False) as file:
            text = file.read(LARGEST_TEXT + 1)
    finally:
        os.close(fd)
    if len(text) > LARGEST_TEXT:
        raise BadParameter(f"{name} in the build context has more than {LARGEST_TEXT} bytes")
    return text


def _hide(root: int, dockerfile: str) -> None:
    """Take away what the .dockerignore names of the two files that always come along."""
    text = _read(root, IGNORE_FILE)
    if text is None:
        return
    try:
        rules = ignore.read(text.decode("utf-8", "replace"))
    except ignore.BadPattern:  # as dockerd: the client, which has to keep all the rules, complains of it
        return
    for name in (IGNORE_FILE, dockerfile):
        if ignore.ignored(rules, name):
            folder, base = posixpath.split(name)
            with beneath.opened(root, folder) as fd:
                beneath.remove_tree(fd, base)
