"""Unpack an archive beneath a root, as if that root were `/` and nothing else existed.

The archive may be hostile, and the root may be that of a running container which swaps folders for links meanwhile.
So each entry's folder is opened by the kernel inside the root (beneath.py), and the entry is made in that folder by
calls that don't follow links. Nothing is decided by looking first and acting later.

Two kinds of archive come here. A *layer* holds whiteouts and may hold devices. A plain one (`docker cp`) holds neither.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field

from labkit import linux
from labkit.engine.images import beneath
from labkit.engine.images.tarstream import LIMITS, BadArchive, Entry, Limits, Readable, entries, split
from labkit.engine.images.whiteouts import Deletions

KEPT_XATTRS = ("security.capability",)  # what makes `ping` work without setuid
KEPT_XATTR_PREFIX, OVERLAYS_OWN = "user.", "user.overlay."  # the latter would let an archive drive the mount


@dataclass(frozen=True)
class Rules:
    """What this archive may do. `deletes`: on a plain file system, whiteouts are carried out at once (vfs)."""

    layer: bool = False
    deletes: bool = False
    devices: bool = False
    userxattr: bool = False
    keep_kind: bool = False
    owner: tuple[int, int] | None = None


@dataclass
class Extracted:
    """What happened: entries made, bytes of files and links, and what this user was not allowed to keep."""

    entries: int = 0
    size: int = 0
    owners_lost: int = 0
    xattrs_lost: int = 0
    devices_skipped: int = 0


def extract(
    stream: Readable,
    root_fd: int,
    path: str = "/",
    *,
    layer: bool = False,
    userxattr: bool = False,
    apply_deletes: bool = False,
    devices: bool = False,
    no_overwrite_dir_non_dir: bool = False,
    copy_uidgid: tuple[int, int] | None = None,
    limits: Limits = LIMITS,
) -> Extracted:
    """Unpack a tar into the folder `path` beneath `root_fd`.

    `layer` turns `.wh.` names into overlay's whiteouts, or with `apply_deletes` into deletions. A folder never
    replaces a file, nor a file a folder, with `no_overwrite_dir_non_dir`. `copy_uidgid` is an owner for everything,
    instead of those in the archive. Raises BadArchive, and OSError where the disk is full or `path` is no folder.
    Source: Docker API PutContainerArchive; OCI image spec, layer.md.
    """
    rules = Rules(layer, apply_deletes, layer or devices, userxattr, no_overwrite_dir_non_dir, copy_uidgid)
    with beneath.opened(root_fd, path):  # fails early, before a byte of the archive is read
        unpacker = _Unpacker(root_fd, [part for part in path.split("/") if part], rules)
    try:
        for entry in entries(stream, limits):
            unpacker.unpack(entry)
        unpacker.finish_folders()
    finally:
        unpacker.close()
    return unpacker.done


@dataclass
class _Unpacker:
    root: int
    base: list[str]
    rules: Rules
    done: Extracted = field(default_factory=Extracted)
    _folders: dict[str, tuple[tarfile.TarInfo, tuple[int, int]]] = field(default_factory=dict)
    _open: tuple[str, int] | None = None  # the last entry's folder; most neighbours share it

    def __post_init__(self) -> None:
        self._deletions = Deletions(self._folder, at_once=self.rules.deletes, userxattr=self.rules.userxattr)

    def close(self) -> None:
        if self._open:
            os.close(self._open[1])
        self._open = None

    def unpack(self, entry: Entry) -> None:
        """Make one entry. What the kernel refuses because of the archive is the archive's fault, and named so."""
        self.done.entries += 1
        try:
            if not entry.parts:
                self._root_entry(entry)
            elif not (self.rules.layer and self._deletions.carried_out(entry)):
                self._make(entry)
        except OSError as error:
            if error.errno in _THE_ARCHIVES_FAULT:
                raise BadArchive(f"{error.strerror} ({error.filename})", entry.name) from error
            raise
        except (ValueError, OverflowError) as error:  # zero bytes in a link, numbers that no file has
            if isinstance(error, BadArchive):
                raise
            raise BadArchive(str(error), entry.name) from error

    def finish_folders(self) -> None:
        """Give folders their mode and time last: a read-only one could not be filled, and filling changes its time."""
        self.close()
        for path, (info, identity) in reversed(self._folders.items()):
            try:
                fd = linux.openat2(self.root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, 0, beneath.IN_ROOT)
            except OSError:
                continue  # replaced by a later entry, or by the container
            try:
                now = os.fstat(fd)
                if (now.st_dev, now.st_ino) == identity:
                    self._set_xattrs(fd, Entry([], info))
                    os.chmod(fd, info.mode & 0o7777)
                    os.utime(fd, ns=_times(info))
            finally:
                os.close(fd)

    # --- where ---------------------------------------------------------------------------------------------------
    def _folder(self, parts: list[str]) -> int:
        """The folder that an entry stands in, made if missing. Valid until the next call."""
        path = "/".join(self.base + parts)
        if not (self._open and self._open[0] == path):
            self._deletions.uncover(parts)
            fd = beneath.make_folders(self.root, self.base + parts)
            self.close()
            self._open = (path, fd)
        assert self._open
        return self._open[1]

    def _clear(self, folder: int, name: str, entry: Entry) -> None:
        """Take away what stands where `entry` goes, unless both are folders."""
        there = beneath.lstat(folder, name)
        if there is None or (stat.S_ISDIR(there.st_mode) and entry.info.isdir()):
            return
        if self.rules.keep_kind and stat.S_ISDIR(there.st_mode) != entry.info.isdir():
            old, new = ("directory", "non-directory") if stat.S_ISDIR(there.st_mode) else ("non-directory", "directory")
            raise BadArchive(f"cannot overwrite {old} with {new}", entry.name)
        beneath.remove_tree(folder, name)

    # --- what ----------------------------------------------------------------------------------------------------
    def _root_entry(self, entry: Entry) -> None:
        if not entry.info.isdir():
            raise BadArchive("the root is not a folder", entry.name)
        if self.rules.layer:
            with beneath.opened(self.root, ".") as fd:
                self._note_folder(fd, ".", entry)

    def _make(self, entry: Entry) -> None:
        make = next((make for kind, make in _MAKERS if kind(entry.info)), None)
        if make is None:
            raise BadArchive(f"a kind of file that is unknown here ({entry.info.type!r})", entry.name)
        if entry.info.isdir():
            self._deletions.uncover(entry.parts)
        folder, name = self._folder(entry.parts[:-1]), entry.parts[-1]
        self._clear(folder, name, entry)
        self._deletions.note(entry.parts)
        make(self, folder, name, entry)

    def _make_folder(self, folder: int, name: str, entry: Entry) -> None:
        if beneath.lstat(folder, name) is None:
            os.mkdir(name, 0o700, dir_fd=folder)
        self._own(folder, name, entry)
        with beneath.opened(folder, name, resolve=beneath.NO_LINKS) as fd:
            self._note_folder(fd, "/".join(self.base + entry.parts), entry)

    def _note_folder(self, fd: int, path: str, entry: Entry) -> None:
        now = os.fstat(fd)
        self._folders.pop(path, None)  # listed twice: the later one counts, also for the order
        self._folders[path] = (entry.info, (now.st_dev, now.st_ino))

    def _make_file(self, folder: int, name: str, entry: Entry) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
            for data in entry.chunks():
                file.write(data)
                self.done.size += len(data)
            file.flush()
            self._own(folder, name, entry, file.fileno())
            os.fchmod(file.fileno(), entry.info.mode & 0o7777)  # after chown(2), which clears setuid
            self._set_xattrs(file.fileno(), entry)  # after chown(2), which clears capabilities
            os.utime(file.fileno(), ns=_times(entry.info))

    def _make_link(self, folder: int, name: str, entry: Entry) -> None:
        os.symlink(entry.info.linkname, name, dir_fd=folder)  # text, followed by nobody here
        self.done.size += len(os.fsencode(entry.info.linkname))
        self._own(folder, name, entry)
        os.utime(name, ns=_times(entry.info), dir_fd=folder, follow_symlinks=False)

    def _make_hard_link(self, folder: int, name: str, entry: Entry) -> None:
        target = split(entry.info.linkname)
        if not target:
            raise BadArchive("a hard link to the root", entry.name)
        with beneath.opened(self.root, "/".join(self.base + target[:-1])) as other:
            os.link(target[-1], name, src_dir_fd=other, dst_dir_fd=folder, follow_symlinks=False)

    def _make_fifo(self, folder: int, name: str, entry: Entry) -> None:
        os.mkfifo(name, 0o600, dir_fd=folder)
        self._finish_special(folder, name, entry)

    def _make_device(self, folder: int, name: str, entry: Entry) -> None:
        info = entry.info
        number = os.makedev(info.devmajor, info.devminor)
        if not self.rules.devices:
            raise BadArchive("a device, which only an image may hold", entry.name)
        if number == 0 and info.ischr():
            raise BadArchive("the device 0:0, which is overlay's own mark for a deleted file", entry.name)
        try:
            os.mknod(name, 0o600 | (stat.S_IFCHR if info.ischr() else stat.S_IFBLK), number, dir_fd=folder)
        except PermissionError:  # a user namespace makes no devices; a container gets its own /dev anyway
            self.done.devices_skipped += 1
            return
        self._finish_special(folder, name, entry)

    def _finish_special(self, folder: int, name: str, entry: Entry) -> None:
        self._own(folder, name, entry)
        beneath.chmod(folder, name, entry.info.mode & 0o7777)
        os.utime(name, ns=_times(entry.info), dir_fd=folder, follow_symlinks=False)

    def _own(self, folder: int, name: str, entry: Entry, fd: int | None = None) -> None:
        uid, gid = self.rules.owner or (entry.info.uid, entry.info.gid)
        try:
            if fd is not None:
                os.fchown(fd, uid, gid)
            else:
                os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)
        except (PermissionError, OverflowError):
            self.done.owners_lost += 1
        except OSError as error:  # EINVAL: this user namespace has no such id
            if error.errno != errno.EINVAL:
                raise
            self.done.owners_lost += 1

    def _set_xattrs(self, fd: int, entry: Entry) -> None:
        for key, value in entry.xattrs().items():
            if key not in KEPT_XATTRS and (not key.startswith(KEPT_XATTR_PREFIX) or key.startswith(OVERLAYS_OWN)):
                continue
            try:
                os.setxattr(fd, key, value)
            except OSError:  # not allowed here, or a file system without them
                self.done.xattrs_lost += 1


