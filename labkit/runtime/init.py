"""CHILD side: from a bare clone to a container that waits for its start. The order of the steps is the explanation.

parent (create)                          child (this file)
clone3 ────────────────────────────────▶ join cgroup v1, namespaces; mounts; pivot_root
       ◀──────────────────── "console"   + the pty's master          (with a terminal only)
"start" ───────────────────────────────▶ the last steps (process.become)
       ◀───────────────── "error: …"     and exit status 111         (if a step failed)
       ◀─────────────────── end of file   execve closed our end: the container runs
"""

import array  # noqa: F401  socket.send_fds imports it when it is called: then it is too late
import fcntl
import os
import socket
import stat
import struct
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from labkit import linux
from labkit.runtime import mounts
from labkit.runtime.process import Process, become

TIOCSPTLCK, TIOCGPTN = 0x40045431, 0x80045430  # ioctl_tty(2); not in Python's termios
FAILED = 111  # exit status of a child that never became the container

# /dev in a container: OCI runtime spec, config-linux.md, "Default Devices"
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
DEV_LINKS = (
    ("/proc/self/fd", "dev/fd"),
    ("/proc/self/fd/0", "dev/stdin"),
    ("/proc/self/fd/1", "dev/stdout"),
    ("/proc/self/fd/2", "dev/stderr"),
    ("pts/ptmx", "dev/ptmx"),
)


@dataclass(frozen=True)
class Init:
    """All that the child needs, prepared by the parent: nothing is looked up once the image's files are in sight."""

    config: dict[str, Any]
    rootfs: list[dict[str, Any]]
    process: Process
    join: tuple[tuple[int, str], ...]
    cgroup_procs: tuple[int, ...]  # descriptors of cgroup v1 files to write ourselves into
    stdio: tuple[int, int, int] | None  # None with a terminal


def run(init: Init, sync: socket.socket) -> NoReturn:
    """The whole child: set up, wait for "start", become the container. Failures go to the parent as text."""
    report_errors(sync, lambda: _run(init, sync))


def _run(init: Init, sync: socket.socket) -> NoReturn:
    join_cgroups(init.cgroup_procs)
    for flag, path in init.join:
        with open(path, "rb") as namespace:
            linux.setns(namespace.fileno(), flag)
    os.setsid()
    if init.stdio:
        use_stdio(init.stdio)
    build_tree(init)
    if init.process.terminal:
        use_terminal(init.process, sync, console="/dev/console")
    finish_tree(init.config)
    if sync.recv(16) != b"start":
        os._exit(FAILED)  # the parent gave up, or is gone
    become(init.process)


def report_errors(sync: socket.socket, body: Callable[[], NoReturn]) -> NoReturn:
    """Run the child's steps; send what goes wrong as "error: ERRNO TEXT" and exit. Never returns to the caller.

    From here on nothing can be imported: behind the pivot, a module would come out of the image (CVE-2019-14271).
    """
    sys.meta_path.clear()
    sys.path.clear()
    try:
        body()
    except BaseException as failure:
        code = failure.errno if isinstance(failure, OSError) and failure.errno else 0
        with suppress(OSError):
            sync.send(b"error: %d %s" % (code, _text(failure).encode(errors="replace")))
    os._exit(FAILED)


def _text(failure: BaseException) -> str:
    if isinstance(failure, OSError) and failure.strerror:
        return f"{os.fsdecode(failure.filename)}: {failure.strerror}" if failure.filename else failure.strerror
    return f"{type(failure).__name__}: {failure}"


def join_cgroups(files: tuple[int, ...]) -> None:
    """Join cgroup v1 groups. The child does it, for the write may wait for all processors: cgroups(7)."""
    for fd in files:
        os.write(fd, b"0")  # 0 means "me"


def use_stdio(stdio: tuple[int, int, int]) -> None:
    """Take three descriptors as standard input, output and error."""
    for target, fd in enumerate(stdio):
        os.dup2(fd, target)


def build_tree(init: Init) -> None:
    """Mount the root file system and all that belongs into it, then make it the root."""
    config = init.config
    root = mounts.mount_rootfs(init.rootfs, config["root"]["path"])
    mounts.mount_all(root, config.get("mounts") or ())
    if any(m["destination"] == "/dev" and m.get("type") == "tmpfs" for m in config.get("mounts") or ()):
        _make_devices(root, (config.get("linux") or {}).get("devices") or ())
    if config["process"].get("cwd"):
        os.close(mounts.open_place(root, config["process"]["cwd"]))  # made where missing, as Docker does
    mounts.pivot(root)
    os.close(root)


def _make_devices(root: int, extra: Any) -> None:
    os.umask(0)
    for name, major, minor in DEVICES:
        _make_device(root, {"path": f"/dev/{name}", "major": major, "minor": minor})
    for device in extra:
        _make_device(root, device)
    for target, link in DEV_LINKS:
        with suppress(FileExistsError):
            os.symlink(target, link, dir_fd=root)
    os.umask(0o022)


def _make_device(root: int, device: dict[str, Any]) -> None:
    """One of OCI `linux.devices`: a node, or, in a user namespace, which may not make nodes, the host's node shown."""
    path = device["path"]
    above, _, name = path.rpartition("/")
    kind = stat.S_IFBLK if device.get("type") == "b" else stat.S_IFCHR
    folder = mounts.open_place(root, above)
    try:
        number = os.makedev(device["major"], device["minor"])
        os.mknod(name, kind | device.get("fileMode", 0o666), number, dir_fd=folder)
        if device.get("uid") or device.get("gid"):
            os.chown(name, device.get("uid", 0), device.get("gid", 0), dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return  # the image's own, or made at the last start
    except PermissionError:
        mounts.mount_all(root, [{"type": "bind", "source": path, "destination": path, "options": ["bind"]}])
    finally:
        os.close(folder)


def use_terminal(process: Process, sync: socket.socket, console: str | None = None) -> None:
    """Open a pty of the container's own /dev/pts, send its master out, and sit down at its other end: pty(7)."""
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))  # unlockpt(3)
    number = struct.unpack("I", fcntl.ioctl(master, TIOCGPTN, bytes(4)))[0]  # ptsname(3)
    slave = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)
    if process.console_size:
        rows, columns = process.console_size
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    os.fchown(slave, process.uid, -1)
    if console:
        os.close(os.open(console, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o620))
        linux.mount(f"/dev/pts/{number}", console, None, linux.MS_BIND)
    socket.send_fds(sync, [b"console"], [master])
    os.close(master)
    use_stdio((slave, slave, slave))
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # this terminal's signals are for us
    if slave > 2:
        os.close(slave)


def finish_tree(config: dict[str, Any]) -> None:
    """What needs the tree in place: sysctls, then the paths that hide or freeze parts of it, and the host name."""
    settings = config.get("linux") or {}
    for name, value in (settings.get("sysctl") or {}).items():  # before /proc/sys becomes read-only
        with open("/proc/sys/" + name.replace(".", "/"), "w") as file:
            file.write(value)
    for path in settings.get("readonlyPaths") or ():
        mounts.make_readonly(path)
    for path in settings.get("maskedPaths") or ():
        mounts.mask(path)
    if config["root"].get("readonly"):
        mounts.make_readonly_root()
    if config.get("hostname"):
        linux.sethostname(config["hostname"])
    if config.get("domainname"):
        linux.setdomainname(config["domainname"])
