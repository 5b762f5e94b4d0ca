"""The shim's tasks and verbs. A task is one process of a container: its first one, or one that `exec` added.

create ─▶ created ─▶ start ─▶ running ─▶ (it ends, its output has been read) ─▶ exit event ─▶ delete
"""

import fcntl
import json
import os
import signal
import socket
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from labkit.engine.shim import protocol
from labkit.engine.shim.jsonlog import JsonLog
from labkit.engine.shim.loop import READ, Loop
from labkit.engine.shim.streams import Reader, Streams
from labkit.runtime.cgroups import Cgroup
from labkit.runtime.create import Created, RuntimeFailed, create, filter_for
from labkit.runtime.exec import exec_in

EXEC_GRACE = 1.0  # seconds for what an exec left running in the background to let go of its output
Reply = Callable[..., None]


@dataclass(eq=False)
class Task:
    """A process, its streams, and how it ended."""

    key: str
    exec_id: str | None
    child: Created
    streams: Streams
    exit_file: str | None = None
    state: str = "created"
    status: int | None = None
    execs: dict[str, "Task"] = field(default_factory=dict)
    seccomp: bytes | None = None


class Shim:
    """All tasks, and the one engine process that is connected (or none, for a while)."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.loop = Loop()
        self.tasks: dict[str, Task] = {}
        self.peer: socket.socket | None = None
        self.unsent: list[dict[str, Any]] = []
        self.listener = self._listen()

    # --- the conversation with the engine -------------------------------------------------------------------------
    def _listen(self) -> socket.socket:
        folder, address = protocol.address(self.state)
        with suppress(FileNotFoundError):
            os.unlink(protocol.SOCKET_NAME, dir_fd=folder)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(address)
        os.close(folder)
        listener.listen(4)
        self.loop.watch(listener.fileno(), READ, lambda events: self._accept())
        return listener

    def _accept(self) -> None:
        if self.peer:
            self._hang_up()  # a newer engine process takes the place of an older one
        self.peer, _ = self.listener.accept()
        self.peer.setblocking(False)
        self.loop.watch(self.peer.fileno(), READ, lambda events: self._request())

    def _hang_up(self) -> None:
        if self.peer:
            self.loop.forget(self.peer.fileno())
            self.peer.close()
        self.peer = None
        self.unsent.clear()  # the next engine process learns all by `list` and by the exit files
        self._stop_if_idle()

    def _stop_if_idle(self) -> None:
        if not self.tasks and not self.peer:
            self.loop.running = False

    def _request(self) -> None:
        assert self.peer
        try:
            message, fds = protocol.receive(self.peer)
        except BlockingIOError:
            return
        except OSError:
            message, fds = None, []
        if message is None:
            self._hang_up()
            return
        number = message.pop("id")

        def reply(error: str | None = None, errno: int = 0, **values: Any) -> None:
            self._send(
                {"id": number, "ok": values} if error is None else {"id": number, "error": error, "errno": errno}
            )

        verb = VERBS.get(message.pop("op"))
        try:
            if verb is None:
                raise RuntimeFailed("the shim does not know this verb: is it of an older labkit?")
            verb(self, reply, fds, **message)
        except RuntimeFailed as failure:
            reply(failure.message, failure.errno)
        except OSError as failure:
            reply(str(failure), failure.errno or 0)

    def _send(self, message: dict[str, Any]) -> None:
        self.unsent.append(message)
        while self.peer and self.unsent:
            try:
                protocol.send(self.peer, self.unsent[0])
            except BlockingIOError:
                self.loop.later(0.005, lambda: self._send_rest())
                return
            except OSError:
                self._hang_up()
                return
            self.unsent.pop(0)

    def _send_rest(self) -> None:
        if self.unsent:
            self._send(self.unsent.pop())

    # --- verbs ----------------------------------------------------------------------------------------------------
    def tasks_known(self, reply: Reply, fds: list[int]) -> None:
        """Which containers there are, for an engine process that starts anew."""
        reply(tasks=[{"key": t.key, "pid": t.child.pid, "state": t.state} for t in self.tasks.values()])

    def create(
        self,
        reply: Reply,
        fds: list[int],
        key: str,
        config: str,
        rootfs: Any,
        log: Any,
        exit_file: str,
        open_stdin: bool,
        stdin_once: bool,
        attach: Any,
    ) -> None:
        """Clone a container's first process; it builds its file tree and waits. `config` is the path of config.json."""
        with open(config) as file:
            bundle = json.load(file)
        if key in self.tasks:
            raise RuntimeFailed(f"a task with the key {key} is there already")
        terminal = bool(bundle["process"].get("terminal"))
        journal = JsonLog(log["path"], log["max_size"], log["max_files"]) if log else None
        ends = _Ends.open(terminal, open_stdin)
        try:
            child = create(bundle, rootfs, ends.theirs())
        except RuntimeFailed:
            ends.close_ours()
            raise
        finally:
            ends.close_theirs()
        task = self._task(key, None, child, terminal, journal, stdin_once, exit_file)
        task.seccomp = filter_for((bundle.get("linux") or {}).get("seccomp"))
        self.tasks[key] = task
        self._connect(task, ends, attach, fds)
        reply(pid=child.pid)

    def exec(
        self,
        reply: Reply,
        fds: list[int],
        key: str,
        exec_id: str,
        process: str,
        open_stdin: bool,
        attach: Any,
    ) -> None:
        """Start a further process; replies once it has become the program. `process` is the path of OCI process."""
        container = self._find(key)
        with open(process) as file:
            what = json.load(file)
        os.unlink(process)
        terminal = bool(what.get("terminal"))
        ends = _Ends.open(terminal, open_stdin)
        group = container.child.cgroup or Cgroup()
        try:
            child = exec_in(container.child.pidfd, group, what, container.seccomp, ends.theirs())
        except RuntimeFailed:
            ends.close_ours()
            raise
        finally:
            ends.close_theirs()
        task = self._task(key, exec_id, child, terminal, None, True, None)
        container.execs[exec_id] = task
        self._connect(task, ends, attach, fds)
        self._await_start(task, reply)

    def start(self, reply: Reply, fds: list[int], key: str) -> None:
        """Let a created container run; replies once its first process has become the program."""
        task = self._find(key)
        task.child.start()
        self._await_start(task, reply)

    def kill(self, reply: Reply, fds: list[int], key: str, signum: int, exec_id: str | None = None) -> None:
        """Send a signal to a task's process."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._find(key, exec_id).child.pidfd, signum)
        reply()

    def resize(
        self, reply: Reply, fds: list[int], key: str, rows: int, columns: int, exec_id: str | None = None
    ) -> None:
        """Tell a task's terminal its new size: ioctl_tty(2), TIOCSWINSZ."""
        task = self._find(key, exec_id)
        if task.streams.raw and task.streams.stdin is not None:
            fcntl.ioctl(task.streams.stdin, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        reply()

    def attach(self, reply: Reply, fds: list[int], key: str, attach: Any, exec_id: str | None = None) -> None:
        """Let somebody read and feed a task's streams."""
        self._attach(self._find(key, exec_id), attach, fds)
        reply()

    def freeze(self, reply: Reply, fds: list[int], key: str, frozen: bool) -> None:
        """Pause or resume all processes of a container."""
        task = self._find(key)
        (task.child.cgroup or Cgroup()).freeze(task.child.pid, frozen)
        reply()

    def delete(self, reply: Reply, fds: list[int], key: str) -> None:
        """Forget a container: whatever still runs is killed, the cgroup goes. Nothing happens if it is unknown."""
        task = self.tasks.pop(key, None)
        if task:
            for each in (*task.execs.values(), task):
                self._end(each)
            if task.child.cgroup:
                task.child.cgroup.remove()
        reply()

    # --- tasks ----------------------------------------------------------------------------------------------------
    def _find(self, key: str, exec_id: str | None = None) -> Task:
        task = self.tasks.get(key)
        if task and exec_id:
            task = task.execs.get(exec_id)
        if not task:
            raise RuntimeFailed(f"no such task: {key} {exec_id or ''}")
        return task

    def _task(
        self,
        key: str,
        exec_id: str | None,
        child: Created,
        raw: bool,
        log: JsonLog | None,
        stdin_once: bool,
        exit_file: str | None,
    ) -> Task:
        streams = Streams(self.loop, raw=raw, log=log, stdin_once=stdin_once, ended=lambda: self._report(task))
        task = Task(key, exec_id, child, streams, exit_file)
        return task

    def _connect(self, task: Task, ends: "_Ends", attach: Any, fds: list[int]) -> None:
        """Watch the process's end and its output, and attach whoever came with the request."""
        task.streams.stdin = ends.stdin
        for fd, stream in ends.outputs:
            task.streams.add_source(fd, stream)
        self._attach(task, attach, fds)
        self.loop.watch(task.child.pidfd, READ, lambda events: self._reap(task))

    def _attach(self, task: Task, wanted: Any, fds: list[int]) -> None:
        for want, fd in zip(wanted, fds, strict=True):
            streams = frozenset(n for n, name in ((1, "stdout"), (2, "stderr")) if want[name])
            task.streams.attach(Reader(socket.socket(fileno=fd), want["stdin"], streams))

    def _await_start(self, task: Task, reply: Reply) -> None:
        """Follow the child's side of the handshake until it runs or has failed."""
        sync = task.child.sync

        def heard(events: int) -> None:
            try:
                more = task.child.receive()
            except RuntimeFailed as failure:
                more, task.state = False, "failed"
                reply(failure.message, failure.errno)
            else:
                if task.child.console is not None and task.streams.stdin is None:
                    task.streams.stdin = task.child.console
                    task.streams.add_source(task.child.console, 1)
                if not more:
                    task.state = "running"
                    reply(pid=task.child.pid)
            if not more:
                self.loop.forget(sync.fileno())
                sync.close()
                if task.state == "failed" and task.exec_id:
                    self.tasks[task.key].execs.pop(task.exec_id)
                    self._end(task)
                self._report(task)

        self.loop.watch(sync.fileno(), READ, heard)

    def _reap(self, task: Task) -> None:
        """The process has ended: take its status, and the rest of its output."""
        result = os.waitid(os.P_PIDFD, task.child.pidfd, os.WEXITED)
        assert result
        task.status = result.si_status if result.si_code == os.CLD_EXITED else 128 + result.si_status
        self.loop.forget(task.child.pidfd)
        if task.streams.closed or not task.streams.sources:
            task.streams.finish()
            self._report(task)
        else:
            self.loop.later(EXEC_GRACE, task.streams.finish)

    def _report(self, task: Task) -> None:
        """Tell the end of a process that ran, once its status is known and its output has been read."""
        if task.status is None or not task.streams.closed or task.state != "running":
            return
        task.state = "exited"
        when = time.time()
        if task.exit_file:
            _write(task.exit_file, {"status": task.status, "at": when})
        if self.peer:
            self._send({"event": "exit", "key": task.key, "exec": task.exec_id, "status": task.status, "at": when})
        if task.exec_id and (container := self.tasks.get(task.key)):
            container.execs.pop(task.exec_id, None)
            self._end(task)

    def _end(self, task: Task) -> None:
        """Close all that a task holds; kill it if it still runs."""
        task.state = "deleted"
        if task.status is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(task.child.pidfd, signal.SIGKILL)
            self._reap(task)
        task.streams.finish()
        self.loop.forget(task.child.pidfd)
        if task.child.sync.fileno() >= 0:
            self.loop.forget(task.child.sync.fileno())
            task.child.sync.close()
        os.close(task.child.pidfd)


VERBS: dict[str, Callable[..., None]] = {
    "list": Shim.tasks_known,
    "create": Shim.create,
    "start": Shim.start,
    "exec": Shim.exec,
    "kill": Shim.kill,
    "attach": Shim.attach,
    "resize": Shim.resize,
    "freeze": Shim.freeze,
    "delete": Shim.delete,
}


@dataclass
class _Ends:
    """Both ends of a new process's standard streams: pipes, or nothing yet where a terminal will come."""

    stdin: int | None = None
    outputs: list[tuple[int, int]] = field(default_factory=list)
    child: list[int] = field(default_factory=list)

    @classmethod
    def open(cls, terminal: bool, open_stdin: bool) -> "_Ends":
        if terminal:
            return cls()
        ends = cls()
        if open_stdin:
            theirs, ends.stdin = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(ends.stdin, False)
        else:
            theirs = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        ends.child.append(theirs)
        for stream in (1, 2):
            ours, theirs = os.pipe2(os.O_CLOEXEC)
            ends.outputs.append((ours, stream))
            ends.child.append(theirs)
        return ends

    def theirs(self) -> tuple[int, int, int] | None:
        return (self.child[0], self.child[1], self.child[2]) if self.child else None

    def close_theirs(self) -> None:
        for fd in self.child:
            os.close(fd)

    def close_ours(self) -> None:
        for fd in (*(fd for fd, _ in self.outputs), *([self.stdin] if self.stdin is not None else [])):
            os.close(fd)


def _write(path: str, content: dict[str, Any]) -> None:
    """Write a small file so that it is there whole or not at all; a full disk costs only this record."""
    with suppress(OSError):
        with open(path + ".new", "w") as file:
            json.dump(content, file)
        os.rename(path + ".new", path)
