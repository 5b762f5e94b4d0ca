"""The engine in a virtual machine, from outside: whether it is needed, and how it is started and held.

Started by `labkit engine start --in-vm` it runs until it is stopped. Started by `labkit.connect()` it runs as long as a
process that connected to it: when the last of them ends, even by SIGKILL, the machine goes too (launcher.py).
"""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from labkit.engine import control, userns
from labkit.engine.control import Launcher, Running
from labkit.microvm.kinds import KINDS
from labkit.microvm.launcher import HOLD

SECONDS = 400.0  # two tries under the watchdog, and building the guest's files
CAP_SYS_ADMIN = 1 << 21  # capabilities(7)

# Connections that hold a machine for this process; the kernel closes them when it ends.
_holds: dict[int, socket.socket] = {}  # by the launcher's pid: the socket's path may be another's by now


def refusal() -> str:
    """Why the engine can't run on this machine itself, in the system's words; "" where nothing speaks against it."""
    if not (userns.filtered() or userns.obstacles() or _weak_root()):
        return ""
    from labkit.trial import run_trial  # a probe, in a child: this process may have threads

    trial = run_trial()
    return "" if trial.works("namespaces") else trial.error("namespaces")


def _weak_root() -> bool:
    """Root without the capability that mounts need, as in an ordinary container."""
    fields = dict(line.partition(":")[::2] for line in Path("/proc/self/status").read_text().splitlines())
    return os.geteuid() == 0 and not int(fields["CapEff"], 16) & CAP_SYS_ADMIN


def start(
    state: Path | None = None,
    path: Path | None = None,
    on_slow: Callable[[], None] = lambda: None,
    *,
    held: bool = False,
) -> Running:
    """The engine of this state folder, in a machine unless it runs already; `held` ties the machine to this process.

    Raises EngineNotStarted with what each kind of machine said.
    """
    if not held:
        return control.start(state, path, on_slow, Launcher("labkit.microvm", seconds=SECONDS))
    ours, theirs = socket.socketpair()
    launcher = Launcher("labkit.microvm", ("--held-by", str(theirs.fileno())), (theirs.fileno(),), SECONDS)
    with theirs, ours:
        running = control.start(state, path, on_slow, launcher)
        hold(running)  # before `ours` is closed, so there is always somebody
    return running


def hold(running: Running) -> None:
    """Keep the machine of a running engine as long as this process lives; nothing for an engine without one."""
    path = running.socket.with_name(HOLD)
    if not running.machine or running.pid in _holds or not path.exists():
        return
    holder = socket.socket(socket.AF_UNIX)
    holder.connect(str(path))
    _holds[running.pid] = holder


def title(running: Running) -> str:
    """The kind of its machine, in words."""
    return next((kind.title for kind in KINDS if kind.name == running.machine), running.machine)
