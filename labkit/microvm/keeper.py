"""A keeper for each machine: a small process that ends it, however we ourselves end.

A machine may be several processes (user-mode Linux has one for each address space), and the kernel's "kill me when my
parent dies" (PR_SET_PDEATHSIG, prctl(2)) reaches only one of them. So the machine gets a session of its own, and its
parent is not us but a keeper, which holds one end of a socket as its standard input. When the other end is closed, by
us or by the kernel because we were killed, it kills the whole session and removes the machine's folder. If somebody
kills the keeper, the machine's first process dies with it, and we kill the rest.

`python -m labkit.microvm.keeper FOLDER PROGRAM ARGUMENT...` is the keeper; `start` is how it is started.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from labkit import linux

PATIENCE = 2.0  # seconds for the keeper to do its work
PID = 4  # bytes of a pid on the socket
LIFE = 0  # the keeper's standard input


@dataclass
class Kept:
    """A machine with its keeper."""

    keeper: "subprocess.Popen[bytes]"
    life: socket.socket
    session: int
    """The session of the machine's processes, which is also the pid of the first one: setsid(2)."""
    folder: Path
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
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.keeper.stdout:
            self.keeper.stdout.close()
        if self.ended >= 0:
            os.close(self.ended)
            self.ended = -1


def start(command: Sequence[str], folder: Path, env: Mapping[str, str], pass_fds: Sequence[int] = ()) -> Kept:
    """Start a machine under a keeper; what it prints can be read from `keeper.stdout`. Raises OSError."""
    ours, theirs = socket.socketpair()
    words = [f"{name}={value}" for name, value in env.items()]
    with theirs:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "labkit.microvm.keeper", str(folder), *words, "--", *command],
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
            start_new_session=True,  # a signal for our whole process group must leave somebody to tidy up
        )
    session = int.from_bytes(ours.recv(PID), "big")
    if not session:
        ours.close()
        raise OSError(f"its keeper ended with status {keeper.wait()}: {keeper.communicate()[0].decode()[-200:]}")
    return Kept(keeper, ours, session, folder, os.pidfd_open(keeper.pid))


def main() -> None:
    """The keeper: `FOLDER NAME=VALUE... -- PROGRAM ARGUMENT...`, the values being the machine's environment."""
    folder, *words = sys.argv[1:]
    end = words.index("--")
    env, command = dict(word.split("=", 1) for word in words[:end]), words[end + 1 :]
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a Ctrl-C is for whoever started us
        signal.signal(signum, signal.SIG_IGN)
    keeper, pid = os.getpid(), os.fork()
    if pid == 0:
        _become(command, env, keeper)
    _keep(pid, Path(folder))


def _become(command: list[str], env: dict[str, str], keeper: int) -> NoReturn:
    """In the child: the machine. Its output goes where ours goes, its input is empty."""
    try:
        os.setsid()
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == keeper:  # else it was killed before we could ask for that
            os.dup2(os.open(os.devnull, os.O_RDONLY), LIFE)
            os.execvpe(command[0], command, env)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", flush=True)
    finally:
        os._exit(127)


def _keep(pid: int, folder: Path) -> NoReturn:
    """In the parent: wait for the end of either, and tidy up."""
    status = 1
    try:
        linux.close_range(1, 0xFFFFFFFF)  # the channel and the output are the machine's alone
        os.write(LIFE, pid.to_bytes(PID, "big"))
        select.select([LIFE, os.pidfd_open(pid)], [], [])
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


if __name__ == "__main__":
    main()
