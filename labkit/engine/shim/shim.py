"""The shim's verbs: what the engine may ask for. Each gets a `reply` to be called once, now or later."""

import fcntl
import json
import os
import struct
import termios
from collections.abc import Callable
from typing import Any

from labkit.engine.shim.jsonlog import JsonLog
from labkit.engine.shim.loop import Loop
from labkit.engine.shim.peer import Message, Peer
from labkit.engine.shim.task import Ends, Task
from labkit.runtime.cgroups import Cgroup
from labkit.runtime.create import Created, RuntimeFailed, create, filter_for
from labkit.runtime.exec import exec_in

Reply = Callable[..., None]


class Shim:
    """All containers' tasks by key, until no container and no engine process is left."""

    def __init__(self, state: str) -> None:
        self.loop = Loop()
        self.tasks: dict[str, Task] = {}
        self.peer = Peer(self.loop, state, self._request)
        self.peer.left = self._stop_if_idle

    def _stop_if_idle(self) -> None:
        if not self.tasks and not self.peer.connection:
            self.loop.running = False

    def _request(self, message: Message, fds: list[int]) -> None:
        number, op = message.pop("id"), message.pop("op")

        def reply(error: str | None = None, errno: int = 0, **values: Any) -> None:
            answer = {"ok": values} if error is None else {"error": error, "errno": errno}
            self.peer.send({"id": number, **answer})

        verb = VERBS.get(op)
        try:
            if verb is None:
                raise RuntimeFailed(f"the shim does not know the verb {op!r}: is it of another version of labkit?")
            verb(self, reply, fds, **message)
        except RuntimeFailed as failure:
            reply(failure.message, failure.errno)
        except (OSError, ValueError) as failure:
            reply(str(failure), getattr(failure, "errno", 0) or 0)

    def _ended(self, task: Task) -> None:
        if task.state == "exited":
            told = {"key": task.key, "exec": task.exec_id, "status": task.status, "at": task.at}
            self.peer.send({"event": "exit", **told})
        if task.exec_id and (container := self.tasks.get(task.key)):
            container.execs.pop(task.exec_id, None)
            task.close()

    def _find(self, key: str, exec_id: str | None = None) -> Task:
        task = self.tasks.get(key)
        if task and exec_id:
            task = task.execs.get(exec_id)
        if not task:
            raise RuntimeFailed(f"no such task: {key}" + (f", exec {exec_id}" if exec_id else ""))
        return task

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
        """Clone a container's first process; it builds its file tree and waits. `config` is config.json's path."""
        if key in self.tasks:
            raise RuntimeFailed(f"a task with the key {key} is there already")
        with open(config) as file:
            bundle = json.load(file)
        terminal = bool(bundle["process"].get("terminal"))
        # before there is a process: what may fail for want of a descriptor must not leave one behind
        written = JsonLog(log["path"], log["max_size"], log["max_files"]) if log else None
        try:
            ends = Ends.open(terminal, open_stdin)
            child = _with_ends(ends, lambda: create(bundle, rootfs, ends.theirs()))
        except (RuntimeFailed, OSError):
            if written:
                written.close()
            raise
        task = self.tasks[key] = Task(
            self.loop,
            key,
            None,
            child,
            ends,
            terminal=terminal,
            stdin_once=stdin_once,
            log=written,
            exit_file=exit_file,
            ended=self._ended,
        )
        task.seccomp = filter_for((bundle.get("linux") or {}).get("seccomp"))
        task.attach(attach, fds)
        reply(pid=child.pid)

    def start(self, reply: Reply, fds: list[int], key: str) -> None:
        """Let a created container run; replies once its first process has become the program."""
        task = self._find(key)
        task.child.start()
        task.await_start(reply)

    def exec(
        self, reply: Reply, fds: list[int], key: str, exec_id: str, process: str, open_stdin: bool, attach: Any
    ) -> None:
        """Start a further process; replies once it has become the program. `process` is the path of OCI process."""
        container = self._find(key)
        with open(process) as file:
            what = json.load(file)
        os.unlink(process)
        terminal = bool(what.get("terminal"))
        ends = Ends.open(terminal, open_stdin)
        group = container.child.cgroup or Cgroup()
        child = _with_ends(ends, lambda: exec_in(container.child.pidfd, group, what, container.seccomp, ends.theirs()))
        task = Task(self.loop, key, exec_id, child, ends, terminal=terminal, stdin_once=True, ended=self._ended)
        container.execs[exec_id] = task
        task.attach(attach, fds)
        task.await_start(reply)

    def kill(self, reply: Reply, fds: list[int], key: str, signum: int, exec_id: str | None = None) -> None:
        """Send a signal to a task's process."""
        self._find(key, exec_id).signal(signum)
        reply()

    def resize(
        self, reply: Reply, fds: list[int], key: str, rows: int, columns: int, exec_id: str | None = None
    ) -> None:
        """Tell a task's terminal its new size: ioctl_tty(2), TIOCSWINSZ."""
        console = self._find(key, exec_id).child.console
        if console is not None:
            fcntl.ioctl(console, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        reply()

    def attach(self, reply: Reply, fds: list[int], key: str, attach: Any, exec_id: str | None = None) -> None:
        """Let somebody read and feed a task's streams."""
        self._find(key, exec_id).attach(attach, fds)
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
                each.close()
            if task.child.cgroup:
                task.child.cgroup.remove()
        reply()


def _with_ends(ends: Ends, make: Callable[[], Created]) -> Created:
    """Make a child that gets its ends of the streams; close them here, and ours too if it could not be made."""
    try:
        return make()
    except (RuntimeFailed, OSError):
        ends.close_ours()
        raise
    finally:
        ends.close_theirs()


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
