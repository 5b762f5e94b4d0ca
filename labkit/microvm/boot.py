"""Start a guest, and wait until its engine answers; keeper.py sees to it that it never outlives us.

While it boots a watchdog counts: a guest that hangs waits for ever (wall time), and one that spins burns a processor
for ever (CPU time). Afterwards somebody's containers may use the processor for hours, so only an answer counts.
"""

import os
import select
import shutil
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit.errors import EngineNotStarted
from labkit.microvm import guest as guest_files
from labkit.microvm import keeper
from labkit.microvm.channel import Channel, ChannelClosed, LineToGuest
from labkit.microvm.init import CLOCK
from labkit.microvm.keeper import Kept
from labkit.microvm.kinds import Kind, Machine, environment, executable_folder, memory_for_guest
from labkit.microvm.mux import ProtocolError
from labkit.microvm.packages import GuestNotBuilt
from labkit.microvm.ports import TARGET, Publisher
from labkit.microvm.relay import Relay

TICK = 0.25  # seconds between two looks of the watchdog
BEAT = 60.0  # seconds between two looks at a guest that is ready
BUSY = 0.2  # of a processor: more than an idle guest takes, and no more than a spinning one gets on a busy machine
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
    kept: Kept
    relay: Relay
    channel: socket.socket
    console: deque[str] = field(default_factory=lambda: deque(maxlen=CONSOLE_LINES))
    said: str = ""  # `ready` or `failed`, from the guest's first process
    last_words: Callable[[], str] = lambda: "none"

    def end(self) -> None:
        """Take the machine away; twice is as good as once."""
        self.channel.close()
        self.kept.end()


OnGuest = Callable[[Guest], None]


def start(kind: Kind, files: Path, on_console: Callable[[str], None] = lambda line: None, share: str = "") -> Guest:
    """Start a machine; its engine is not ready yet. Raises BootFailed."""
    ours, theirs = socket.socketpair()
    run = Path(tempfile.mkdtemp(prefix="labkit-vm-", dir=executable_folder()))
    machine = Machine(files, run, theirs.fileno(), memory_for_guest(kind.least), share)
    try:
        kept = keeper.start(kind.command(machine), run, environment(run), [theirs.fileno()])
    except OSError as error:
        ours.close()
        shutil.rmtree(run, ignore_errors=True)
        raise BootFailed(f"{kind.program} could not be started: {error.strerror or error}") from error
    finally:
        theirs.close()
    end = LineToGuest(ours.fileno(), run) if kind.line else Channel(ours.fileno())
    guest = Guest(kind, kept, Relay(end, host=True, on_open=lambda target: answer(target)), ours)
    publisher = Publisher(guest.relay)

    def answer(target: str) -> socket.socket | None:
        if target == TARGET:
            return publisher.requested()
        if target == CLOCK:
            return what_time_it_is()
        guest.said = target
        return None

    guest.relay.watch(kept.ended, _machine_ended)
    _watch_console(guest, on_console)
    return guest