def _times(info: tarfile.TarInfo) -> tuple[int, int]:
    """Access and modification time in nanoseconds; tarfile has seconds, with a fraction only from pax records."""
    seconds, _, fraction = info.pax_headers.get("mtime", "").partition(".")
    try:
        exact = seconds.isdigit() and (not fraction or fraction.isdigit())
        when = int(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9]) if exact else int(info.mtime) * 10**9
    except (ValueError, OverflowError):  # a time of infinity, or with thousands of digits
        when = 0
    when = max(-(2**62), min(when, 2**62))
    return when, when


_THE_ARCHIVES_FAULT = {
    errno.EEXIST,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.EMLINK,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EXDEV,
}

_MAKERS: tuple[tuple[Callable[[tarfile.TarInfo], bool], Callable[[_Unpacker, int, str, Entry], None]], ...] = (
    (tarfile.TarInfo.isdir, _Unpacker._make_folder),
    (tarfile.TarInfo.isreg, _Unpacker._make_file),
    (tarfile.TarInfo.issym, _Unpacker._make_link),
    (tarfile.TarInfo.islnk, _Unpacker._make_hard_link),
    (tarfile.TarInfo.isfifo, _Unpacker._make_fifo),
    (tarfile.TarInfo.isdev, _Unpacker._make_device),
)
