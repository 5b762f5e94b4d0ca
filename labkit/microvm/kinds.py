"""The kinds of machine that a guest can run on, each a row: its command line, and the trial that tells if it works.

User-mode Linux is a kernel that runs as an ordinary program: fast, but there is none for arm64, and it needs ptrace(2)
and a folder for temporary files from which code may be executed. QEMU emulates a whole processor: it needs nothing, and
takes ten to thirty times as long. Neither needs a privilege, a device or a network.

Left out: /dev/kvm. Where that is usable Docker is, too; and where it only seems usable, as in many nested machines,
the guest hangs.
"""

import contextlib
import mmap
import os
import platform
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import labkit
from labkit.microvm import qemu
from labkit.microvm.qemu import MIB
from labkit.microvm.rootdisk import LIBRARY, interpreter

TRIAL_SECONDS = 1.0
MEMORY = 256 * MIB  # enough for the engine and a handful of small containers
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # version 2, version 1

SCRATCH_FOLDERS = (os.environ.get("TMPDIR"), "/tmp", "/var/tmp", os.environ.get("XDG_RUNTIME_DIR"))


@dataclass(frozen=True)
class Machine:
    """One machine to be started."""

    files: Path  # what guest.py built for its kind
    run: Path  # a private folder for its own small files
    channel: int  # the descriptor that is its only way out
    memory: int  # bytes
    share: str = ""  # a folder of the host that the guest may write to


@dataclass(frozen=True)
class Kind:
    """A row of KINDS."""

    name: str
    title: str
    program: str
    package: str
    least: int  # bytes of memory; with less it spends its time fetching the same pages again
    line: bool  # whether its channel is a terminal line, see channel.py
    command: Callable[[Machine], list[str]]
    trial: Callable[[Path], str]
    """Given the guest's files: "" if such a machine would start here, else what stands in the way. About a second."""


# --- how large ---------------------------------------------------------------------------------------------------


