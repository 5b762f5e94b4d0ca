"""What every measure works with: an engine that takes part, a stopwatch, and containers to measure beside."""

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

import docker

from tests.engines import Engine

IMAGE = "labkit-test/bench"
LABEL = "labkit.bench"

Sample = dict[str, float]
"""What one measure found on one engine: milliseconds by step, unless the step's name has another unit."""


@dataclass
class Target:
    """One engine that takes part."""

    engine: Engine
    client: docker.DockerClient


@dataclass
class Steps:
    """A stopwatch: `with steps("create"): ...`."""

    taken: Sample

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.taken[name] = self.taken.get(name, 0) + (time.perf_counter() - began) * 1000


@contextlib.contextmanager
def containers(target: Target, count: int, *, start: bool = False) -> Iterator[list[str]]:
    """So many containers that sleep, created and, if asked for, started; removed at the end."""
    api, made = target.client.api, []
    try:
        for _ in range(count):
            name = f"lk-bench-{secrets.token_hex(6)}"
            made.append(api.create_container(IMAGE, ["sleep", "3600"], name=name, labels={LABEL: ""})["Id"])
        for identity in made if start else ():
            api.start(identity)
        yield made
    finally:
        for identity in made:
            api.remove_container(identity, force=True)
