"""Put files into an image's tree: what COPY and ADD do once it is known what to copy.

The target is a path in the image, where a link may lead elsewhere in the image. A folder is copied by its content, a
file goes into the target if that is a folder or ends in a slash, and an archive is unpacked there by ADD. Files keep
their mode and time. Folders that are missing on the way belong to root.

Source: the Dockerfile reference, "COPY" and "ADD".
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.engine.build.sources import Source
from labkit.engine.errors import BadParameter, ServerError
from labkit.engine.images import beneath
from labkit.engine.images.archive import Limits, extract, pack
from labkit.engine.images.copying import Pipe
from labkit.engine.images.pack import final_target, walk

Owner = tuple[int, int]
_OWN_COPY = Limits(expansion=1 << 30)  # sparse files of our own are no bomb


@dataclass(frozen=True)
class Copy:
    """What to copy where. `target` is absolute; `owner` and `mode` are None where the source's are kept."""

    sources: Sequence[Source]
    target: str
    owner: Owner | None = None
    mode: int | None = None
    unpack: bool = False


def check(word: str, sources: Sequence[Source], target: str) -> None:
    """Several sources need a folder to go into. Raises BadParameter."""
    if len(sources) > 1 and not target.endswith("/"):
        raise BadParameter(
            f"When using {word} with more than one source file, the destination must be a directory and end with a /"
        )


def copy(root: int, what: Copy) -> None:
    """Carry it out in an image's tree. Blocking. Raises OSError, BadArchive, ServerError."""
    try:
        for source in what.sources:
            _copy(root, source, what)
    except NotADirectoryError as error:
        raise ServerError(
            f"failed to copy files: {what.target} cannot be made: a file stands where a folder is needed"
        ) from error


def _copy(root: int, source: Source, what: Copy) -> None:
    target = final_target(root, what.target)
    if source.is_folder:
        _copy_folder(root, source, target, what)
    elif what.unpack and source.is_archive():
        _unpack(root, source, target)
    elif what.target.endswith("/") or _is_folder(root, target):
        _copy_file(root, source, final_target(root, posixpath.join(target, source.name)), what)
    else:
        _copy_file(root, source, target, what)


def _copy_folder(root: int, source: Source, target: str, what: Copy) -> None:
    fresh = not _is_folder(root, target)
    with _made(root, target) as folder:
        if fresh and what.owner:
            _own(folder, what.owner)
        archive = Pipe(pack(source.root, f"/{source.path}/", top="", exact_times=True))
        extract(archive, root, target, devices=True, copy_uidgid=what.owner, limits=_OWN_COPY)
    if what.mode is not None:
        with beneath.opened(source.root, source.path) as old:
            for path, there in walk(old):
                _set_mode(root, posixpath.join(target, path), there, what.mode)


def _own(folder: int, owner: Owner) -> None:
    """Give a folder to somebody, where this engine may: a rootless one with a single id may not."""
    try:
        os.chown(f"/proc/self/fd/{folder}", *owner)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EINVAL):
            raise


def _copy_file(root: int, source: Source, target: str, what: Copy) -> None:
    above, name = posixpath.split(target)
    with _made(root, above):
        archive = Pipe(pack(source.root, f"/{source.path}", top=name, exact_times=True))
        extract(archive, root, above, devices=True, copy_uidgid=what.owner, limits=_OWN_COPY)
    if what.mode is not None:
        _set_mode(root, target, None, what.mode)


def _set_mode(root: int, path: str, there: os.stat_result | None, mode: int) -> None:
    """Set the mode of what was copied; links have none."""
    if there is None or not stat.S_ISLNK(there.st_mode):
        above, name = posixpath.split(path)
        with beneath.opened(root, above) as parent:
            beneath.chmod(parent, name, mode)


def _unpack(root: int, source: Source, target: str) -> None:
    """An archive keeps the owners that it names, as `tar -x` would."""
    with (
        _made(root, target),
        beneath.opened(source.root, source.path, os.O_RDONLY) as fd,
        open(os.dup(fd), "rb") as file,
    ):
        extract(file, root, target, devices=True)


def make_folder(root: int, path: str) -> None:
    """A folder and those above it, made where missing: what WORKDIR does. Raises ServerError."""
    try:
        with _made(root, path):
            pass
    except NotADirectoryError as error:
        raise ServerError(f"cannot make the folder {path}: a file stands in its way") from error


@contextlib.contextmanager
def _made(root: int, path: str) -> Iterator[int]:
    fd = beneath.make_folders(root, [part for part in path.split("/") if part])
    try:
        yield fd
    finally:
        os.close(fd)


def _is_folder(root: int, path: str) -> bool:
    try:
        with beneath.opened(root, path.lstrip("/")):
            return True
    except OSError:
        return False
