"""A second engine for a lesson: labkit's own, in a temporary folder, beside the one that the lesson is connected to.

It runs on this machine; where namespaces are refused here, or where a lesson asks for it, in a small virtual machine.
It is for one lesson only: `stop()` removes it with all that is in it, and so does the end of this Python process.
"""

import atexit
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import docker
from docker.errors import APIError

from labkit.connect import OneLine
from labkit.engine import control
from labkit.microvm import control as machines

_running: "list[SecondEngine]" = []  # of this process, the latest last


class SecondEngine:
    """An engine of labkit's, started now: `client` is the Docker SDK's, `running` says where it listens.

    `in_vm` takes the virtual machine even where the engine could run here. Raises EngineNotStarted, with what the
    system said, where neither can be.
    """

    def __init__(self, *, in_vm: bool = False) -> None:
        refusal = machines.refusal()
        with OneLine("Second engine: ") as line:
            self._folder = Path(tempfile.mkdtemp(prefix="labkit-second-", dir="/tmp"))  # short: unix(7)'s 107 bytes
            try:
                self.running = self._start(in_vm or bool(refusal), line)
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

    def _start(self, in_vm: bool, line: OneLine) -> control.Running:
        state, path = self._folder / "state", self._folder / "engine.sock"
        if in_vm:
            return machines.start(state, path, lambda: line.say("starting a small virtual machine… "), held=True)
        return control.start(state, path, lambda: line.say("starting… "))

    def stop(self) -> None:
        """Remove its containers and images, end it, remove its folder. Twice is the same as once."""
        if self not in _running:
            return
        _running.remove(self)
        atexit.unregister(self.stop)
        self._empty()  # the engine can remove what its containers wrote; an ordinary user may not
        self.client.close()
        control.stop(self.running)
        control.stop_shim(self.running.state)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _empty(self) -> None:
        for container in self.client.containers.list(all=True, ignore_removed=True):
            with suppress(APIError):
                container.remove(force=True, v=True)
        for image in self.client.images.list():
            with suppress(APIError):
                self.client.images.remove(image.id, force=True)


def current() -> docker.DockerClient | None:
    """The client of the second engine that runs now, for the checks of a lesson; None where none does."""
    return _running[-1].client if _running else None
