"""Start, find and stop the embedded engine from outside, by its socket and its engine.json, never by a bare pid.

A pid in a file may belong to somebody else by now. The kernel knows better: it says who listens on a socket
(SO_PEERCRED, unix(7)), and a pidfd keeps meaning one process (pidfd_open(2)). Both must agree with engine.json
before anything gets a signal. Left out: starting at boot; a service manager runs `labkit engine serve` for that.
"""

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.engine.errors import StateError
from labkit.engine.state import default_socket, default_state, read_json
from labkit.errors import EngineError, EngineNotStarted, EngineNotStopped

START_SECONDS = 30
SLOW_SECONDS = 1.0  # after that, somebody who waits is told why
STOP_SECONDS = 20
TICK = 0.02
LOG_BYTES = 1_000_000  # of engine.log, before it is put aside for a new one
CREDENTIALS = struct.Struct("3i")  # struct ucred, unix(7): pid, uid, gid

# Engines that this process started: kept, so that Python collects their exit status when they end.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Running:
    """An engine's API process that listens now, and where it keeps its things."""

    pid: int
    socket: Path
    state: Path
    since: float  # unix time
    machine: str = ""  # the kind of virtual machine that it runs in (labkit/microvm/kinds.py), if it does


@dataclass(frozen=True)
class Launcher:
    """A program that becomes an engine, and how long that may take."""

    module: str = "labkit.engine"
    options: tuple[str, ...] = ()
    pass_fds: tuple[int, ...] = ()
    seconds: float = START_SECONDS


def find(state: Path | None = None) -> Running | None:
    """The engine of this state folder, if its API process runs. Raises EngineError where engine.json is damaged."""
    state = (state or default_state()).absolute()
    try:
        facts = read_json(state / "engine.json", {})
    except OSError:  # not our folder to read
        return None
    except StateError as error:
        raise EngineError(f"We read the facts of the engine in {state}", str(error)) from error
    path = Path(facts.get("socket") or default_socket())
    pid = listener(path)
    if pid is None or pid != facts.get("pid") or born(pid) > facts.get("uptime", float("inf")) + 1:
        return None
    return Running(pid, path, state, facts["started"], facts.get("machine", ""))


def listener(path: Path, kind: int = socket.SOCK_STREAM) -> int | None:
    """The pid that listens on a unix socket; None when nobody does, or we may not ask."""
    with socket.socket(socket.AF_UNIX, kind) as asker:
        asker.settimeout(2)
        try:
            asker.connect(str(path))
            answer = asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        except OSError:
            return None
    return int(CREDENTIALS.unpack(answer)[0]) or None


def born(pid: int) -> float:
    """When a process began, in seconds since the machine started: field 22 of /proc/PID/stat, in ticks.

    Not in unix time: somebody may set that clock while the process runs.
    """
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("inf")
    return int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def answers(path: Path) -> bool:
    """Whether `GET /_ping` is answered with 200."""
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(5)
        try:
            asker.connect(str(path))
            asker.sendall(b"GET /_ping HTTP/1.1\r\nHost: labkit\r\nConnection: close\r\n\r\n")
            return b" 200 " in asker.recv(64)
        except OSError:
            return False


def start(
    state: Path | None = None,
    path: Path | None = None,
    on_slow: Callable[[], None] = lambda: None,
    launcher: Launcher = Launcher(),
) -> Running:
    """The engine of this state folder, started in the background when it does not run; it outlives us.

    `path` is where a new engine puts its socket. Raises EngineNotStarted with the last lines of its log.
    """
    state = (state or default_state()).absolute()
    if running := find(state):
        return running
    log = open_log(state)
    command = [sys.executable, "-m", launcher.module, "--state", str(state)]
    command += ["--socket", str(path or default_socket()), *launcher.options]
    with open(log, "ab") as output:
        seen = output.tell()
        _children.append(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                pass_fds=launcher.pass_fds,
            )
        )
    running = _wait_until_ready(_children[-1], state, on_slow, launcher.seconds)
    if running is None:
        raise EngineNotStarted(
            f"We started the embedded engine with `{' '.join(command)}`",
            last_words(log, seen) or "nothing",
            f"`labkit doctor` tells what this machine allows; the whole log is {log}",
        )
    return running


def _wait_until_ready(
    process: "subprocess.Popen[bytes]", state: Path, on_slow: Callable[[], None], seconds: float
) -> Running | None:
    """None when it ended or took too long. One that ended may have lost a race: then the winner answers soon."""
    began = time.monotonic()
    deadline, slow = began + seconds, began + SLOW_SECONDS
    ended = False
    while time.monotonic() < deadline:
        running = find(state)
        if running and answers(running.socket):
            return running
        if not ended and process.poll() is not None:
            ended, deadline = True, time.monotonic() + 1
        if time.monotonic() > slow:
            on_slow()
            slow = float("inf")
        time.sleep(TICK)
    if not ended:
        process.terminate()
    return None


def open_log(state: Path) -> Path:
    """Where the engine's own messages go; a long one is put aside, so there are never more than two."""
    log = state / "engine.log"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        log.touch(mode=0o600)
    except OSError as error:
        raise EngineNotStarted(
            f"We tried to write the engine's log {log}",
            error.strerror or str(error),
            "give the engine another folder: set LABKIT_STATE, or pass --state",
        ) from error
    return log


def last_words(log: Path, seen: int, lines: int = 5) -> str:
    """The last lines of a log, of those written after its first `seen` bytes."""
    with open(log, "rb") as file:
        file.seek(max(seen, log.stat().st_size - 4000))
        written = file.read().decode(errors="replace").strip().splitlines()
    return " / ".join(line.strip() for line in written[-lines:])


def stop(running: Running) -> None:
    """End the API process (SIGTERM) and wait until it has. Its containers run on. Raises EngineNotStopped."""
    with _held(running.pid) as process:
        if process is None or listener(running.socket) != running.pid:
            return  # it has ended meanwhile
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if not _ended(process, STOP_SECONDS):
            raise EngineNotStopped(
                f"We sent SIGTERM to the engine (pid {running.pid}) and waited {STOP_SECONDS} seconds",
                "it still runs",
                f"look into {running.state / 'engine.log'}; `kill -9 {running.pid}` ends it, its containers run on",
            )


def shim(state: Path | None = None) -> int | None:
    """The pid of the process that holds the containers' pipes; it runs on when the API process has ended."""
    return listener((state or default_state()) / "shim.sock", socket.SOCK_SEQPACKET)


def stop_shim(state: Path | None = None) -> None:
    """End the shim. Only for an engine whose containers have all ended."""
    pid = shim(state)
    if pid is None:
        return
    with _held(pid) as process:
        if process is not None and shim(state) == pid:
            signal.pidfd_send_signal(process, signal.SIGTERM)
            _ended(process, STOP_SECONDS)


@contextlib.contextmanager
def _held(pid: int) -> Iterator[int | None]:
    """A pidfd: as long as it is open, it means this very process. None when there is none any more."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _ended(process: int, seconds: float) -> bool:
    """Wait for the end of a process: that is when its pidfd becomes readable."""
    return bool(select.select([process], [], [], seconds)[0])
