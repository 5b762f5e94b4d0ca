"""One process of a container as the shim holds it: its streams, its start, its end."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from labkit.engine.shim.jsonlog import JsonLog
from labkit.engine.shim.loop import READ, Loop
from labkit.engine.shim.streams import Reader, Streams
from labkit.runtime.create import Created, RuntimeFailed

GRACE = 1.0  # seconds for what a process left running in the background to let go of its output


@dataclass
class Ends:
    """Both ends of a new process's standard streams: pipes, or nothing yet where a terminal will come."""

    stdin: int | None = None
    outputs: list[tuple[int, int]] = field(default_factory=list)
    child: list[int] = field(default_factory=list)

    @classmethod
    def open(cls, terminal: bool, open_stdin: bool) -> "Ends":
        ends = cls()
        try:
            if not terminal:
                ends._open_pipes(open_stdin)
        except OSError:  # no descriptor is left: give back those that we got
            ends.close_theirs()
            ends.close_ours()
            raise
        return ends

    def _open_pipes(self, open_stdin: bool) -> None:
        if open_stdin:
            theirs, self.stdin = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self.stdin, False)
        else:
            theirs = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self.child.append(theirs)
        for stream in (1, 2):
            ours, theirs = os.pipe2(os.O_CLOEXEC)
            self.outputs.append((ours, stream))
            self.child.append(theirs)

    def theirs(self) -> tuple[int, int, int] | None:
        return (self.child[0], self.child[1], self.child[2]) if self.child else None

    def close_theirs(self) -> None:
        for fd in self.child:
            os.close(fd)

    def close_ours(self) -> None:
        for fd in (*(fd for fd, _ in self.outputs), *([self.stdin] if self.stdin is not None else [])):
            os.close(fd)


class Task:
    """A container's first process, or one that `exec` added. `ended` is called once, when it ran and is over.

    created ─▶ running ─▶ exited          it ended, and its output has been read
       └─────▶ failed                     it never became the program
    """

    def __init__(
        self,
        loop: Loop,
        key: str,
        exec_id: str | None,
        child: Created,
        ends: Ends,
        *,
        terminal: bool,
        stdin_once: bool,
        log: JsonLog | None = None,
        exit_file: str | None = None,
        ended: Callable[["Task"], None],
    ) -> None:
        self.loop, self.key, self.exec_id, self.child = loop, key, exec_id, child
        self.exit_file, self.ended = exit_file, ended
        self.state = "created"
        self.status: int | None = None
        self.at = 0.0
        self.execs: dict[str, Task] = {}
        self.seccomp: bytes | None = None
        self.streams = Streams(loop, raw=terminal, log=log, stdin_once=stdin_once, drained=self._drained)
        self.streams.stdin = ends.stdin
        for fd, stream in ends.outputs:
            self.streams.add_source(fd, stream)
        loop.watch(child.pidfd, READ, lambda events: self._reap())

    def attach(self, wanted: list[dict[str, bool]], fds: list[int]) -> None:
        """Let somebody read the output, and feed the input, through each of the sockets given."""
        for want, fd in zip(wanted, fds, strict=True):
            streams = frozenset(number for number, name in ((1, "stdout"), (2, "stderr")) if want[name])
            self.streams.attach(Reader(socket.socket(fileno=fd), want["stdin"], streams))

    def await_start(self, reply: Callable[..., None]) -> None:
        """Follow the child's side of the handshake (runtime/init.py) until it runs or has failed."""
        self.loop.watch(self.child.sync.fileno(), READ, lambda events: self._heard(reply))

    def _heard(self, reply: Callable[..., None]) -> None:
        try:
            more = self.child.receive()
        except RuntimeFailed as failure:
            self._close_sync()
            self.state = "failed"
            self.ended(self)
            reply(failure.message, failure.errno)
            return
        if self.child.console is not None and self.streams.stdin is None:
            self.streams.stdin = self.child.console
            self.streams.add_source(self.child.console, 1)
        if not more:
            self._close_sync()
            self.state = "running"
            reply(pid=self.child.pid)
            if self.status is not None:
                self._over()

    def _close_sync(self) -> None:
        if self.child.sync.fileno() >= 0:
            self.loop.forget(self.child.sync.fileno())
            self.child.sync.close()

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if the process has just ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.child.pidfd, number)

    def _reap(self) -> None:
        """The process has ended: take its status, then the rest of its output."""
        result = os.waitid(os.P_PIDFD, self.child.pidfd, os.WEXITED)
        assert result
        self.status = result.si_status if result.si_code == os.CLD_EXITED else 128 + result.si_status
        self.at = time.time()
        self.loop.forget(self.child.pidfd)
        # before the handshake's end it ended at once: its terminal is still to be read from there
        if self.child.sync.fileno() < 0:
            self._over()

    def _over(self) -> None:
        if self.streams.sources:
            self.loop.later(GRACE, self._report)
        else:
            self._report()

    def _drained(self) -> None:
        if self.status is not None:
            self._report()

    def _report(self) -> None:
        """The status is known and the output has been read: write the end down, tell it, then let the readers go."""
        self.streams.finish()
        if self.state != "running":
            return
        self.state = "exited"
        if self.exit_file:
            _write(self.exit_file, {"status": self.status, "at": self.at})
        self.ended(self)
        self.streams.release()

    def close(self) -> None:
        """Let go of all that the task holds; the process is killed if it still runs."""
        self.state = "deleted"
        if self.status is None:
            self.signal(signal.SIGKILL)
            self._reap()
        self.streams.finish()
        self.streams.release()
        self._close_sync()
        if self.child.pidfd >= 0:
            os.close(self.child.pidfd)
            self.child.pidfd = -1


def _write(path: str, content: dict[str, Any]) -> None:
    """Write a small file so that it is there whole or not at all; a full disk costs only this record."""
    with suppress(OSError):
        with open(path + ".new", "w") as file:
            file.write(json.dumps(content))
        os.rename(path + ".new", path)
