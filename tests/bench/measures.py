"""What is measured: each a function that does one sample on one engine and returns milliseconds by step.

A measure prepares and cleans up outside of what it times, and leaves nothing behind.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker

from tests import engines
from tests.engines import Engine

IMAGE = "labkit-test/bench"
LABEL = "labkit.bench"
DOCKERS_PROCESSES = {"dockerd", "containerd", "containerd-shim", "docker-proxy"}


@dataclass
class Target:
    """One engine that takes part."""

    engine: Engine
    client: docker.DockerClient


@dataclass
class Steps:
    """A stopwatch: `with steps("create"): ...`."""

    taken: dict[str, float]

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.taken[name] = self.taken.get(name, 0) + (time.perf_counter() - began) * 1000


Sample = dict[str, float]


# --- one container -----------------------------------------------------------------------------------------------


def run_true(target: Target) -> Sample:
    """Create, start, wait for and remove a container that runs `true`, with the calls of the SDK's low level."""
    api, steps = target.client.api, Steps({})
    with contextlib.ExitStack() as on_failure:
        with steps("all"):
            with steps("create"):
                identity = api.create_container(IMAGE, ["true"], labels={LABEL: ""})["Id"]
            on_failure.callback(api.remove_container, identity, force=True)
            with steps("start"):
                api.start(identity)
            with steps("wait"):
                api.wait(identity)
            with steps("remove"):
                api.remove_container(identity)
        on_failure.pop_all()
    return steps.taken


# --- many containers ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def containers(target: Target, count: int) -> Iterator[list[str]]:
    """So many created containers, removed at the end."""
    api, made = target.client.api, []
    try:
        for _ in range(count):
            name = f"lk-bench-{secrets.token_hex(6)}"
            made.append(api.create_container(IMAGE, ["sleep", "3600"], name=name, labels={LABEL: ""})["Id"])
        yield made
    finally:
        for identity in made:
            api.remove_container(identity, force=True)


def start_and_stop(count: int) -> Callable[[Target], Sample]:
    def measure(target: Target) -> Sample:
        """Start so many containers one after another, then end them with SIGKILL, one after another."""
        steps = Steps({})
        with containers(target, count) as made:
            with steps("start"):
                for identity in made:
                    target.client.api.start(identity)
            with steps("stop"):
                for identity in made:
                    target.client.api.stop(identity, timeout=0)
        return steps.taken

    return measure


def list_all(count: int) -> Callable[[Target], Sample]:
    def measure(target: Target) -> Sample:
        """GET /containers/json?all=1 with so many created containers: the median of ten."""
        with containers(target, count):
            times = []
            for _ in range(10):
                began = time.perf_counter()
                target.client.api.containers(all=True)
                times.append((time.perf_counter() - began) * 1000)
        return {"list": sorted(times)[5]}

    return measure


def diff(count: int) -> Callable[[Target], Sample]:
    def measure(target: Target) -> Sample:
        """GET /containers/{id}/changes after so many files were made."""
        api, steps = target.client.api, Steps({})
        per_folder = 100
        script = f"for d in $(seq {count // per_folder}); do mkdir /d$d; cd /d$d; touch $(seq {per_folder}); done"
        identity = api.create_container(IMAGE, ["sh", "-c", script], labels={LABEL: ""})["Id"]
        try:
            api.start(identity)
            api.wait(identity)
            with steps("diff"):
                changes = api.diff(identity)
            assert len(changes) == count + count // per_folder
        finally:
            api.remove_container(identity, force=True)
        return steps.taken

    return measure


def memory(count: int) -> Callable[[Target], Sample]:
    def measure(target: Target) -> Sample:
        """KiB that an idle container costs in the engine's own processes (Pss), the contained program left out."""
        with containers(target, count) as made:
            before = engine_memory(target)
            for identity in made:
                target.client.api.start(identity)
            time.sleep(1)
            after = engine_memory(target)
        return {"KiB a container": (after - before) / count}

    return measure


def engine_memory(target: Target) -> float:
    """The proportional memory of an engine's processes in KiB (smaps_rollup in proc(5))."""
    return sum(pss(pid) for pid in engine_processes(target))


def engine_processes(target: Target) -> set[int]:
    if target.engine.name == "dockerd":
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return {pid for pid in pids if any(command(pid).startswith(name) for name in DOCKERS_PROCESSES)}
    return {pid for pid in (engines.api_pid(target.engine), engines.shim_pid(target.engine.state)) if pid}


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # gone, or not ours to look at
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def launch_cost(count: int) -> Callable[[Target], Sample]:
    def measure(target: Target) -> Sample:
        """A run of `true` beside none and beside so many running containers: the median of five each."""
        alone = sorted(run_true(target)["all"] for _ in range(5))[2]
        with containers(target, count) as made:
            for identity in made:
                target.client.api.start(identity)
            crowded = sorted(run_true(target)["all"] for _ in range(5))[2]
        return {"alone": alone, "crowded": crowded, "crowded/alone": crowded / alone}

    return measure


# --- the table ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measure:
    """A row of the bench: what is done, how often, and on which engines when not on all."""

    name: str
    sample: Callable[[Target], Sample]
    rounds: int
    only: str | None = None
    always: bool = False  # without --all too


MEASURES = [
    Measure("run of `true`", run_true, 20, always=True),
    Measure("100 containers", start_and_stop(100), 1),
    Measure("list of 500", list_all(500), 1),
    Measure("diff of 20,000", diff(20_000), 3),
    Measure("memory of 100 idle", memory(100), 1),
    Measure("launch beside 500", launch_cost(500), 1, only="embedded"),
]
