"""The sandbox: what Binder's pods allow, in words that dockerd understands.

The default seccomp filter, which refuses namespaces; no privilege and no way to one; a user's number that is no root;
one processor, two gigabytes, no network.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import docker
from docker.models.containers import Container

from tests.binder.build import IMAGE

LIMITS: Mapping[str, Any] = {
    "user": "1000",
    "security_opt": ["no-new-privileges"],
    "cap_drop": ["ALL"],
    "nano_cpus": 1_000_000_000,
    "mem_limit": "2g",
    "memswap_limit": "2g",
    "network_mode": "none",
}
LABEL = "labkit-test-binder"
MIB = 1 << 20


@dataclass(frozen=True)
class Done:
    """How a command in the sandbox ended: its exit status, and all that it wrote."""

    status: int
    text: str


@contextlib.contextmanager
def sandbox(client: docker.DockerClient, command: Sequence[str] | None = None, **options: Any) -> Iterator[Container]:
    """A running container in the sandbox; removed at the end, whatever is in it."""
    container = client.containers.run(IMAGE, command, detach=True, labels={LABEL: ""}, **{**LIMITS, **options})
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def run(client: docker.DockerClient, command: Sequence[str], seconds: float = 300, **options: Any) -> Done:
    """Run a command to its end."""
    with sandbox(client, command, **options) as container:
        status = container.wait(timeout=seconds)["StatusCode"]
        return Done(status, container.logs().decode(errors="replace"))


def python(client: docker.DockerClient, script: str, seconds: float = 300, **options: Any) -> Done:
    return run(client, ["python", "-c", script], seconds, **options)


def execute(container: Container, *command: str) -> str:
    """What a command in a container prints; a failure is the test's."""
    status, output = container.exec_run(list(command))
    assert status == 0, output.decode()
    return str(output.decode())


def memory_used(container: Container) -> float:
    """MiB that the container's processes have now, without the page cache that the kernel could take back."""
    usage = container.stats(stream=False)["memory_stats"]
    return (usage["usage"] - usage["stats"].get("inactive_file", 0)) / MIB


def cpu_seconds(container: Container) -> float:
    return float(container.stats(stream=False)["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def cpu_share(container: Container, seconds: float) -> float:
    """What part of one processor the container uses, watched for so many seconds."""
    before, began = cpu_seconds(container), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(container) - before) / (time.monotonic() - began)
