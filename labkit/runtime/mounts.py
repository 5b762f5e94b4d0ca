"""The container's file tree: OCI mounts turned into mount(2) calls, each on a checked place below the root.

An image is a stranger's file tree. Whoever joins "root" and "/proc" as strings may find that the image holds a link
named `proc` that leads elsewhere. So every place is opened beneath the root's descriptor by openat2(2), and mounted
on through that descriptor.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from labkit import linux

# mount options (mount(8)) -> (flags to set, flags to clear)
OPTIONS: dict[str, tuple[int, int]] = {
    "defaults": (0, 0),
    "ro": (linux.MS_RDONLY, 0),
    "rw": (0, linux.MS_RDONLY),
    "nosuid": (linux.MS_NOSUID, 0),
    "suid": (0, linux.MS_NOSUID),
    "nodev": (linux.MS_NODEV, 0),
    "dev": (0, linux.MS_NODEV),
    "noexec": (linux.MS_NOEXEC, 0),
    "exec": (0, linux.MS_NOEXEC),
    "sync": (linux.MS_SYNCHRONOUS, 0),
    "noatime": (linux.MS_NOATIME, 0),
    "nodiratime": (linux.MS_NODIRATIME, 0),
    "relatime": (linux.MS_RELATIME, 0),
    "strictatime": (linux.MS_STRICTATIME, 0),
    "bind": (linux.MS_BIND, 0),
    "rbind": (linux.MS_BIND | linux.MS_REC, 0),
}
PROPAGATION = {
    "private": linux.MS_PRIVATE,
    "rprivate": linux.MS_PRIVATE | linux.MS_REC,
    "slave": linux.MS_SLAVE,
    "rslave": linux.MS_SLAVE | linux.MS_REC,
    "shared": linux.MS_SHARED,
    "rshared": linux.MS_SHARED | linux.MS_REC,
}
KERNEL_TREES = ("proc", "sysfs", "cgroup", "cgroup2")  # never mounted through a link of the image's


@dataclass(frozen=True)
class MountCall:
    """The arguments of one mount(2), and the propagation to be set by a second one."""

    source: str
    target: str
    fstype: str
    flags: int
    data: str | None
    propagation: int
    subpath: str = ""


def mount_call(mount: dict[str, Any]) -> MountCall:
    """Translate one entry of OCI `mounts`; an option that is no known word belongs to the file system."""
    flags, propagation, data = 0, 0, []
    for option in mount.get("options") or ():
        if option in OPTIONS:
            on, off = OPTIONS[option]
            flags = (flags | on) & ~off
        elif option in PROPAGATION:
            propagation |= PROPAGATION[option]
        else:
            data.append(option)
    fstype = "cgroup2" if mount.get("type") == "cgroup" else mount.get("type", "none")
    source, words = mount.get("source", fstype), ",".join(data) or None
    return MountCall(source, mount["destination"], fstype, flags, words, propagation, mount.get("subpath", ""))


def mount_rootfs(mounts: Sequence[dict[str, Any]], path: str) -> int:
    """Mount the root file system on `path`, in the caller's mount namespace; return its root's descriptor."""
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_SLAVE)  # what happens here must not show outside
    for mount in mounts:
        call = mount_call(mount)
        linux.mount(call.source, path, call.fstype, call.flags, call.data)
    if not mounts:
        linux.mount(path, path, None, linux.MS_BIND | linux.MS_REC)  # pivot_root wants a mount point
    linux.mount(None, path, None, linux.MS_PRIVATE)
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def mount_all(root: int, mounts: Sequence[dict[str, Any]]) -> None:
    """Make each OCI mount below the root, in order: later ones may lie inside earlier ones."""
    for mount in mounts:
        call = mount_call(mount)
        try:
            with _source(call) as source:
                _mount_on(root, replace(call, source=source))
        except OSError as refusal:
            # A kernel tree that a nested or rootless place refuses is left out only where the config says so.
            if "optional" not in (mount.get("annotations") or ()):
                raise OSError(refusal.errno, f"{call.target}: {refusal.strerror}") from refusal


@contextmanager
def _source(call: MountCall) -> Iterator[str]:
    """Where a mount comes from. A part of a folder is opened beneath it: no link in there leads the mount out of it."""
    if not call.subpath:
        yield call.source
        return
    folder = os.open(call.source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        inside = linux.RESOLVE_IN_ROOT | linux.RESOLVE_NO_MAGICLINKS
        part = linux.openat2(folder, call.subpath, os.O_PATH, resolve=inside)
    finally:
        os.close(folder)
    try:
        yield f"/proc/self/fd/{part}"
    finally:
        os.close(part)


def _mount_on(root: int, call: MountCall) -> None:
    flags = call.flags
    if not flags & linux.MS_BIND:
        with _place(root, call) as target:
            linux.mount(call.source, target, call.fstype, flags, call.data)
    else:  # the kernel ignores all but MS_REC in the first call of a bind mount
        with _place(root, call) as target:
            linux.mount(call.source, target, None, flags & (linux.MS_BIND | linux.MS_REC))
        if flags & ~(linux.MS_BIND | linux.MS_REC):
            with _place(root, call) as target:
                _remount(target, flags & ~linux.MS_REC)
    if call.propagation:
        with _place(root, call) as target:
            linux.mount(None, target, None, call.propagation)


@contextmanager
def _place(root: int, call: MountCall) -> Iterator[str]:
    """The call's place as a path that nobody can turn: opened anew each time, so that it shows the newest mount."""
    is_file = bool(call.flags & linux.MS_BIND) and not os.path.isdir(call.source)
    fd = open_place(root, call.target, is_file=is_file, follow=call.fstype not in KERNEL_TREES)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


