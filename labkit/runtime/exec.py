"""A further process in a container that runs: what `docker exec` is made of.

The parent clones a helper; the helper joins the container's namespaces and clones again, because a pid namespace is
entered by children only: setns(2). CLONE_PARENT makes the grandchild the parent's own child, which can wait for it.
"""

import os
import socket
import struct
from typing import Any, NoReturn

from labkit import linux
from labkit.runtime import init, process
from labkit.runtime.cgroups import Cgroup
from labkit.runtime.create import Created, RuntimeFailed, discard
from labkit.runtime.namespaces import NAMESPACES

ALL = sum(kind.flag for kind in NAMESPACES.values())


def exec_in(
    container: int,
    cgroup: Cgroup,
    what: dict[str, Any],
    seccomp: bytes | None,
    stdio: tuple[int, int, int] | None,
) -> Created:
    """Start OCI process `what` in the container whose first process has the pidfd `container`.

    It does not wait for a "start"; what fails inside is told by `Created.receive`. RuntimeFailed before that.
    """
    try:
        prepared = process.prepare(what, seccomp)
    except (ValueError, KeyError) as wrong:
        raise RuntimeFailed(f"the process can't be used: {wrong}") from wrong
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    told, tell = os.pipe2(os.O_CLOEXEC)
    joins = cgroup.open_procs(unified=True)
    try:
        helper = linux.clone3(0)
        if helper == 0:
            ours.close()
            init.report_errors(theirs, lambda: _helper(container, tuple(joins), prepared, stdio, theirs, tell))
        theirs.close()
        os.close(tell)  # the helper's end is then the last: if it ends without a word, so does the pipe
        tell = -1
        os.waitpid(helper, 0)
        number = os.read(told, 8)
        if not number:
            Created(helper, -1, ours).receive()  # raises with the helper's words
        pid = int(struct.unpack("q", number)[0])
        try:
            return Created(pid, os.pidfd_open(pid), ours)
        except OSError:
            discard(pid)
            raise
    except OSError as failure:
        ours.close()
        raise RuntimeFailed(str(failure), failure.errno or 0) from failure
    finally:
        for fd in (*joins, told, *([] if tell < 0 else [tell])):
            os.close(fd)


def _helper(
    container: int,
    joins: tuple[int, ...],
    what: process.Process,
    stdio: tuple[int, int, int] | None,
    sync: socket.socket,
    tell: int,
) -> NoReturn:
    linux.setns(container, ALL)
    pid = linux.clone3(linux.CLONE_PARENT)
    if pid:
        os.write(tell, struct.pack("q", pid))  # as seen from outside, where the helper itself still is
        os._exit(0)
    init.join_cgroups(joins)  # only now: a group that is full lets nobody clone in it, but lets us in
    os.setsid()
    if stdio:
        init.use_stdio(stdio)
    else:
        init.use_terminal(what, sync)
    process.become(what)