def memory_for_guest(least: int, read: Callable[[str], str | None] = lambda path: _read(path)) -> int:
    """Bytes: 256 MiB, or a quarter of what our own control group may use (cgroups(7)), but not less than `least`."""
    limits = [int(text) for path in CGROUP_LIMITS if (text := read(path)) and text.isdecimal()]
    return max(least, min([MEMORY, *(limit // 4 for limit in limits)]))


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


# --- user-mode Linux ---------------------------------------------------------------------------------------------


def uml_command(machine: Machine) -> list[str]:
    """The kernel as a program: its arguments are the kernel's command line (linux.uml(1)).

    The root is the host's own file system, read-only, through hostfs; so the guest's first process is this very
    Python, and a folder has the same path inside and outside.
    """
    options = [f"parcels={machine.run}", f"modules={machine.files / 'modules'}"]
    options += [f"share={machine.share}"] if machine.share else []
    source = str(Path(labkit.__file__).parent.parent)
    return [
        str(machine.files / "linux.uml"),
        f"mem={machine.memory // MIB}M",
        "rootfstype=hostfs", "rootflags=/", "ro",
        "con=null", "con0=null,fd:1",  # what the kernel says goes to our standard output, nothing is read
        f"ssl0=fd:{machine.channel}",
        f"uml_dir={machine.run}/", "umid=vm",
        "quiet", "panic=-1",
        f"lpj={qemu.tsc_khz() * 10}",  # jiffies are 100 a second: saves measuring how fast a loop is
        *map(_quoted, python_words(source)),
        _quoted(f"init={sys.executable}"),
        "--",  # what follows are the first process's arguments (kernel-parameters.txt)
        *map(_quoted, init_words("/dev/ttyS0", *options)),
    ]  # fmt: skip


def init_words(channel: str, *options: str) -> list[str]:
    """The arguments of the guest's first process, see init.py."""
    return ["-m", "labkit.microvm.init", f"channel={channel}", *options]


def python_words(library: str) -> list[str]:
    """Words of a kernel's command line that the kernel doesn't know are the first process's environment."""
    return [f"PYTHONPATH={library}", "PYTHONDONTWRITEBYTECODE=1"]


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def try_uml(files: Path) -> str:
    """Start the kernel and stop it as soon as it has passed its own checks of ptrace and of the temporary folder."""
    program = files / "linux.uml"
    if not program.exists():
        return f"there is no {program}"
    if executable_folder() is None:
        tried = ", ".join(filter(None, SCRATCH_FOLDERS))
        return f"no folder for temporary files allows code to be executed (tried {tried})"
    said: list[str] = []
    for line in first_lines([str(program), "mem=32M", "con=null", f"uml_dir={files}/none/"]):
        said.append(line)
        if line.startswith("Checking PROT_EXEC mmap") and line.endswith("OK"):
            return ""
    return said[-1] if said else f"{program} said nothing for {TRIAL_SECONDS} s"


# --- QEMU --------------------------------------------------------------------------------------------------------


def qemu_command(machine: Machine) -> list[str]:
    """An emulated machine whose root is the disk that rootdisk.py made."""
    words = ["quiet", *python_words(LIBRARY)]
    first = ["--", interpreter(), *init_words("labkit", "scratch=/tmp", f"clock={time.time():.0f}")]
    return qemu.command(
        machine.files,
        memory=machine.memory,
        processors=processors(),
        channel=machine.channel,
        words=[*words, *first],
        devices=qemu.disk(0, machine.files / "root.ext4", read_only=True),
    )


def processors() -> int:
    """How many processors we may use, at most two: each is a thread of QEMU's."""
    return min(2, len(os.sched_getaffinity(0)))


def try_qemu(files: Path) -> str:
    """Ask the emulator for the machines it knows, and look for the guest's files."""
    missing = [name for name in ("vmlinuz", "initramfs", "root.ext4") if not (files / name).exists()]
    if missing:
        return f"{files} has no {' and no '.join(missing)}"
    program = qemu.program(files)
    try:
        said = list(first_lines([program, "-M", "help"]))
    except OSError as error:
        return f"{program}: {error.strerror}"
    wanted = qemu.board().machine
    return "" if any(line.split(" ")[0] == wanted for line in said) else f"{program} has no machine `{wanted}`"


# --- the table ---------------------------------------------------------------------------------------------------

UML = Kind("uml", "user-mode Linux", "linux.uml", "user-mode-linux", 96 * MIB, True, uml_command, try_uml)
_BOARD = qemu.board()
QEMU = Kind("qemu", "QEMU", _BOARD.program, _BOARD.package, 192 * MIB, False, qemu_command, try_qemu)
KINDS: tuple[Kind, ...] = (UML, QEMU) if platform.machine() == "x86_64" else (QEMU,)


def first_lines(command: list[str]) -> Iterator[str]:
    """What a command prints within TRIAL_SECONDS, stripped; then, or when the caller has read enough, it is killed."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(),
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    deadline, rest = time.monotonic() + TRIAL_SECONDS, b""
    try:
        while select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
            data = os.read(process.stdout.fileno(), 1 << 16)
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace").strip() for line in lines)
            if not data:
                break
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def environment(run: Path | None = None) -> dict[str, str]:
    """The environment of a machine: where it may put its memory, and nothing of ours, which may hold secrets."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/",
        "TMPDIR": str(run or executable_folder() or "/tmp"),
    }


def executable_folder() -> str | None:
    """A folder for temporary files from which code may be mapped: user-mode Linux keeps its memory in such a file."""
    return next((folder for folder in SCRATCH_FOLDERS if folder and _may_execute(folder)), None)


def _may_execute(folder: str) -> bool:
    """Map a page of a new file as code: EPERM on a file system mounted `noexec`, mmap(2)."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.truncate(mmap.PAGESIZE)
            mmap.mmap(file.fileno(), mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()
    except OSError:
        return False
    return True
