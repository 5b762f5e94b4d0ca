"""Start a guest, wait until its engine answers, and see to it that it never outlives us or spins unseen.

A machine is one process of ours with its helpers, in a session of its own. It ends in one of these ways, however we
end: we kill its session; the kernel kills it because its parent died (PR_SET_PDEATHSIG); its channel ends and the
guest's first process leaves.

While it boots a watchdog counts: a guest that hangs waits for ever (wall time), and one that spins burns a processor
for ever (CPU time). Afterwards somebody's containers may use the processor for hours, so only an answer counts.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit import linux
from labkit.errors import EngineNotStarted
from labkit.microvm.kinds import Kind, Machine, environment, executable_folder, memory_for_guest
from labkit.microvm.mux import ProtocolError
from labkit.microvm.ports import TARGET, Publisher
from labkit.microvm.relay import ChannelClosed, Relay

TICK = 0.25  # seconds between two looks of the watchdog
CONSOLE_LINES = 200  # what is kept of the guest's console


@dataclass(frozen=True)
class Watchdog:
    """How long a boot may take, in seconds of the clock and of the processor."""

    wall: float = 180.0
    cpu: float = 60.0

    def objection(self, wall: float, cpu: float) -> str:
        """What is wrong after so much time; "" as long as nothing is."""
        if cpu > self.cpu:
            return f"it used {cpu:.0f} seconds of CPU time and was not ready (the limit is {self.cpu:.0f})"
        if wall > self.wall:
            return f"it was not ready after {wall:.0f} seconds (the limit is {self.wall:.0f})"
        return ""


class BootFailed(Exception):
    """A guest did not get ready: why, in words."""


@dataclass
class Guest:
    """A running machine and our end of its channel."""

    kind: Kind
    process: "subprocess.Popen[bytes]"
    relay: Relay
    channel: socket.socket
    run: Path
    console: deque[str] = field(default_factory=lambda: deque(maxlen=CONSOLE_LINES))
    said: str = ""  # `ready` or `failed`, from the guest's first process

    def end(self) -> None:
        """Kill the machine and all its processes, and wait for it; twice is as good as once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.channel.close()
        shutil.rmtree(self.run, ignore_errors=True)


def start(kind: Kind, files: Path, on_console: Callable[[str], None] = lambda line: None, share: str = "") -> Guest:
    """Start a machine; its engine is not ready yet. Raises BootFailed."""
    ours, theirs = socket.socketpair()
    run = Path(tempfile.mkdtemp(prefix="labkit-vm-", dir=executable_folder()))
    machine = Machine(files, run, theirs.fileno(), memory_for_guest(), share)
    try:
        process = subprocess.Popen(
            kind.command(machine), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[theirs.fileno()], env=environment(run), cwd="/", start_new_session=True,
            preexec_fn=lambda: linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL),
        )  # fmt: skip
    except OSError as error:
        ours.close()
        shutil.rmtree(run, ignore_errors=True)
        raise BootFailed(f"{kind.program} could not be started: {error.strerror}") from error
    finally:
        theirs.close()
    return _guest(kind, process, ours, run, on_console)


def _guest(
    kind: Kind, process: "subprocess.Popen[bytes]", channel: socket.socket, run: Path, on_console: Callable[[str], None]
) -> Guest:
    relay = Relay(channel.fileno(), host=True, on_open=lambda target: answer(target), narrow=kind.narrow)
    publisher = Publisher(relay)
    guest = Guest(kind, process, relay, channel, run)

    def answer(target: str) -> socket.socket | None:
        if target == TARGET:
            return publisher.requested()
        guest.said = target
        return None

    _watch_console(guest, on_console)
    return guest


def _watch_console(guest: Guest, on_console: Callable[[str], None]) -> None:
    assert guest.process.stdout is not None
    console = guest.process.stdout.fileno()
    rest = b""

    def read() -> None:
        nonlocal rest
        data = os.read(console, 1 << 16)
        if not data:
            guest.relay.ignore(console)
        *lines, rest = (rest + data)[-(1 << 16) :].split(b"\n")
        for line in (line.decode(errors="replace").strip() for line in lines):
            guest.console.append(line)
            on_console(line)

    guest.relay.watch(console, read)


def wait_until_ready(guest: Guest, watchdog: Watchdog) -> None:
    """Turn the relay until the guest says `ready`. Raises BootFailed; the machine still has to be ended then."""
    began = time.monotonic()
    try:
        while not guest.said:
            guest.relay.turn(TICK)
            if objection := watchdog.objection(time.monotonic() - began, cpu_seconds(guest.process.pid)):
                raise BootFailed(objection)
    except (ChannelClosed, ProtocolError) as error:
        raise BootFailed(f"its channel ended: {error}") from error
    if guest.said != "ready":
        raise BootFailed("the engine inside did not start")


def cpu_seconds(session: int) -> float:
    """What all processes of a session have used of the processor: fields 6, 14 and 15 of /proc/PID/stat, proc(5)."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[3]) == session:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def boot(
    kinds: Sequence[Kind], files: Path, on_console: Callable[[str], None] = lambda line: None, share: str = ""
) -> Guest:
    """A guest whose engine is ready. One retry: on the next kind that works here, or on the same where it is the last.

    Raises EngineNotStarted with what went wrong each time.
    """
    refused = {kind.name: kind.trial(files / kind.name) for kind in kinds}
    usable = [kind for kind in kinds if not refused[kind.name]]
    failures = [f"{kind.title}: {refused[kind.name]}" for kind in kinds if refused[kind.name]]
    for kind in [*usable, *usable][:2]:
        guest = None
        try:
            guest = start(kind, files / kind.name, on_console, share)
            wait_until_ready(guest, Watchdog())
            return guest
        except BootFailed as error:
            last = guest.console[-1] if guest and guest.console else ""
            failures.append(f"{kind.title}: {error}" + (f"; its last words: {last}" if last else ""))
            if guest:
                guest.end()
    raise EngineNotStarted(
        "We tried to start the engine in a small virtual machine",
        "; ".join(failures),
        "`labkit doctor` tells what is missing",
    )
