"""QEMU's command line for a small machine: a processor, memory and virtio devices, hardly anything else.

Which machine that is depends on the processor, see BOARDS: QEMU could emulate any, but the programs of this machine
are to run in it. Pure emulation (TCG). Left out on purpose: `-enable-kvm`, as where it only seems to work the guest
hangs; and every network that leads out: a card can be had, a cable not.
"""

import platform
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
TRANSLATED = 64  # MiB for translated code; less costs time, more costs memory


def command(
    files: Path, *, memory: int, processors: int, channel: int, words: Sequence[str], devices: Sequence[str] = ()
) -> list[str]:
    """The arguments for a machine that boots `files`/vmlinuz and initramfs.

    `memory` in bytes; `channel` is the descriptor behind the port `labkit`; `words` end
    the kernel's command line.
    """
    here = board()
    append = [f"console={here.console}", "panic=-1", "mitigations=off", "random.trust_cpu=on", *here.words(), *words]
    return [
        program(files),
        "-M", here.machine, *here.options, "-accel", f"tcg,tb-size={TRANSLATED}",
        "-m", str(memory // MIB), "-smp", str(processors),
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-kernel", str(files / "vmlinuz"), "-initrd", str(files / "initramfs"), "-append", " ".join(append),
        *devices,
        "-device", "virtio-rng-device",
        "-chardev", f"socket,id=channel,fd={channel}",
        "-device", "virtio-serial-device", "-device", "virtserialport,chardev=channel,name=labkit",
        "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    ]  # fmt: skip


def clock_words() -> list[str]:
    """Tell the kernel of a `microvm` how fast its clock counts.

    Without that it asks timers which this machine does not have, and hangs nine times in ten.
    """
    khz = tsc_khz()
    return ["reboot=t", f"tsc_early_khz={khz}", f"lpj={khz * 4}", "tsc=reliable", "no_timer_check"]


def tsc_khz(cpuinfo: str | None = None) -> int:
    """How fast the processor's time stamp counter counts, in kHz: from /proc/cpuinfo, proc_cpuinfo(5).

    "cpu MHz" is how fast the processor runs at this moment; the counter has the nominal speed, which many names tell.
    In a virtual machine both are the same, and the first is exact.
    """
    text = _cpuinfo() if cpuinfo is None else cpuinfo
    now = re.search(r"^cpu MHz\s*: ([\d.]+)", text, re.MULTILINE)
    nominal = re.search(r"^model name.* @ ([\d.]+)GHz", text, re.MULTILINE)
    virtual = re.search(r"^flags.*\bhypervisor\b", text, re.MULTILINE)
    if nominal and not virtual:
        return round(float(nominal[1]) * 1_000_000)
    return int(float(now[1]) * 1000) if now else 1_000_000  # where it is emulated it counts nanoseconds


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def disk(number: int, image: Path, *, read_only: bool = False) -> list[str]:
    """A disk of the guest, /dev/vda and so on, whose content is a file here."""
    mode = "on" if read_only else "off"
    drive = f"id=disk{number},file={str(image).replace(',', ',,')},format=raw,if=none,readonly={mode}"
    return ["-drive", drive, "-device", f"virtio-blk-device,drive=disk{number}"]


def network_card(number: int) -> list[str]:
    """A network card of the guest, eth0 and so on, on a hub that nothing else is plugged into."""
    address = f"52:54:00:00:00:{number + 1:02x}"
    hub = f"hubport,id=net{number},hubid={number}"
    return ["-netdev", hub, "-device", f"virtio-net-device,netdev=net{number},mac={address}"]


def program(files: Path | None = None) -> str:
    """The emulator for this processor: the installed one, or the one that guest.py unpacked beside its files."""
    name = board().program
    unpacked = files / "run-qemu" if files else None
    return shutil.which(name) or (str(unpacked) if unpacked and unpacked.exists() else name)


# --- the table ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Board:
    """A row of BOARDS: the machine that is emulated on one kind of processor."""

    machine: str
    program: str
    package: str  # of Debian and Ubuntu
    kernel: str  # a package, too
    console: str
    early: str  # a word that lets the kernel print before it has a driver for its console
    options: tuple[str, ...] = ()
    words: Callable[[], list[str]] = list
    """What else its kernel has to be told."""


# By uname(2)'s word for the processor. An arm64 tells its kernel itself how fast its clock counts. Of its processors
# this is one without pointer authentication: to emulate that too makes a boot three times as long.
BOARDS = {
    "x86_64": Board(
        "microvm", "qemu-system-x86_64", "qemu-system-x86", "linux-image-cloud-amd64",
        "ttyS0", "earlyprintk=serial,ttyS0", words=clock_words,
    ),
    "aarch64": Board(
        "virt", "qemu-system-aarch64", "qemu-system-arm", "linux-image-cloud-arm64",
        "ttyAMA0", "earlycon", options=("-cpu", "cortex-a72"),
    ),
}  # fmt: skip


def board() -> Board:
    """The machine for this processor; for one that we know none for, the row whose emulator is the most common."""
    return BOARDS.get(platform.machine(), BOARDS["x86_64"])
