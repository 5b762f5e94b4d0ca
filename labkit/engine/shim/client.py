"""The engine's side of the conversation with the shim, for asyncio: the verbs as coroutines, the ends as callbacks."""

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.engine.shim import protocol
from labkit.runtime.create import RuntimeFailed


@dataclass
class Attachment:
    """One end of a socketpair for the shim to write output to and read input from; the shim owns it from then on."""

    sock: socket.socket
    stdin: bool
    stdout: bool
    stderr: bool

    def wants(self) -> dict[str, bool]:
        return {"stdin": self.stdin, "stdout": self.stdout, "stderr": self.stderr}


class Shim:
    """The shim of one state folder. Every verb raises RuntimeFailed with the shim's words if it can't be done."""

    def __init__(self, state: Path, sock: socket.socket) -> None:
        self.state = state
        self.on_exit: Callable[[str, str | None, int, float], None] = lambda *_: None
        self.on_gone: Callable[[], None] = lambda: None
        self._sock = sock
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        asyncio.get_running_loop().add_reader(sock.fileno(), self._readable)

    @classmethod
    async def connect(cls, state: Path) -> "Shim":
        """Find the shim of a state folder, or start one. RuntimeFailed if it does not come up."""
        sock = _dial(state)
        if sock is None:
            _launch(state)
            sock = _dial(state)
        if sock is None:
            raise RuntimeFailed(f"the shim does not answer on {state}/{protocol.SOCKET_NAME}; see {state}/shim.log")
        return cls(state, sock)

    # --- verbs ----------------------------------------------------------------------------------------------------
    async def list(self) -> Sequence[dict[str, Any]]:
        """Each container's {"key", "pid", "state"}, as the shim knows them."""
        known: Sequence[dict[str, Any]] = (await self._ask("list"))["tasks"]
        return known

    async def create(
        self,
        key: str,
        config: dict[str, Any],
        rootfs: Sequence[dict[str, Any]],
        *,
        log: dict[str, Any] | None,
        exit_file: str,
        open_stdin: bool,
        stdin_once: bool,
        attach: Sequence[Attachment] = (),
    ) -> int:
        """Make a container's first process, which waits for `start`; returns its pid."""
        bundle = self.state / "containers" / key
        path = _write(f"{bundle}/config.json", config)
        answer = await self._ask(
            "create",
            attach,
            key=key,
            config=path,
            rootfs=rootfs,
            log=log,
            exit_file=exit_file,
            open_stdin=open_stdin,
            stdin_once=stdin_once,
        )
        return int(answer["pid"])

    async def start(self, key: str) -> None:
        """Let it run; returns when it has become the program."""
        await self._ask("start", key=key)

    async def exec(
        self,
        key: str,
        exec_id: str,
        process: dict[str, Any],
        *,
        open_stdin: bool,
        attach: Sequence[Attachment] = (),
    ) -> int:
        """Start a further process, described as OCI `process`; returns its pid when it has become the program."""
        path = _write(f"{self.state}/containers/{key}/exec-{exec_id[:12]}.json", process)
        answer = await self._ask("exec", attach, key=key, exec_id=exec_id, process=path, open_stdin=open_stdin)
        return int(answer["pid"])

    async def kill(self, key: str, signum: int, exec_id: str | None = None) -> None:
        """Send a signal; nothing happens if the process has just ended."""
        await self._ask("kill", key=key, signum=signum, exec_id=exec_id)

    async def resize(self, key: str, rows: int, columns: int, exec_id: str | None = None) -> None:
        """Tell a terminal its size in characters."""
        await self._ask("resize", key=key, rows=rows, columns=columns, exec_id=exec_id)

    async def attach(self, key: str, attachment: Attachment, exec_id: str | None = None) -> None:
        """Hand over one more reader (and writer) of a task's streams."""
        await self._ask("attach", [attachment], key=key, exec_id=exec_id)

    async def pause(self, key: str) -> None:
        """Freeze all processes of a container."""
        await self._ask("freeze", key=key, frozen=True)

    async def resume(self, key: str) -> None:
        """Let frozen processes go on."""
        await self._ask("freeze", key=key, frozen=False)

    async def delete(self, key: str) -> None:
        """Forget a container; what still runs of it is killed, its cgroup removed."""
        await self._ask("delete", key=key)

    def close(self) -> None:
        """Hang up; the shim goes on as long as it has containers."""
        with suppress(RuntimeError):
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()

    # --- the wire -------------------------------------------------------------------------------------------------
    async def _ask(self, op: str, attach: Sequence[Attachment] = (), **values: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        if op in ("create", "exec", "attach"):
            values["attach"] = [a.wants() for a in attach]
        try:
            protocol.send(self._sock, {"id": number, "op": op, **values}, [a.sock.fileno() for a in attach])
        except OSError as gone:
            raise RuntimeFailed(f"the shim is gone: {gone}", gone.errno or 0) from gone
        finally:
            for attachment in attach:
                attachment.sock.close()  # the shim has its own copy now
        result: dict[str, Any] = await answer
        return result

    def _readable(self) -> None:
        while True:
            try:
                message, _ = protocol.receive(self._sock, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                message = None
            if message is None:
                self._gone()
                return
            if "event" in message:
                self.on_exit(message["key"], message["exec"], message["status"], message["at"])
            elif (answer := self._waiting.pop(message["id"], None)) and not answer.done():
                if "error" in message:
                    answer.set_exception(RuntimeFailed(message["error"], message["errno"]))
                else:
                    answer.set_result(message["ok"])

    def _gone(self) -> None:
        self.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(RuntimeFailed("the shim ended before it answered; see shim.log"))
        self._waiting.clear()
        self.on_gone()


def _dial(state: Path) -> socket.socket | None:
    folder, address = protocol.address(str(state))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        return None
    finally:
        os.close(folder)
    return sock


def _launch(state: Path) -> None:
    """Start a shim that outlives us: a session of its own, standard streams in a file of its own."""
    program = Path(__file__).with_name("__main__.py")
    with open(state / "shim.log", "ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(program), str(state)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    assert child.stdout
    child.stdout.readline()  # "ready", or nothing if it failed
    child.stdout.close()


def _write(path: str, content: dict[str, Any]) -> str:
    with open(path, "w") as file:
        file.write(json.dumps(content))  # far quicker than json.dump, which encodes piece by piece in Python
    return path