# A user namespace may not take these away from a mount that came from outside: mount_namespaces(7), locked flags.
_LOCKED = {
    os.ST_NOSUID: linux.MS_NOSUID,
    os.ST_NODEV: linux.MS_NODEV,
    os.ST_NOEXEC: linux.MS_NOEXEC,
    os.ST_NOATIME: linux.MS_NOATIME,
    os.ST_NODIRATIME: linux.MS_NODIRATIME,
    os.ST_RELATIME: linux.MS_RELATIME,
    os.ST_RDONLY: linux.MS_RDONLY,
}


def _remount(target: str, flags: int) -> None:
    """Change a bind mount's flags, keeping those that its source already has."""
    present = os.statvfs(target).f_flag
    kept = sum(ms for st, ms in _LOCKED.items() if present & st)
    linux.mount(None, target, None, flags | kept | linux.MS_REMOUNT | linux.MS_BIND)


def open_place(root: int, path: str, *, is_file: bool = False, follow: bool = True) -> int:
    """Open the place that `path` names below the root, made if it is missing; an O_PATH descriptor.

    Links of the image are resolved as they are inside the container, never out of it; without `follow` a link on
    the way is an error (ELOOP), as runc's and crun's of 2026 are (CVE-2026-41579).
    """
    resolve = linux.RESOLVE_IN_ROOT | linux.RESOLVE_NO_MAGICLINKS
    if not follow:
        resolve |= linux.RESOLVE_NO_SYMLINKS
    relative = path.strip("/") or "."
    try:
        return linux.openat2(root, relative, os.O_PATH, resolve=resolve)
    except FileNotFoundError:
        _make_place(root, relative, is_file=is_file, resolve=resolve)
        return linux.openat2(root, relative, os.O_PATH, resolve=resolve)


def _make_place(root: int, path: str, *, is_file: bool, resolve: int) -> None:
    parent = os.dup(root)
    *folders, last = [part for part in path.split("/") if part not in ("", ".")]
    try:
        for depth, name in enumerate(folders, 1):
            with suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=parent)
            below = linux.openat2(root, "/".join(folders[:depth]), os.O_PATH | os.O_DIRECTORY, resolve=resolve)
            os.close(parent)
            parent = below
        if is_file:
            os.close(os.open(last, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644, dir_fd=parent))
        else:
            os.mkdir(last, 0o755, dir_fd=parent)
    finally:
        os.close(parent)


def pivot(root: int) -> None:
    """Make the new root the root: pivot_root(2) with both names ".", which stacks the old root on the new one.

    chroot would only hide the old tree; pivot_root and the detaching of the old root take it away.
    """
    os.fchdir(root)
    linux.pivot_root(".", ".")
    linux.umount2(".", linux.MNT_DETACH)
    os.chdir("/")


def mask(path: str) -> None:
    """Hide a path: /dev/null over a file, an empty read-only tmpfs over a folder."""
    try:
        mode = os.stat(path).st_mode
    except OSError as absent:
        if absent.errno in (errno.ENOENT, errno.ENOTDIR):
            return
        raise
    if stat.S_ISDIR(mode):
        linux.mount("tmpfs", path, "tmpfs", linux.MS_RDONLY, "size=0k")
    else:
        linux.mount("/dev/null", path, None, linux.MS_BIND)


def make_readonly(path: str) -> None:
    """Make what lies at a path read-only, by a bind mount of it on itself."""
    try:
        linux.mount(path, path, None, linux.MS_BIND | linux.MS_REC)
    except FileNotFoundError:
        return
    _remount(path, linux.MS_RDONLY)


def make_readonly_root() -> None:
    """Make the root mount itself read-only; what is mounted below stays as it is."""
    _remount("/", linux.MS_RDONLY)
