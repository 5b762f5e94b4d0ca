"""A virtual machine to look at: boot it, ask what is in it, stop it, start it again, delete it.

    vm = labkit.VM(memory=128)
    vm.start()
    vm.phases          # what the boot did, and how long each part took
    vm.hardware()      # its processors, memory, disks and network cards, as its own kernel sees them
    vm.run("uname -r") # a command inside
    vm.delete()

The verbs are those of a container, and its life has the same states. Behind it is QEMU, which emulates a processor and
its devices in a program (TCG): any machine can do that, but a boot takes seconds where one with the processor's help
(KVM) takes some tenths. Inside are a distribution's kernel and a busybox. Left out: a network that leads anywhere.
"""

import base64
import contextlib
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from labkit.errors import EngineError
from labkit.microvm import guest, keeper, qemu
from labkit.microvm.boot import TICK, Watchdog, cpu_seconds
from labkit.microvm.kinds import QEMU, environment

State = Literal["created", "running", "stopped", "deleted"]
RUN_SECONDS = 60.0

# How a boot goes: name, the words on the console that end it, what happens in it.
PHASES: tuple[tuple[str, str, str], ...] = (
    ("firmware", "Linux version", "the machine is switched on, its firmware loads the kernel"),
    ("kernel", "Run /init", "the kernel takes over processor and memory, and starts its first process"),
    ("devices", "labkit: devices are ready", "drivers are loaded, the devices found, file systems mounted"),
)


# What the kernel of the machine knows of its devices: kind, name, details.
HARDWARE = r"""
model=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)
model=${model:-$(uname -m), part $(sed -n 's/^CPU part.*: //p' /proc/cpuinfo | head -n 1)}
sed -n 's/^processor.*: //p' /proc/cpuinfo | while read -r number; do
    echo "processor|cpu$number|$model"
done
echo "memory|RAM|$(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024)) MiB for programs"
for disk in /sys/block/vd*; do
    [ -e "$disk" ] && echo "disk|${disk##*/}|$(($(cat "$disk/size") / 2048)) MiB"
done
for card in /sys/class/net/eth*; do
    [ -e "$card" ] && echo "network card|${card##*/}|$(cat "$card/address")"
done
"""
DISK_MIB = 16


class VMError(EngineError):
    """A virtual machine did not do what it was asked to."""


@dataclass(frozen=True)
class Phase:
    """A part of a boot: from when to when, in seconds since the machine was switched on."""

    name: str
    began: float
    ended: float
    what: str

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Device:
    """A piece of virtual hardware: its kind (processor, memory, disk, network card), its name, and details."""

    kind: str
    name: str
    details: str


@dataclass(frozen=True)
class Process:
    """A process in the machine."""

    pid: int
    parent: int
    name: str


@dataclass(frozen=True)
class Result:
    """What a command in the machine wrote, and its exit status."""

    output: str
    status: int


_known: "weakref.WeakSet[VM]" = weakref.WeakSet()


def machines() -> list["VM"]:
    """The virtual machines that this Python has made and not forgotten, in no order; deleted ones too."""
    return list(_known)


