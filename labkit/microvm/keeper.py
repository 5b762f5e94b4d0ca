"""A keeper for each machine: a small process that ends it, however we ourselves end.

A machine may be several processes (user-mode Linux has one for each address space), and the kernel's "kill me when my
parent dies" (PR_SET_PDEATHSIG, prctl(2)) reaches only one of them. So the machine gets a session of its own, and its
parent is not us but a keeper: a fork of ours that holds nothing but one end of a socket. When the other end is closed,
by us or by the kernel because we were killed, it kills the whole session and removes the machine's folder. If somebody
kills the keeper, the machine's first process dies with it, and we kill the rest.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from labkit import linux

PATIENCE = 2.0  # seconds for the keeper to do its work
PID = 4  # bytes of a pid on the socket


@dataclass
class Kept:
    """A machine with its keeper."""

    keeper: "subprocess.Popen[bytes]"
    life: socket.socket
    session: int
    """The session of the machine's processes, which is also the pid of the first one: setsid(2)."""
    ended: int
    """A pidfd that can be read when the keeper has ended, and so the machine."""

    def end(self) -> None:
        """Kill the machine and wait until it is gone; twice is as good as once."""
        self.life.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.keeper.wait(PATIENCE)
        if self.keeper.poll() != 0:
            self.keeper.kill()
            kill_session(self.session)
            self.keeper.wait()
        if self.keeper.stdout:
            self.keeper.stdout.close()
        with contextlib.suppress(OSError):
            os.close(self.ended)


def start(command: Sequence[str], folder: Path, env: Mapping[str, str], pass_fds: Sequence[int] = ()) -> Kept:
    """Start a machine under a keeper; its output can be read from `keeper.stdout`. Raises OSError.

    The calling process must have a single thread, as it is forked.
    """
    ours, theirs = socket.socketpair()
    try:
        keeper = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd="/",
            pass_fds=[*pass_fds], preexec_fn=lambda: _part(theirs.fileno(), folder),
        )  # fmt: skip
        session = int.from_bytes(ours.recv(PID), "big")
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return Kept(keeper, ours, session, os.pidfd_open(keeper.pid))


def _part(life: int, folder: Path) -> None:
    """In the new process, before it becomes the machine: the child goes on to that, the parent stays as its keeper."""
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        _keep(pid, life, folder)
    os.setsid()
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:  # it was killed before we could ask for that
        os._exit(1)


def _keep(pid: int, life: int, folder: Path) -> NoReturn:
    """The keeper's whole life."""
    status = 1
    try:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a Ctrl-C is for whoever started us
            signal.signal(signum, signal.SIG_IGN)
        linux.close_range(0, life - 1)
        linux.close_range(life + 1, 0xFFFFFFFF)
        os.write(life, pid.to_bytes(PID, "big"))
        select.select([life, os.pidfd_open(pid)], [], [])
        kill_session(pid)
        os.waitpid(pid, 0)
        shutil.rmtree(folder, ignore_errors=True)
        status = 0
    finally:
        os._exit(status)


def kill_session(leader: int) -> None:
    """SIGKILL for every process of a session that made no groups of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):  # one that has not come to setsid(2) yet
        os.kill(leader, signal.SIGKILL)
