"""The same command lines twice: by the stock docker command and by ours, each with containers of its own.

Both work on one engine. A line's names begin with `{P}`, which is another prefix for each of the two; what they
print is compared after ids, ages and sizes are masked as in the contract's transcript.
"""

import os
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker

from labkit.docker_command import execute
from tests.contract.transcript import normalized

SECONDS = 30
Run = Callable[[str], tuple[str, int]]


def stock(address: str, home: Path) -> Run:
    """The docker command, with nothing in its environment but the engine's address."""
    environment = {"DOCKER_HOST": address, "DOCKER_CONFIG": str(home), "DOCKER_CLI_HINTS": "false", "HOME": str(home)}

    def run(line: str) -> tuple[str, int]:
        done = subprocess.run(
            ["docker", *shlex.split(line)],
            env={**environment, "PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
        )
        return done.stdout.decode(), done.returncode

    return run


def ours(client: docker.DockerClient) -> Run:
    """What stands in for it."""

    def run(line: str) -> tuple[str, int]:
        said: list[str] = []
        status = execute(client, shlex.split(line), said.append)
        return "".join(said), status

    return run


@dataclass(frozen=True)
class World:
    """One of the two: who runs the lines, and the prefix of all its names."""

    run: Run
    prefix: str

    def __call__(self, line: str) -> tuple[str, int]:
        """What a line printed, masked, and its exit status."""
        said, status = self.run(line.replace("{P}", self.prefix))
        return normalized(said, {self.prefix: "P"}), status
