"""PARENT side: make a container's first process and speak with it until it runs. OCI's verbs `create` and `start`.

`create` returns while the child still builds its file tree: whoever calls can use that time, for instance to give the
container a network device. `Created.start` lets the child go on, and `Created.receive` tells how far it came.
"""

import json
import os
import signal
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from labkit import linux
from labkit.runtime import init, namespaces, process, seccomp
from labkit.runtime.cgroups import Cgroup


class RuntimeFailed(Exception):
    """The container could not be made or started: the step's own words, and its errno (0 if there is none)."""

    def __init__(self, message: str, errno: int = 0) -> None:
        super().__init__(message)
        self.message, self.errno = message, errno


@dataclass
class Created:
    """A child on its way into the container; `sync` is the parent's end of the conversation (see init)."""

    pid: int
    pidfd: int
    sync: socket.socket
    cgroup: Cgroup | None = None
    console: int | None = field(default=None)

    def start(self) -> None:
        """Let the child go on to its last steps."""
        try:
            self.sync.send(b"start")
        except OSError:
            return  # it has failed already: `receive` has its words

    def receive(self) -> bool:
        """Read what the child says next. False: end of file, it has become the container. RuntimeFailed if it failed.

        With a terminal the pty's master arrives here and is kept in `console`.
        """
        try:
            message, fds, _, _ = socket.recv_fds(self.sync, 65536, 1)
        except ConnectionResetError:  # it ended before it read our "start"; told once, and what it said comes next
            message, fds, _, _ = socket.recv_fds(self.sync, 65536, 1)
        if fds:
            self.console = fds[0]
            os.set_inheritable(self.console, False)
        if message.startswith(b"error: "):
            code, _, text = message.removeprefix(b"error: ").decode(errors="replace").partition(" ")
            raise RuntimeFailed(text, int(code))
        return bool(message)


def create(
    config: dict[str, Any],
    rootfs: list[dict[str, Any]],
    stdio: tuple[int, int, int] | None,
    *,
    parent_keeps: Sequence[int] = (),
) -> Created:
    """Clone a child into the namespaces and the cgroup that an OCI config asks for; it sets itself up and waits.

    `rootfs` lists the mounts that make the root file system on `config["root"]["path"]`, made in the container's own
    mount namespace only. `stdio` are the child's three descriptors, or None if `process.terminal` asks for a pty.
    RuntimeFailed if a step fails before the clone; what fails after it is told by `Created.receive`.
    """
    settings = config.get("linux") or {}
    try:
        spaces = namespaces.plan(settings.get("namespaces") or ())
        what = process.prepare(config["process"], filter_for(settings.get("seccomp")))
    except (ValueError, KeyError) as wrong:
        raise RuntimeFailed(f"the bundle's config.json can't be used: {wrong}") from wrong
    cgroup = Cgroup.create(settings.get("cgroupsPath") or "", settings.get("resources") or {})
    joins: list[int] = []
    try:
        joins = cgroup.open_procs()
        child = init.Init(config, rootfs, what, _but_pid(spaces), tuple(joins), stdio)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = _clone(spaces, cgroup)
        if pid == 0:
            ours.close()
            init.run(child, theirs)
        theirs.close()
    except OSError as failure:
        cgroup.remove()
        raise RuntimeFailed(str(failure), failure.errno or 0) from failure
    finally:
        for fd in joins:
            os.close(fd)
    try:
        return Created(pid, os.pidfd_open(pid), ours, cgroup)
    except OSError as failure:
        discard(pid)
        cgroup.remove()
        raise RuntimeFailed(str(failure), failure.errno or 0) from failure


def discard(pid: int) -> None:
    """Kill and reap a child that we can't watch, for want of a descriptor. Until it is reaped its pid is its own."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _but_pid(spaces: namespaces.Plan) -> tuple[tuple[int, str], ...]:
    return tuple(join for join in spaces.join if join[0] != linux.CLONE_NEWPID)


def _clone(spaces: namespaces.Plan, cgroup: Cgroup) -> int:
    """Make the child: 0 there, its pid here. OSError if it can't be made, or a pid namespace can't be joined."""
    path = next((path for flag, path in spaces.join if flag == linux.CLONE_NEWPID), None)
    return linux.clone3(spaces.new, cgroup=cgroup.fd) if path is None else _clone_beside(path, spaces, cgroup)


def _clone_beside(path: str, spaces: namespaces.Plan, cgroup: Cgroup) -> int:
    """The same in the pid namespace at `path`. setns(2) concerns children only, and there may be no way back for us:

    in a user namespace of our own we have no rights on the namespace that we come from. So a helper joins, and clones
    for us (CLONE_PARENT): the child is ours all the same.
    """
    told, tell = os.pipe2(os.O_CLOEXEC)
    try:
        helper = linux.clone3(0)
        if helper == 0 and _join_and_clone(path, spaces, cgroup, tell):
            return 0
        os.close(tell)
        tell = -1
        os.waitpid(helper, 0)
        pid, code = struct.unpack("qq", os.read(told, 16) or bytes(16))
        if not pid:
            raise OSError(code, f"the pid namespace {path} can't be joined: {os.strerror(code)}")
        return int(pid)
    finally:
        for fd in (told, tell):
            if fd >= 0:
                os.close(fd)


def _join_and_clone(path: str, spaces: namespaces.Plan, cgroup: Cgroup, tell: int) -> bool:
    """HELPER side: True in the child that it has made; the helper itself tells (pid, errno) and ends here."""
    pid, code = 0, 0
    try:
        with open(path, "rb") as namespace:
            linux.setns(namespace.fileno(), linux.CLONE_NEWPID)
        pid = linux.clone3(spaces.new | linux.CLONE_PARENT, cgroup=cgroup.fd)
    except OSError as failure:
        code = failure.errno or 0
    if pid == 0 and code == 0:
        return True
    os.write(tell, struct.pack("qq", pid, code))
    os._exit(0)


def filter_for(profile: dict[str, Any] | None) -> bytes | None:
    """The BPF program for an OCI `linux.seccomp`; assembled once for each different profile."""
    return _assemble(json.dumps(profile)) if profile else None


@lru_cache(maxsize=16)
def _assemble(profile: str) -> bytes:
    return seccomp.assemble(json.loads(profile))
