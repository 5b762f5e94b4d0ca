"""The state folder: where everything that the engine knows is kept between two runs.

`root` is the state itself, `run` holds sockets. Both are of mode 0700: the files inside are written by containers,
whose root may set any mode and owner on them. One engine at a time has the folder; flock(2) sees to that, and the
kernel drops the lock however the engine ends.

Left out: fsync(2). A power cut may lose the last seconds; a killed engine loses nothing, as the page cache stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.engine.errors import StateError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def default_state() -> Path:
    """The state folder: $LABKIT_STATE, or /var/lib/labkit for root, or labkit in the user's data folder."""
    return Path(os.environ.get("LABKIT_STATE") or _usual_state())


def default_run(root: Path) -> Path:
    """The folder for sockets of the state at `root`: /run/labkit, $XDG_RUNTIME_DIR/labkit, or `root`/run.

    A folder that somebody chose keeps its sockets inside, so that two engines never share one.
    """
    runtime = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR")
    if root != _usual_state() or not runtime:
        return root / "run"
    return Path(runtime) / "labkit"


def default_socket() -> Path:
    """The engine's socket: $LABKIT_SOCKET, or engine.sock in the folder for sockets."""
    return Path(os.environ.get("LABKIT_SOCKET") or default_run(default_state()) / "engine.sock")


def _usual_state() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/labkit")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "labkit"


def boot_id() -> str:
    """The kernel's name for this boot (random(4)). Pids and mounts of another boot mean nothing."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as JSON so that a reader sees the old file or the new one, never half of one.

    Raises OSError (ENOSPC on a full disk); the old file is then still there.
    """
    path = Path(path)
    text = json.dumps(value, separators=(",", ":"))
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        new.write_text(text)
        new.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def read_json(path: Path | str, default: Any = None) -> Any:
    """Read a JSON file. `default` where there is no such file; StateError where it is not JSON."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        return default
    except ValueError as error:
        raise StateError(f"{path} is not JSON ({error}); move it away and start again") from error


@dataclass
class State:
    """The paths of one engine, and the lock on them."""

    root: Path
    run: Path
    _lock_fd: int | None = None

    @classmethod
    def at(cls, root: Path | None = None, run: Path | None = None) -> State:
        """The state at `root` (default_state() if None), its folders made."""
        root = Path(root or default_state()).absolute()
        state = cls(root, Path(run or default_run(root)).absolute())
        state.make()
        return state

    @property
    def engine_file(self) -> Path:
        return self.root / "engine.json"

    @property
    def shim_socket(self) -> Path:
        return self.root / "shim.sock"

    @property
    def shim_pid_file(self) -> Path:
        return self.root / "shim.pid"

    @property
    def overlay(self) -> Path:
        return self.root / "overlay"

    @property
    def containers(self) -> Path:
        return self.root / "containers"

    @property
    def socket(self) -> Path:
        return self.run / "engine.sock"

    def container(self, container_id: str) -> Path:
        """The folder of one container."""
        return self.containers / container_id

    def make(self) -> None:
        """Make the folders, for their owner alone. Raises StateError where that is refused."""
        for folder in (
            self.root,
            self.run,
            self.overlay,
            self.containers,
            self.root / "images",
            self.root / "blobs",
        ):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.chmod(0o700)
            except OSError as error:
                raise StateError(
                    f"cannot use {folder} as a private folder: {error.strerror}; set LABKIT_STATE to a folder of yours"
                ) from error

    def lock(self) -> None:
        """Take the folder for this process until it ends (flock(2)).

        Raises StateError, naming the engine that has it.
        """
        fd = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise StateError(
                f"another engine (pid {holder}) already uses {self.root}; "
                "use that one, stop it, or give this one another --state"
            ) from error
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        self._lock_fd = fd

    def unlock(self) -> None:
        """Give the folder back. The end of the process does it too."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def rebooted(self) -> bool:
        """Whether the machine was started anew since an engine last wrote engine.json."""
        known = self.read_engine().get("boot_id")
        return known is not None and known != boot_id()

    def read_engine(self) -> dict[str, Any]:
        """What engine.json says: id, boot_id, pid, socket, started (unix time), uptime."""
        found = read_json(self.engine_file, {})
        return found if isinstance(found, dict) else {}

    def id(self) -> str:
        """The engine's id: the one in engine.json, or a new one, to be kept with `write_engine`."""
        return str(self.read_engine().get("id") or os.urandom(16).hex())

    def write_engine(self, **fields: Any) -> None:
        """Write engine.json for this process. `uptime`: seconds since the machine started; nobody sets that clock."""
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        facts = {"boot_id": boot_id(), "pid": os.getpid(), "started": time.time(), "uptime": uptime}
        write_json(self.engine_file, facts | fields)