class VM:
    """A virtual machine. As a context manager it is deleted at the end; it never outlives this Python."""

    def __init__(self, *, processors: int = 1, memory: int = 128, disks: int = 1, network_cards: int = 1) -> None:
        """`memory` in MiB; each disk has 16 MiB. Builds the kernel's files if need be. Raises VMError."""
        self.processors, self.memory, self.network_cards = processors, memory, network_cards
        self.state: State = "created"
        self.phases: list[Phase] = []
        self.console: list[tuple[float, str]] = []
        """What the machine printed: seconds since it was switched on, and a line."""
        self._files = guest.default_files() / "vm"
        guest.ensure("vm", guest.default_files())
        if not guest.qemu_found(self._files):
            do = f"install it (Debian, Ubuntu: `sudo apt install {QEMU.package}`); no machine can be made without"
            raise VMError("We looked for QEMU, which makes the machine", "it is not installed", do)
        self._folder = Path(tempfile.mkdtemp(prefix="labkit-disks-"))
        self._disks = [_make_disk(self._folder / f"disk{number}") for number in range(disks)]
        self._kept: keeper.Kept | None = None
        self._channel: socket.socket | None = None
        _known.add(self)

    @property
    def disks(self) -> int:
        """How many disks it has."""
        return len(self._disks)

    # --- its life ------------------------------------------------------------------------------------------------

    def start(self) -> "VM":
        """Switch it on, and wait until its devices are ready. Raises VMError; never waits for ever."""
        if self.state not in ("created", "stopped"):
            raise VMError(f"We tried to start a machine that is {self.state}", do="make a new one, or stop this first")
        self._switch_on()
        try:
            self._wait(Watchdog(wall=90, cpu=60))
        except BaseException:
            self._switch_off()
            raise
        self.state = "running"
        return self

    def stop(self) -> None:
        """Let it write its disks and switch itself off. What is on its disks stays."""
        if self.state != "running":
            return
        with contextlib.suppress(VMError):
            self.run("sync; umount -a; (sleep 0.1; reboot -f) >/dev/null 2>&1 &", seconds=10)
            self._until_ended(5)
        self._switch_off()
        self.state = "stopped"

    def restart(self) -> "VM":
        """Stop it and start it again."""
        self.stop()
        return self.start()

    def delete(self) -> None:
        """Stop it at once and remove its disks."""
        self._switch_off()
        shutil.rmtree(self._folder, ignore_errors=True)
        self.state = "deleted"

    def __enter__(self) -> "VM":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.delete()

    def __repr__(self) -> str:
        counts = [
            f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((self.processors, "processor"), (self.disks, "disk"))
        ]
        return f"<VM {self.state}: {counts[0]}, {self.memory} MiB, {counts[1]}>"

    # --- what is in it -------------------------------------------------------------------------------------------

    def run(self, command: str, *, seconds: float = RUN_SECONDS) -> Result:
        """Run a shell command in the machine. Raises VMError when it does not end in time."""
        if self._channel is None:
            raise VMError(f"We tried to run {command!r} in a machine that is {self.state}", do="start it first")
        self._read_console(0)  # or its console would stop when nobody reads
        self._channel.settimeout(seconds)
        try:
            self._channel.sendall(base64.b64encode(command.encode()) + b"\n")
            output, _, status = self._answer().rpartition(b" ")
        except OSError as error:
            raise VMError(f"We ran {command!r} in the machine", str(error), "`restart()` it") from error
        return Result(base64.b64decode(output).decode(errors="replace"), int(status))

    def hardware(self) -> list[Device]:
        """The devices that its kernel has found."""
        rows = (line.split("|", 2) for line in self.run(HARDWARE).output.splitlines())
        return [Device(*(field.strip() for field in row)) for row in rows if len(row) == 3]

    def kernel(self) -> str:
        """The name and version of its own kernel, as uname(1) says."""
        return self.run("uname -sr").output.strip()

    def processes(self) -> list[Process]:
        """Its processes; those that the kernel itself made have the parent 2, or none."""
        rows = (line.split(None, 2) for line in self.run("ps -o pid,ppid,comm").output.splitlines()[1:])
        return [Process(int(pid), int(parent), name.strip()) for pid, parent, name in rows]

    def files(self) -> dict[str, int]:
        """What it is made of, in bytes: its kernel, the files it boots with, and its disks as they are now."""
        made_of = {"kernel": self._files / "vmlinuz", "root file system": self._files / "initramfs"}
        made_of |= {path.name: path for path in self._disks}
        return {name: path.stat().st_blocks * 512 for name, path in made_of.items()}

    # --- switching on and off ------------------------------------------------------------------------------------

    def _switch_on(self) -> None:
        self._channel, theirs = socket.socketpair()
        devices = [word for number, image in enumerate(self._disks) for word in qemu.disk(number, image)]
        devices += [word for number in range(self.network_cards) for word in qemu.network_card(number)]
        run = Path(tempfile.mkdtemp(prefix="labkit-vm-"))
        command = qemu.command(
            self._files, memory=self.memory * qemu.MIB, processors=self.processors, channel=theirs.fileno(),
            words=[qemu.board().early], devices=devices,
        )  # fmt: skip
        self.console, self.phases, self._unfinished = [], [], b""
        self._began = time.monotonic()
        with theirs:
            self._kept = keeper.start(command, run, environment(run), [theirs.fileno()])

    def _wait(self, watchdog: Watchdog) -> None:
        """Read the console until the last phase has ended."""
        assert self._kept is not None
        while len(self.phases) < len(PHASES):
            self._read_console(TICK)
            wall = time.monotonic() - self._began
            said = "it ended" if _readable(self._kept.ended) else ""
            said = said or watchdog.objection(wall, cpu_seconds(self._kept.session))
            if said and len(self.phases) < len(PHASES):
                last = self.console[-1][1] if self.console else "nothing"
                raise VMError("We booted a virtual machine", f"{said}; its last words: {last}", "try `start()` again")

    def _read_console(self, seconds: float) -> None:
        assert self._kept is not None and self._kept.keeper.stdout is not None
        output = self._kept.keeper.stdout.fileno()
        while _readable(output, seconds) and (data := os.read(output, 1 << 16)):
            now, seconds = time.monotonic() - self._began, 0.0
            *lines, self._unfinished = (self._unfinished + data).split(b"\n")
            for line in (line.decode(errors="replace").strip() for line in lines):
                self.console.append((now, line))
                self._note_phase(now, line)

    def _note_phase(self, now: float, line: str) -> None:
        for name, words, what in PHASES[len(self.phases) : len(self.phases) + 1]:
            if words in line:
                began = self.phases[-1].ended if self.phases else 0.0
                self.phases.append(Phase(name, began, now, what))

    def _until_ended(self, seconds: float) -> None:
        if self._kept:
            select.select([self._kept.ended], [], [], seconds)

    def _switch_off(self) -> None:
        if self._kept:
            self._kept.end()
        if self._channel:
            self._channel.close()
        self._kept = self._channel = None

    def _answer(self) -> bytes:
        assert self._channel is not None
        answer = bytearray()
        while not answer.endswith(b"\n"):
            data = self._channel.recv(1 << 16)
            if not data:
                raise OSError("the machine ended")
            answer += data
        return bytes(answer.strip())


def _make_disk(path: Path) -> Path:
    """A file that stands for an empty disk; with a file system on it where mke2fs(8) is installed."""
    with path.open("wb") as file:
        file.truncate(DISK_MIB * qemu.MIB)
    if mke2fs := shutil.which("mke2fs", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
        subprocess.run([mke2fs, "-q", "-t", "ext4", "-O", "^has_journal", str(path)], check=False, capture_output=True)
    return path


def _readable(fd: int, seconds: float = 0.0) -> bool:
    return bool(select.select([fd], [], [], seconds)[0])
