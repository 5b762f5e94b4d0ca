"""A second engine for a lesson: labkit's own, in a temporary folder, beside the one that the lesson is connected to.

It runs on this machine; where namespaces are refused here, or where a lesson asks for it, in a small virtual machine.
It is for one lesson only: `stop()` removes it with all that is in it, and so does the end of this Python process. What
a process left that was killed (SIGKILL lets nobody clean up) is removed when the next second engine starts.
"""

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import docker
from docker.errors import APIError, DockerException

from labkit.connect import OneLine
from labkit.engine import control
from labkit.errors import LabkitError
from labkit.microvm import control as machines

TMP, NAME = Path("/tmp"), "labkit-second-"  # short: a socket's path has 107 bytes at most, unix(7)
LIMITS = ("MemoryLimit", "PidsLimit", "CpuCfsQuota", "CPUShares")  # of GET /info: what the engine can set
_running: "list[SecondEngine]" = []  # of this process, the latest last


class SecondEngine:
    """An engine of labkit's, started now: `client` is the Docker SDK's, `running` says where it listens.

    `in_vm` takes the virtual machine even where the engine could run here. Raises EngineNotStarted, with what the
    system said, where neither can be.
    """

    def __init__(self, *, in_vm: bool = False, heading: str = "Second engine: ") -> None:
        refusal = machines.refusal()
        self.in_vm = in_vm or bool(refusal)
        sweep()
        with OneLine(heading) as line:
            self._folder = Path(tempfile.mkdtemp(prefix=f"{NAME}{os.getpid()}-", dir=TMP))
            try:
                self.running = self._start(line)
            except BaseException:
                shutil.rmtree(self._folder, ignore_errors=True)
                raise
            because = f", as namespaces are refused here: {refusal}" if refusal else ""
            machine = self.running.machine
            where = f" in a small virtual machine ({machines.title(self.running)}{because})" if machine else ""
            line.say(f"labkit's own{where} at unix://{self.running.socket}.")
        self.client = docker.DockerClient(f"unix://{self.running.socket}")
        _running.append(self)
        atexit.register(self.stop)

    def __repr__(self) -> str:
        return "SecondEngine: stopped" if self not in _running else "SecondEngine: running"

    def _start(self, line: OneLine) -> control.Running:
        state, path = self._folder / "state", self._folder / "engine.sock"
        if self.in_vm:
            return machines.start(state, path, lambda: line.say("starting a small virtual machine… "), held=True)
        return control.start(state, path, lambda: line.say("starting… "))

    def stop(self) -> None:
        """Remove its containers and images, end it, remove its folder. Twice is the same as once."""
        if self not in _running:
            return
        _running.remove(self)
        atexit.unregister(self.stop)
        self.client.close()
        _remove(self._folder)


def _remove(folder: Path) -> None:
    """End the engine of a folder, if it runs, with all that is in it; then remove the folder."""
    state = folder / "state"
    if running := control.find(state):
        with contextlib.closing(docker.DockerClient(f"unix://{running.socket}")) as client:
            empty(client)  # the engine can remove what its containers wrote; an ordinary user may not
        control.stop(running)
    control.stop_shim(state)
    shutil.rmtree(folder, ignore_errors=True)


def empty(client: docker.DockerClient) -> None:
    """Remove all containers and images of an engine that is ours alone."""
    for container in client.containers.list(all=True, ignore_removed=True):
        with contextlib.suppress(APIError):
            container.remove(force=True, v=True)
    for image in client.images.list():
        with contextlib.suppress(APIError):
            client.images.remove(image.id or "", force=True)


def sweep() -> None:
    """Remove the second engines of our own processes that are gone."""
    for folder in TMP.glob(f"{NAME}*-*"):
        pid = folder.name.removeprefix(NAME).partition("-")[0]
        with contextlib.suppress(OSError, LabkitError, DockerException):  # somebody else may sweep too
            if folder.stat().st_uid == os.geteuid() and pid.isdigit() and not Path("/proc", pid).exists():
                _remove(folder)


def engine_with_limits(client: docker.DockerClient) -> docker.DockerClient:
    """This engine where it can set limits; else labkit's own in a small virtual machine, which can. Prints one line.

    An ordinary user's engine may set none, unless the system has delegated a control group to the user: cgroups(7).
    Raises EngineNotStarted where there is no machine either.
    """
    facts = client.info()
    if all(facts.get(name) for name in LIMITS):
        print("Limits: this engine can set them.")
        return client
    waiting = [each for each in _running if each.in_vm]
    if waiting:
        print("Limits: we go on in the small virtual machine that runs already.")
        return waiting[-1].client
    return SecondEngine(
        in_vm=True, heading="Limits: this engine may not set them here, so we go on in another: "
    ).client


def current() -> docker.DockerClient | None:
    """The client of the second engine that runs now, for the checks of a lesson; None where none does."""
    return _running[-1].client if _running else None
