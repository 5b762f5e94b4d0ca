"""The guest's first process: make a system of it, start the engine, and be the guest's end of the channel.

The kernel starts it as `python -m labkit.microvm.init KEY=VALUE...` on a read-only root file system: with user-mode
Linux that is the host's own, seen through hostfs, with QEMU a disk made of the same Python. It runs until the host
takes the machine away; nothing here is kept, so nothing has to be shut down in order.

    channel   the character device that leads to the host, or the name of a virtio port
    parcels   the folder of parcels for a channel that is a terminal line (see channel.py)
    modules   a folder of kernel modules, in the order of their names (user-mode Linux; QEMU's initramfs has its own)
    share     a folder of the host that the guest sees and may write to (user-mode Linux)
    scratch   a folder to write to that is empty at first (QEMU): bind mounts can at least be made from there
    clock     unix time when it was switched on, for a machine without a clock; made exact later, see set_clock

Few imports, as each takes ten times as long on an emulated processor.
"""

import contextlib
import fcntl
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator

from labkit import linux
from labkit.microvm.channel import Channel, ChannelClosed, LineFromHost
from labkit.microvm.ports import GUEST_SOCKET, TARGET
from labkit.microvm.relay import Relay

CLOCK = "clock"  # the target that the host answers with its time
ENGINE_SOCKET = "/run/labkit/engine.sock"
STATE = "/run/labkit/state"
SCRATCH = "/run/labkit/tmp"
PORTS = "/sys/class/virtio-ports"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NODEV = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC

# what, where, options: everything that a Linux system has mounted before its first service
MOUNTS: tuple[tuple[str, str, int, str], ...] = (
    ("proc", "/proc", NODEV, ""),
    ("sysfs", "/sys", NODEV, ""),
    ("tmpfs", "/run", linux.MS_NODEV, "mode=755,size=70%"),  # images and containers are kept here
    ("devpts", "/dev/pts", linux.MS_NOSUID | linux.MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"),
    ("tmpfs", "/dev/shm", NODEV, "mode=1777"),
    ("mqueue", "/dev/mqueue", NODEV, ""),
    ("cgroup2", "/sys/fs/cgroup", NODEV, ""),
)


def main() -> None:
    """Pid 1's whole life."""
    options = dict(word.partition("=")[::2] for word in sys.argv[1:])
    make_system(options)
    start_relay(open_channel(options["channel"], options.get("parcels")))


def make_system(options: dict[str, str]) -> None:
    """Modules, mounts, a name, a loopback interface."""
    for fstype, target, flags, data in MOUNTS:  # the kernel itself has mounted /dev
        if target.startswith("/dev/"):
            os.makedirs(target, exist_ok=True)
        with attempt(f"mounting {target}"):
            linux.mount(fstype, target, fstype, flags, data)
    for folder in (STATE, SCRATCH):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    if share := options.get("share"):
        with attempt(f"mounting {share}"):
            linux.mount("none", share, "hostfs", linux.MS_NODEV, share)
    if scratch := options.get("scratch"):
        with attempt(f"mounting {scratch}"):
            linux.mount("tmpfs", scratch, "tmpfs", linux.MS_NODEV, "mode=1777")
    load_modules(options.get("modules", ""))
    if clock := options.get("clock"):
        time.clock_settime(time.CLOCK_REALTIME, float(clock) + time.monotonic())  # the boot has taken its time
    linux.sethostname("labkit-vm")
    loopback_up()


@contextlib.contextmanager
def attempt(what: str) -> Iterator[None]:
    """Try one step; say on the console why it failed and go on: half a system can still tell what is wrong."""
    try:
        yield
    except OSError as error:
        print(f"labkit: {what}: {error}", flush=True)


def load_modules(folder: str) -> None:
    for name in sorted(os.listdir(folder)) if folder else ():
        with attempt(f"loading {name}"), open(f"{folder}/{name}", "rb") as file:
            linux.finit_module(file.fileno())


def loopback_up() -> None:
    """Set IFF_UP on `lo`: netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 1)
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


def open_channel(device: str, parcels: str | None) -> Channel:
    """Open the device; a terminal must pass each byte as it is."""
    fd = os.open(device if "/" in device else find_port(device), os.O_RDWR | os.O_NOCTTY)
    if parcels is None:
        return Channel(fd)
    import tty

    tty.setraw(fd)
    return LineFromHost(fd, parcels)


def find_port(name: str) -> str:
    """The device of the virtio port with this name; its driver may still be at work, but not for seconds."""
    for _ in range(500):
        with contextlib.suppress(FileNotFoundError):
            for port in os.listdir(PORTS):
                with open(f"{PORTS}/{port}/name") as file:
                    if file.read().strip() == name:
                        return f"/dev/{port}"
        time.sleep(0.01)
    raise FileNotFoundError(f"there is no virtio port {name}")


def start_relay(channel: Channel) -> None:
    """Start the engine and carry its socket, until the channel ends."""
    relay = Relay(channel, host=False, on_open=connect)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(GUEST_SOCKET)
    listener.listen(64)
    relay.listen(listener, TARGET)
    reap_children(relay)
    tell_when_ready(relay, start_engine())
    with contextlib.suppress(ChannelClosed):
        while True:
            relay.turn()


def connect(target: str) -> socket.socket | None:
    """The socket that a target of the host's means: the engine, or a published port. For any other word, none."""
    kind, _, port = target.partition(":")
    if kind not in ("engine", "tcp"):
        return None  # `alive`: that we answer is all that is asked
    sock = socket.socket(socket.AF_UNIX if kind == "engine" else socket.AF_INET)
    try:
        sock.connect(ENGINE_SOCKET if kind == "engine" else ("127.0.0.1", int(port)))
    except OSError:
        sock.close()
        return None
    return sock


def start_engine() -> int:
    """Start the engine; returns the descriptor on which it says that it is ready."""
    ready, writer = os.pipe()
    os.set_inheritable(writer, True)
    command = [sys.executable, "-m", "labkit.microvm.engine", "--socket", ENGINE_SOCKET, "--state", STATE]
    environment = {**os.environ, "PATH": PATH, "HOME": "/root", "TMPDIR": SCRATCH}
    os.posix_spawn(sys.executable, [*command, "--ready-fd", str(writer)], environment)
    os.close(writer)
    return ready


def tell_when_ready(relay: Relay, ready: int) -> None:
    def said() -> None:
        relay.ignore(ready)
        if os.read(ready, 16).startswith(b"ready"):
            set_clock(relay, lambda: relay.tell("ready"))
        else:
            relay.tell("failed")

    relay.watch(ready, said)


def set_clock(relay: Relay, then: Callable[[], None]) -> None:
    """Ask the host what time it is. Half of the round trip is how old the answer is (RFC 5905, 8).

    Whoever asks for events since his own now must not miss one because the guest's clock is late.
    """
    ours, theirs = socket.socketpair()
    asked = time.monotonic()
    relay.connect(theirs, CLOCK)

    def answered() -> None:
        if text := ours.recv(64):
            time.clock_settime(time.CLOCK_REALTIME, float(text) + (time.monotonic() - asked) / 2)
        relay.ignore(ours.fileno())
        ours.close()
        then()

    relay.watch(ours.fileno(), answered)


def reap_children(relay: Relay) -> None:
    """Pid 1 inherits every orphan, and must wait for each: wait(2)."""
    reader, writer = os.pipe()
    for fd in (reader, writer):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda signum, frame: None)

    def reap() -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(reader, 4096)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    relay.watch(reader, reap)


if __name__ == "__main__":
    main()
