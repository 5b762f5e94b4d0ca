"""The phases of a start, measured from outside with one stopwatch: what happens first, next and last, and how long.

The same shape holds for a container and for a virtual machine, so that both can stand on one time line. The clock is
this process's own: it starts before the first call and stops when the program inside has said its first word.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from docker import DockerClient


@dataclass(frozen=True)
class Phase:
    """A part of a start: its name, and how long it took in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Start:
    """A measured start: what was started, and its phases in order."""

    name: str
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        """From the first call to the first word."""
        return sum(phase.seconds for phase in self.phases)

    def __repr__(self) -> str:
        return f"Start({self.name}: {', '.join(phase.name for phase in self.phases)})"


class Stopwatch:
    """Names the time that has passed since the last lap."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.phases.append(Phase(name, now - self._last))
        self._last = now


# The phases of a container's start, and what the engine does in each.
CONTAINER = {
    "create": "the engine writes the container's record and makes its read-write layer",
    "start": "the engine makes the namespaces and the control group, mounts the layers, and executes the program",
    "first output": "the program itself begins, and its first line comes back to us",
}


def time_start(
    client: DockerClient, image: str, command: Sequence[str] = ("echo", "ready"), name: str = "container"
) -> Start:
    """Start a container of `image`, measure the phases, and remove it again. The command must print something.

    Raises what the Docker SDK raises, for example docker.errors.ImageNotFound.
    """
    watch = Stopwatch()
    container = client.containers.create(image, list(command), labels={"labkit": "course"})
    try:
        watch.lap("create")
        container.start()
        watch.lap("start")
        next(iter(container.logs(stream=True, follow=True)), b"")
        watch.lap("first output")
    finally:
        container.remove(force=True)
    return Start(name, tuple(watch.phases))
