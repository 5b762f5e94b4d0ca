"""The engines that a test can be run on: a dockerd that is here already, or our own, started for the tests.

An engine of ours gets a folder of its own with a short name: a unix socket's path may have 107 bytes at most
(unix(7)), and pytest's own temporary folders are longer than that.
"""

import contextlib
import hashlib
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker

from tests.backends import backend_missing

# As an ordinary user the embedded engine is the rootless one, so it is not run a second time under that name.
OURS = ["embedded"] + (["rootless"] if os.geteuid() == 0 else [])

DOCKERD_ADDRESS = "unix:///var/run/docker.sock"
READY_SECONDS = 30
STOP_SECONDS = 15
CLIENT_SECONDS = 60  # no single request of a test may take longer


@dataclass
class Engine:
    """One engine under test: its name in test ids, its address, and where its log is."""

    name: str
    address: str
    log: Path | None = None
    state: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.address, version="auto", timeout=CLIENT_SECONDS)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log and self.log.exists() else ""


# --- dockerd ---------------------------------------------------------------------------------------------------


def dockerd() -> Engine:
    """The Docker engine of this machine: DOCKER_HOST, else the usual socket."""
    address = os.environ.get("DOCKER_HOST") or DOCKERD_ADDRESS
    how = f"install Docker and start dockerd, or set DOCKER_HOST (tried {address})"
    try:
        client = docker.DockerClient(base_url=address, version="auto", timeout=5)
    except docker.errors.DockerException as error:
        backend_missing("dockerd", f"{how}; it said: {error}")
    with contextlib.closing(client):
        if is_labkit(client.version()):
            backend_missing("dockerd", f"{how}; what answers there is an engine of labkit")
    return Engine("dockerd", address)


def is_labkit(version: dict) -> bool:
    """An engine of ours names itself in GET /version, as Docker and Podman do."""
    names = [
        version.get("Platform", {}).get("Name", ""),
        *(c.get("Name", "") for c in version.get("Components", [])),
    ]
    return any("labkit" in name.lower() for name in names)


# --- ours ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def embedded(account: pwd.struct_passwd | None = None) -> Iterator[Engine]:
    """An embedded engine in a folder of its own, as this user or as `account`; stopped and removed at the end."""
    with folder(account) as place:
        engine = embedded_in(place, "rootless" if account or os.geteuid() != 0 else "embedded")
        try:
            start(engine, account)
            yield engine
        finally:
            stop(engine)


@contextlib.contextmanager
def folder(account: pwd.struct_passwd | None) -> Iterator[Path]:
    """A temporary folder with a short name, which is the account's."""
    place = Path(tempfile.mkdtemp(prefix="lk-", dir="/tmp"))
    if account:
        os.chown(place, account.pw_uid, account.pw_gid)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def embedded_in(place: Path, name: str) -> Engine:
    """An embedded engine, not started yet, with all its files below `place`."""
    return Engine(name, f"unix://{place}/engine.sock", log=place / "engine.log", state=place / "state")


def start(engine: Engine, account: pwd.struct_passwd | None = None) -> None:
    """Start the API process and wait for the line that says `ready`."""
    socket_path = engine.address.removeprefix("unix://")
    command = [*as_account(account), python(account), "-m", "labkit.engine"]
    command += ["--socket", socket_path, "--state", str(engine.state)]
    seen = engine.log.stat().st_size if engine.log.exists() else 0
    with open(engine.log, "ab") as log:
        engine.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(account), cwd="/",
        )  # fmt: skip
    deadline = time.monotonic() + READY_SECONDS
    while not re.search(r"\bready\b", engine.log_text()[seen:]):
        if engine.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{' '.join(command)} did not get ready; its log:\n{engine.log_text()[seen:]}")
        time.sleep(0.02)


def stop(engine: Engine) -> None:
    """End the API process as a user would (SIGTERM), then the shim if it still waits; both bounded in time."""
    if engine.process and engine.process.poll() is None:
        engine.process.send_signal(signal.SIGTERM)
        try:
            engine.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            engine.process.kill()
            engine.process.wait()
    shim = shim_pid(engine.state)
    if shim:
        with contextlib.suppress(ProcessLookupError):
            os.kill(shim, signal.SIGTERM)
    remove_bridge(engine)


def remove_all(engine: Engine) -> None:
    """Remove every container, so that the shim has nothing left to wait for."""
    with contextlib.suppress(docker.errors.DockerException), contextlib.closing(engine.client()) as client:
        for container in client.containers.list(all=True, ignore_removed=True):
            container.remove(force=True, v=True)


def remove_bridge(engine: Engine) -> None:
    """Remove the bridge that a root engine leaves for containers that go on; nobody comes back to this folder."""
    name = "lk" + hashlib.sha256(str(engine.state).encode()).hexdigest()[:10]
    if Path(f"/sys/class/net/{name}").exists():
        subprocess.run(["ip", "link", "delete", name], capture_output=True, timeout=10)


def shim_pid(state: Path) -> int | None:
    return listener(state / "shim.sock", socket.SOCK_SEQPACKET)


def api_pid(engine: Engine) -> int | None:
    return listener(Path(engine.address.removeprefix("unix://")), socket.SOCK_STREAM)


def listener(path: Path, kind: int) -> int | None:
    """Who listens on a unix socket (SO_PEERCRED, unix(7)); None when nobody does."""
    with socket.socket(socket.AF_UNIX, kind) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return None
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[0]


# --- an ordinary user ------------------------------------------------------------------------------------------


def ordinary_account() -> pwd.struct_passwd:
    """Who runs the rootless engine when the tests run as root: LABKIT_TEST_USER, else a user with sub-ids."""
    how = "make an ordinary user with sub-ids (useradd labkit-test; see subuid(5)) and set LABKIT_TEST_USER to it"
    name = os.environ.get("LABKIT_TEST_USER") or next(iter(accounts_with_subids()), "")
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        backend_missing("rootless", how)
    probe = [*as_account(account), python(account), "-c", "import labkit, aiohttp"]
    said = subprocess.run(probe, capture_output=True, text=True, env=environment(account), cwd="/", timeout=30)
    if said.returncode:
        how = "install labkit where every user may read it, or name another interpreter in LABKIT_TEST_PYTHON"
        backend_missing("rootless", f"{name} cannot run labkit with {python(account)}: {said.stderr[-200:]}; {how}")
    return account


def accounts_with_subids() -> list[str]:
    """Users that subuid(5) gives a range of ids."""
    try:
        lines = Path("/etc/subuid").read_text().splitlines()
    except OSError:
        return []
    return [line.split(":")[0] for line in lines if line.count(":") == 2]


def as_account(account: pwd.struct_passwd | None) -> list[str]:
    """The start of a command line that runs the rest as `account` (setpriv(1)); nothing when it is None."""
    if account is None:
        return []
    # env(1) comes between, because setpriv itself may still enter folders that the account may not
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups", "env"]


def python(account: pwd.struct_passwd | None) -> str:
    """The interpreter that runs the engine: ours; for an account LABKIT_TEST_PYTHON, where ours is not for all."""
    return (account and os.environ.get("LABKIT_TEST_PYTHON")) or sys.executable


def environment(account: pwd.struct_passwd | None) -> dict[str, str]:
    """The environment of the engine: ours, without what would point it elsewhere; the account's own home."""
    kept = {k: v for k, v in os.environ.items() if k not in ("DOCKER_HOST", "XDG_RUNTIME_DIR", "XDG_DATA_HOME")}
    return kept | ({"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name} if account else {})
