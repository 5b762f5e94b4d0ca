"""The door to the kernel: the system calls that make a container, under their man-page names.

Nothing here decides anything. Each function is one call of section 2 of the manual that Python's `os` module does
not offer, with the same argument order; each failure is an `OSError` that repeats the call as it was made. This is
the only module of the project that uses ctypes.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import contextmanager

# --- namespaces: clone(2), namespaces(7) ------------------------------------------------------------------------
CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000  # mount namespaces were the first kind, hence the bare name
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_PARENT = 0x00008000
CLONE_INTO_CGROUP = 0x200000000

# --- mounts: mount(2), umount(2) --------------------------------------------------------------------------------
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
MS_SYNCHRONOUS, MS_REMOUNT, MS_MANDLOCK, MS_DIRSYNC = 0x10, 0x20, 0x40, 0x80
MS_NOSYMFOLLOW, MS_NOATIME, MS_NODIRATIME = 0x100, 0x400, 0x800
MS_BIND, MS_MOVE, MS_REC, MS_SILENT = 0x1000, 0x2000, 0x4000, 0x8000
MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 17, 1 << 18, 1 << 19, 1 << 20
MS_RELATIME, MS_STRICTATIME, MS_LAZYTIME = 1 << 21, 1 << 24, 1 << 25
MNT_DETACH = 2

# --- openat2(2): how a path is resolved -------------------------------------------------------------------------
RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS = 0x01, 0x02, 0x04
RESOLVE_BENEATH, RESOLVE_IN_ROOT = 0x08, 0x10

# --- prctl(2) ---------------------------------------------------------------------------------------------------
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAPBSET_DROP = 1, 4, 8, 24
PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER, PR_CAP_AMBIENT = 38, 36, 47
PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_CLEAR_ALL = 2, 4

# --- inotify(7) -------------------------------------------------------------------------------------------------
IN_MODIFY, IN_MOVE_SELF, IN_DELETE_SELF, IN_CLOEXEC, IN_NONBLOCK = 0x2, 0x800, 0x400, 0o2000000, 0o4000

# Calls that glibc does not wrap, by number (arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h).
_NUMBERS = {
    "x86_64": {"pivot_root": 155, "seccomp": 317, "bpf": 321, "capset": 126, "keyctl": 250, "finit_module": 313},
    "aarch64": {"pivot_root": 41, "seccomp": 277, "bpf": 280, "capset": 91, "keyctl": 219, "finit_module": 273},
}
_SINCE_5_0 = {"clone3": 435, "close_range": 436, "openat2": 437}  # new calls have one number everywhere
_NR = {**_NUMBERS.get(platform.machine(), {}), **_SINCE_5_0}

# PyDLL keeps the interpreter lock: a child made by clone3 comes back holding it, like its parent.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.sethostname.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_libc.setdomainname.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_libc.inotify_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]

Path = str | bytes


def _check(result: int, call: str, *arguments: object) -> int:
    """Pass a result on, or raise an OSError that shows the failed call with its arguments."""
    if result >= 0:
        return result
    code = ctypes.get_errno()
    shown = ", ".join(repr(os.fsdecode(a) if isinstance(a, bytes) else a) for a in arguments)
    raise OSError(code, f"{call}({shown}): {os.strerror(code)}")


def _syscall(name: str, *arguments: object) -> int:
    number = _NR.get(name)
    if number is None:
        raise OSError(errno.ENOSYS, f"{name}: its number is not known for {platform.machine()}")
    return int(_libc.syscall(number, *arguments))


def unshare(flags: int) -> None:
    """Move the caller into new namespaces: unshare(2). EINVAL for CLONE_NEWUSER in a process with threads."""
    _check(_libc.unshare(flags), "unshare", hex(flags))


def setns(fd: int, flags: int = 0) -> None:
    """Join the namespace that `fd` refers to, or, with a pidfd, each kind named in `flags`: setns(2)."""
    _check(_libc.setns(fd, flags), "setns", fd, hex(flags))


_clone_args = (ctypes.c_uint64 * 11)()  # struct clone_args of clone(2): flags 0, exit_signal 4, cgroup 10


def clone3(flags: int, *, exit_signal: int = 17, cgroup: int | None = None) -> int:
    """Make a child in new namespaces, already inside a v2 cgroup if its folder's fd is given: clone3(2).

    Returns 0 in the child, the child's pid in the parent. Only for a process with a single thread: the child goes
    on with a copy of the parent's memory, and locks that other threads held would never be let go.
    """
    _clone_args[0] = flags | (CLONE_INTO_CGROUP if cgroup is not None else 0)
    _clone_args[4] = 0 if flags & CLONE_PARENT else exit_signal
    _clone_args[10] = cgroup if cgroup is not None else 0
    return _check(_syscall("clone3", ctypes.byref(_clone_args), ctypes.c_size_t(88)), "clone3", hex(flags))


def mount(source: Path | None, target: Path, fstype: Path | None, flags: int = 0, data: Path | None = None) -> None:
    """Attach a file system, or change or copy a mount: mount(2)."""
    as_bytes = [a.encode() if isinstance(a, str) else a for a in (source, target, fstype, data)]
    result = _libc.mount(as_bytes[0], as_bytes[1], as_bytes[2], flags, as_bytes[3])
    _check(result, "mount", source, target, fstype, hex(flags), data)


def umount2(target: Path, flags: int = 0) -> None:
    """Detach a mount: umount2(2)."""
    _check(_libc.umount2(os.fsencode(target), flags), "umount2", target, flags)


def pivot_root(new_root: Path, put_old: Path) -> None:
    """Make `new_root` the root of this mount namespace and hang the old one on `put_old`: pivot_root(2)."""
    _check(_syscall("pivot_root", os.fsencode(new_root), os.fsencode(put_old)), "pivot_root", new_root, put_old)


def openat2(dirfd: int, path: Path, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """Open a path below a folder's fd, and let the kernel watch where the path may lead: openat2(2).

    EAGAIN means that a rename raced with `..`; it is tried again a few times, as the man page advises.
    """
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, resolve)
    for _ in range(32):
        fd = _syscall("openat2", dirfd, os.fsencode(path), how, ctypes.c_size_t(len(how)))
        if fd >= 0 or ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), os.fsdecode(path))
    return fd


def sethostname(name: Path) -> None:
    """Name this UTS namespace: sethostname(2)."""
    raw = os.fsencode(name)
    _check(_libc.sethostname(raw, len(raw)), "sethostname", name)


def setdomainname(name: Path) -> None:
    """Set the NIS domain of this UTS namespace: setdomainname(2)."""
    raw = os.fsencode(name)
    _check(_libc.setdomainname(raw, len(raw)), "setdomainname", name)


def prctl(option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> int:
    """Ask the kernel for one thing about the calling process: prctl(2)."""
    return _check(_libc.prctl(option, arg2, arg3, arg4, arg5), "prctl", option, arg2, arg3)


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set the caller's capability sets, one bit a capability: capset(2)."""
    header = struct.pack("Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    halves = [half for shift in (0, 32) for half in (effective >> shift, permitted >> shift, inheritable >> shift)]
    data = struct.pack("6I", *(half & 0xFFFFFFFF for half in halves))
    _check(_syscall("capset", header, data), "capset", hex(effective), hex(permitted), hex(inheritable))


def close_range(first: int, last: int, flags: int = 0) -> None:
    """Close, or with flag 4 mark close-on-exec, a whole range of descriptors: close_range(2)."""
    result = _syscall("close_range", ctypes.c_uint(first), ctypes.c_uint(last), flags)
    _check(result, "close_range", first, last, flags)


CLOSE_RANGE_CLOEXEC = 4


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def seccomp_set_mode_filter(program: bytes) -> None:
    """Install a classic BPF program that judges every later system call of this process: seccomp(2)."""
    fprog = _SockFprog(len(program) // 8, program)
    _check(_syscall("seccomp", 1, 0, ctypes.byref(fprog)), "seccomp", "SECCOMP_SET_MODE_FILTER")


def keyctl_join_session_keyring() -> None:
    """Begin a session keyring of one's own, so that the caller's keys can't be read: keyctl(2)."""
    _check(_syscall("keyctl", 1, None), "keyctl", "KEYCTL_JOIN_SESSION_KEYRING")


_BPF_PROG_LOAD, _BPF_PROG_ATTACH = 5, 8
_BPF_PROG_TYPE_CGROUP_DEVICE, _BPF_CGROUP_DEVICE, _BPF_F_ALLOW_MULTI = 15, 6, 2


def bpf_prog_load(instructions: bytes) -> int:
    """Load an eBPF program of type CGROUP_DEVICE and return its descriptor: bpf(2)."""
    code, licence = ctypes.create_string_buffer(instructions), ctypes.create_string_buffer(b"Apache-2.0")
    fields = (ctypes.addressof(code), ctypes.addressof(licence))
    count = len(instructions) // 8
    attr = struct.pack("IIQQIIQII", _BPF_PROG_TYPE_CGROUP_DEVICE, count, *fields, 0, 0, 0, 0, 0).ljust(128, b"\0")
    return _check(_syscall("bpf", _BPF_PROG_LOAD, attr, ctypes.c_uint(len(attr))), "bpf", "BPF_PROG_LOAD", count)


def bpf_prog_attach(cgroup: int, program: int) -> None:
    """Let a loaded device program judge the processes of a v2 cgroup: bpf(2)."""
    attr = struct.pack("IIII", cgroup, program, _BPF_CGROUP_DEVICE, _BPF_F_ALLOW_MULTI).ljust(128, b"\0")
    _check(_syscall("bpf", _BPF_PROG_ATTACH, attr, ctypes.c_uint(len(attr))), "bpf", "BPF_PROG_ATTACH", cgroup)


def inotify_init(flags: int = IN_CLOEXEC | IN_NONBLOCK) -> int:
    """Open a queue of file events: inotify_init1(2)."""
    return _check(_libc.inotify_init1(flags), "inotify_init1", flags)


def inotify_add_watch(fd: int, path: Path, mask: int) -> int:
    """Ask to be told of changes to a path; returns the watch descriptor: inotify_add_watch(2)."""
    return _check(_libc.inotify_add_watch(fd, os.fsencode(path), mask), "inotify_add_watch", fd, path, hex(mask))


def finit_module(fd: int, parameters: str = "", flags: int = 0) -> None:
    """Load a kernel module from an open file: finit_module(2). EEXIST where it is loaded or built in."""
    _check(_syscall("finit_module", fd, parameters.encode(), flags), "finit_module", fd, parameters, flags)


@contextmanager
def in_namespace(pid: int, kind: str, flag: int) -> Iterator[None]:
    """Visit another process's namespace with this thread and come back: setns(2) on /proc/PID/ns/KIND."""
    home = os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(there, flag)
        finally:
            os.close(there)
        try:
            yield
        finally:
            setns(home, flag)
    finally:
        os.close(home)
