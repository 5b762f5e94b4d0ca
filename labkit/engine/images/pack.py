"""Write a tar archive of what lies beneath a root, piece by piece.

The same tree gives the same bytes: names are sorted, times are whole seconds as in Docker's own archives, and no
names of users are written. Sockets are left out, since tar(5) has no such thing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from labkit import linux
from labkit.engine.images import beneath
from labkit.engine.images.extract import KEPT_XATTR_PREFIX, KEPT_XATTRS, OVERLAYS_OWN
from labkit.engine.images.tarstream import XATTR

END = bytes(1024)  # two empty blocks end an archive; alone they are the empty layer that every engine knows
_BLOCK, _CHUNK = 512, 1 << 18
_MOST_LINKS = 40  # as many symbolic links as the kernel follows in one path: path_resolution(7)

# st_mode's kinds: what tar calls them, and their bits in Go's os.FileMode, which the Docker API speaks.
KINDS: dict[int, tuple[bytes | None, int]] = {
    stat.S_IFREG: (tarfile.REGTYPE, 0),
    stat.S_IFDIR: (tarfile.DIRTYPE, 1 << 31),
    stat.S_IFLNK: (tarfile.SYMTYPE, 1 << 27),
    stat.S_IFIFO: (tarfile.FIFOTYPE, 1 << 25),
    stat.S_IFCHR: (tarfile.CHRTYPE, 1 << 26 | 1 << 21),
    stat.S_IFBLK: (tarfile.BLKTYPE, 1 << 26),
    stat.S_IFSOCK: (None, 1 << 24),
}
GO_BITS = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))


def pack(
    root_fd: int, path: str, *, top: str | None = None, exact_times: bool = False, one_mount: bool = False
) -> Iterator[bytes]:
    """The file or folder at `path` as a tar whose top name is `top`, or else the path's last part.

    With top="" a folder's content stands at the archive's own root, as `docker export` has it. `exact_times` keeps
    fractions of seconds. `one_mount` leaves out what is mounted inside, but for the empty places that it is mounted
    on. Raises FileNotFoundError at the first piece. Source: Docker API ContainerArchive, ContainerExport.
    """
    packer = Packer(exact_times, one_mount)
    with beneath.opened(root_fd, path, _last_flags(path), beneath.IN_ROOT) as fd:
        there = os.fstat(fd)
        name = base_name(path) if top is None else top
        if stat.S_ISDIR(there.st_mode):
            yield from _pack_folder(packer, fd, there, name)
        else:
            above, base = posixpath.split(_clean(path))
            with beneath.opened(root_fd, above) as folder:
                yield from packer.add(folder, base, name)
    yield END


def _pack_folder(packer: Packer, fd: int, there: os.stat_result, top: str) -> Iterator[bytes]:
    if top:
        yield packer.header(top, there, xattrs=_xattrs(fd))
    for inner, _ in walk(fd, one_mount=packer.one_mount):
        yield from packer.add(fd, inner, posixpath.join(top, inner))


def stat_path(root_fd: int, path: str) -> dict[str, object]:
    """What is at a path: name, size, mode as Go's os.FileMode, mtime, and where a symbolic link leads at last.

    Raises FileNotFoundError. Source: Docker API ContainerArchiveInfo, header X-Docker-Container-Path-Stat.
    """
    with beneath.opened(root_fd, path, _last_flags(path), beneath.IN_ROOT) as fd:
        there = os.fstat(fd)
    return {
        "name": base_name(path),
        "size": there.st_size,
        "mode": go_mode(there.st_mode),
        "mtime": rfc3339(there.st_mtime_ns),
        "linkTarget": final_target(root_fd, _clean(path)) if stat.S_ISLNK(there.st_mode) else "",
    }


def base_name(path: str) -> str:
    """The last part of a path as Docker names it: "." for `folder/.`, "/" for the root."""
    if posixpath.basename(path) == ".":
        return "."
    return posixpath.basename(_clean(path)) or "/"


def go_mode(mode: int) -> int:
    """A st_mode of inode(7) in the bits of Go's os.FileMode."""
    special = sum(go for unix, go in GO_BITS if mode & unix)
    return KINDS[stat.S_IFMT(mode)][1] | special | (mode & 0o777)


def rfc3339(nanoseconds: int) -> str:
    """A time as Go prints it: RFC 3339 in UTC, without trailing zeros in the fraction."""
    seconds, rest = divmod(nanoseconds, 10**9)
    fraction = f".{rest:09}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def final_target(root: int, path: str) -> str:
    """Follow the links at `path` to their end, as text: the end may not exist."""
    done, todo, links = "/", [part for part in path.split("/") if part], 0
    while todo:
        part = todo.pop(0)
        here = posixpath.normpath(posixpath.join(done, part))
        target = _link_text(root, here) if links < _MOST_LINKS else None
        if target is None:
            done = here
            continue
        links += 1
        done = "/" if target.startswith("/") else done
        todo = [part for part in target.split("/") if part] + todo
    return done


def _link_text(root: int, path: str) -> str | None:
    try:
        with beneath.opened(root, path, os.O_PATH | os.O_NOFOLLOW) as fd:
            return os.readlink("", dir_fd=fd)
    except OSError:
        return None


def _clean(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))


def _last_flags(path: str) -> int:
    """A link at the end is meant itself, unless the path says "the folder behind it" with a slash."""
    return os.O_PATH if path.endswith(("/", "/.")) else os.O_PATH | os.O_NOFOLLOW


