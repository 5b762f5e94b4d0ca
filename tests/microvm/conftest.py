"""The guests' files, built once for all tests here, and a launcher for each kind of machine."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from labkit.microvm import boot, guest, qemu
from labkit.microvm.kinds import KINDS, Kind
from labkit.microvm.packages import GuestNotBuilt
from tests.backends import backend_missing

READY_SECONDS = 120


@pytest.fixture(scope="session")
def guest_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests' guests are built: a folder that lasts as long as the session."""
    return Path(os.environ.get("LABKIT_TEST_GUEST") or tmp_path_factory.mktemp("guest"))


@pytest.fixture(scope="session", params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest, guest_files: Path) -> Kind:
    """Each kind of machine that works here."""
    how = f"apt install {request.param.package}"
    if request.param.name == "qemu":
        how += f" {qemu.board().kernel} busybox-static e2fsprogs"
    if reason := boot.unusable(request.param, guest_files):
        backend_missing(request.param.name, f"{how}; {reason}")
    return request.param


@pytest.fixture
def vm_files(guest_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that labkit.VM needs."""
    monkeypatch.setenv("LABKIT_GUEST", str(guest_files))
    try:
        guest.ensure("vm", guest_files)
    except GuestNotBuilt as error:
        backend_missing("qemu", f"apt install {qemu.board().kernel} busybox-static; {error}")
    if not guest.qemu_found(guest_files / "vm"):
        backend_missing("qemu", f"apt install {qemu.board().package}")


@dataclass
class Launched:
    """A launcher that is ready, its socket, and what it wrote to its log."""

    process: "subprocess.Popen[bytes]"
    socket: Path
    log: Path

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(f"unix://{self.socket}", timeout=60)


@contextlib.contextmanager
def launched(
    kind: Kind, files: Path, *options: str, program: Sequence[str] = ("-m", "labkit.microvm")
) -> Iterator[Launched]:
    """The engine in a machine of this kind, in a folder of its own with a short name (unix(7): 107 bytes)."""
    with tempfile.TemporaryDirectory(prefix="lk-vm-", dir="/tmp") as place, open(f"{place}/log", "wb") as log:
        socket = Path(place, "engine.sock")
        command = [sys.executable, *program, "--kind", kind.name, "--files", str(files)]
        process = subprocess.Popen(
            [*command, "--state", f"{place}/state", "--socket", str(socket), *options],
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready == b"ready\n", Path(place, "log").read_text(errors="replace")
            yield Launched(process, socket, Path(place, "log"))
        finally:
            process.terminate()
            process.wait(10)


def machines_of(program: str) -> list[int]:
    """The pids of all processes that run a program with this name or path."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/exe").endswith(program):
                found.append(int(pid))
    return found


def state_of(pid: int) -> str:
    """A process's state in one letter: R running, S sleeping, T stopped by a signal (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def gone_within(seconds: float, *pids: int) -> bool:
    """Whether all these processes end in time; a zombie counts as ended."""
    deadline = time.monotonic() + seconds
    while any(_lives(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _lives(pid: int) -> bool:
    try:
        return state_of(pid) != "Z"
    except OSError:
        return False


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short name, for sockets."""
    with tempfile.TemporaryDirectory(prefix="lk-vm-", dir="/tmp") as place:
        yield Path(place)