def what_time_it_is() -> socket.socket:
    """A socket from which the time can be read, in seconds since 1970."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.sendall(f"{time.time():.6f}".encode())
    return theirs


def _machine_ended() -> None:
    raise ChannelClosed("all its processes have ended")


def _watch_console(guest: Guest, on_console: Callable[[str], None]) -> None:
    assert guest.kept.keeper.stdout is not None
    console = guest.kept.keeper.stdout.fileno()
    rest = b""

    def read() -> bool:
        """Take what the machine printed; False at its end."""
        nonlocal rest
        data = os.read(console, 1 << 16)
        *lines, rest = (rest + data)[-(1 << 16) :].split(b"\n")
        for line in (line.decode(errors="replace").strip() for line in lines):
            guest.console.append(line)
            on_console(line)
        return bool(data)

    def on_readable() -> None:
        if not read():
            guest.relay.ignore(console)

    def last_words() -> str:
        """What it printed last, with what has not been read yet."""
        for _ in range(CONSOLE_LINES):
            if not select.select([console], [], [], 0.1)[0] or not read():
                break
        return next((line for line in reversed(guest.console) if line), "none")

    guest.last_words = last_words
    guest.relay.watch(console, on_readable)


def wait_until_ready(guest: Guest, watchdog: Watchdog) -> None:
    """Turn the relay until the guest says `ready`. Raises BootFailed; the machine still has to be ended then."""
    began = time.monotonic()
    try:
        while not guest.said:
            guest.relay.turn(TICK)
            if objection := watchdog.objection(time.monotonic() - began, cpu_seconds(guest.kept.session)):
                raise BootFailed(objection)
    except (ChannelClosed, ProtocolError) as error:
        raise BootFailed(f"its channel ended: {error}") from error
    if guest.said != "ready":
        raise BootFailed("the engine inside did not start")


@dataclass
class Heartbeat:
    """Whether a guest that uses the processor still answers; one that sleeps is left alone, to cost nothing."""

    guest: Guest
    _asked: int = 0
    _cpu: float = 0.0
    _next: float = field(default_factory=lambda: time.monotonic() + BEAT)

    def check(self) -> None:
        """To be called now and then. Raises ChannelClosed for a guest that is busy and has not answered in time."""
        now = time.monotonic()
        if now < self._next:
            return
        before, self._cpu = self._cpu, cpu_seconds(self.guest.kept.session)
        self._next, busy = now + BEAT, self._cpu - before > BUSY * BEAT
        if busy and self._asked and self.guest.relay.mux.is_open(self._asked):
            raise ChannelClosed(f"it is busy and has not answered for {BEAT:.0f} seconds")
        self._asked = self.guest.relay.mux.open("alive") if busy else 0


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
    kinds: Sequence[Kind],
    files: Path,
    on_console: Callable[[str], None] = lambda line: None,
    on_guest: OnGuest = lambda guest: None,
    share: str = "",
) -> Guest:
    """A guest whose engine is ready. One retry: on the next kind that works here, or on the same where it is the last.

    `on_guest` is called with each guest before it is waited for. Raises EngineNotStarted with all that went wrong.
    """
    failures: list[str] = []
    for kind in _tries(kinds, files, failures):
        try:
            return _boot_one(kind, files / kind.name, on_console, on_guest, share)
        except BootFailed as error:
            failures.append(f"{kind.title}: {error}")
    raise EngineNotStarted(
        "We tried to start the engine in a small virtual machine",
        "; ".join(failures),
        "`labkit doctor` tells what is missing",
    )


def _tries(kinds: Sequence[Kind], files: Path, failures: list[str]) -> Iterator[Kind]:
    """The kinds that work here, each looked at when it is its turn; if there is only one, that one twice."""
    usable = []
    for kind in kinds:
        if reason := unusable(kind, files):
            failures.append(f"{kind.title}: {reason}")
        else:
            usable.append(kind)
            yield kind
    if len(usable) == 1:
        yield usable[0]


def unusable(kind: Kind, files: Path) -> str:
    """Why no such machine can be started here, "" if one can; its files are built if they are not there."""
    try:
        guest_files.ensure(kind.name, files)
    except GuestNotBuilt as error:
        return str(error)
    return kind.trial(files / kind.name)


def _boot_one(kind: Kind, files: Path, on_console: Callable[[str], None], on_guest: OnGuest, share: str) -> Guest:
    """A guest that is ready, or BootFailed with its last words, and nothing left of it."""
    guest = start(kind, files, on_console, share)
    try:
        on_guest(guest)
        wait_until_ready(guest, Watchdog())
    except BootFailed as error:
        words = guest.last_words()
        guest.end()
        raise BootFailed(f"{error}; its last words: {words}") from error
    except BaseException:  # we were told to stop
        guest.end()
        raise
    return guest