def walk(root: int, *, one_mount: bool = False) -> Iterator[tuple[str, os.stat_result]]:
    """Every path beneath an open folder and what is there: folders before their content, sorted, links not followed.

    Holds names, not descriptors, so depth costs nothing. What vanishes meanwhile is passed over.
    """
    todo: list[tuple[str, os.stat_result | None]] = [("", None)]
    while todo:
        path, there = todo.pop()
        if there:
            yield path, there
        if there is None or stat.S_ISDIR(there.st_mode):
            inner = sorted(content(root, path, one_mount).items(), reverse=True)  # the list is taken from its end
            todo += [(f"{path}/{name}" if path else name, below) for name, below in inner]


def content(root: int, path: str, one_mount: bool = False) -> dict[str, os.stat_result]:
    """The names in a folder beneath `root`, and what each is; none with `one_mount` where something is mounted."""
    found: dict[str, os.stat_result] = {}
    if one_mount and path and is_mount(root, path):
        return found
    with (
        contextlib.suppress(*beneath.VANISHED),
        beneath.opened(root, path, os.O_RDONLY | os.O_DIRECTORY, beneath.NO_LINKS) as fd,
    ):
        for entry in os.scandir(fd):
            with contextlib.suppress(FileNotFoundError):
                found[entry.name] = entry.stat(follow_symlinks=False)
    return found


def is_mount(folder: int, name: str) -> bool:
    """Whether something is mounted on a name: then openat2(2) says EXDEV to who may not leave this mount."""
    try:
        os.close(linux.openat2(folder, name, os.O_PATH | os.O_NOFOLLOW, 0, linux.RESOLVE_NO_XDEV))
    except OSError as error:
        return error.errno == errno.EXDEV
    return False


@dataclass
class Packer:
    """Turns files into tar entries, and remembers those with several names: the second becomes a hard link."""

    exact_times: bool = False
    one_mount: bool = False
    _first_names: dict[tuple[int, int], str] = field(default_factory=dict)

    def add(self, root: int, path: str, name: str) -> Iterator[bytes]:
        """The entry for `path` beneath `root`, under the name `name`: header, bytes, padding."""
        folder_path, base = os.path.split(path)
        with (
            contextlib.suppress(*beneath.VANISHED),
            beneath.opened(root, folder_path, resolve=beneath.NO_LINKS) as folder,
        ):
            yield from self._add(folder, base, name)

    def _add(self, folder: int, base: str, name: str) -> Iterator[bytes]:
        there = os.stat(base, dir_fd=folder, follow_symlinks=False)
        first = self._first_names.setdefault((there.st_dev, there.st_ino), name) if there.st_nlink > 1 else name
        if first != name and not stat.S_ISDIR(there.st_mode):
            yield self.header(name, there, link=first)
        elif stat.S_ISREG(there.st_mode) and self.one_mount and is_mount(folder, base):
            yield empty_file(name)
        elif stat.S_ISREG(there.st_mode):
            yield from self._file(folder, base, name)
        elif stat.S_ISDIR(there.st_mode):
            with beneath.opened(folder, base, os.O_PATH | os.O_DIRECTORY, beneath.NO_LINKS) as fd:
                yield self.header(name, there, xattrs=_xattrs(fd))
        elif stat.S_ISLNK(there.st_mode):
            yield self.header(name, there, target=os.readlink(base, dir_fd=folder))
        elif not stat.S_ISSOCK(there.st_mode):
            yield self.header(name, there)

    def _file(self, folder: int, base: str, name: str) -> Iterator[bytes]:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a fifo swapped in must not block
        with open(os.open(base, flags, dir_fd=folder), "rb", buffering=0) as file:
            there = os.fstat(file.fileno())
            if stat.S_ISREG(there.st_mode):
                yield self.header(name, there, xattrs=_xattrs(file.fileno()))
                left = there.st_size
                while left and (data := file.read(min(left, _CHUNK))):
                    left -= len(data)
                    yield data
                yield from _zeros(left + -there.st_size % _BLOCK)  # it may have shrunk since its size was written

    def header(
        self,
        name: str,
        there: os.stat_result,
        *,
        link: str = "",
        target: str = "",
        xattrs: dict[str, str] | None = None,
    ) -> bytes:
        """One entry's header block, with pax records where the old format is too narrow."""
        info = tarfile.TarInfo(name)
        kind = KINDS[stat.S_IFMT(there.st_mode)][0]
        info.type = tarfile.LNKTYPE if link else kind or tarfile.REGTYPE
        info.linkname = link or target
        info.size = there.st_size if info.type == tarfile.REGTYPE else 0
        info.mode, info.uid, info.gid = stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid
        info.mtime = there.st_mtime_ns // 10**9
        if info.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
            info.devmajor, info.devminor = os.major(there.st_rdev), os.minor(there.st_rdev)
        info.pax_headers = {XATTR + key: value for key, value in (xattrs or {}).items()}
        if self.exact_times:
            info.pax_headers["mtime"] = f"{info.mtime}.{there.st_mtime_ns % 10**9:09}"
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def empty_file(name: str) -> bytes:
    """The entry of an empty file that no disk has, such as a whiteout; the same bytes each time."""
    return tarfile.TarInfo(name).tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield bytes(min(count, _CHUNK))
        count -= _CHUNK


def _xattrs(fd: int) -> dict[str, str]:
    """The extended attributes that an archive may carry, of a file or a folder (an O_PATH descriptor will do)."""
    path, found = f"/proc/self/fd/{fd}", {}
    with contextlib.suppress(OSError):  # a file system without them, or gone
        for key in sorted(os.listxattr(path)):
            if key in KEPT_XATTRS or (key.startswith(KEPT_XATTR_PREFIX) and not key.startswith(OVERLAYS_OWN)):
                found[key] = os.getxattr(path, key).decode("utf-8", "surrogateescape")
    return found
