"""What is measured: each a function that does one sample on one engine and returns milliseconds by step.

A measure prepares and cleans up outside of what it times, and leaves nothing behind.
"""

import contextlib
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import docker

from labkit import linux
from tests import busybox, engines
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
        return {"list": statistics.median(times)}

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
        """KiB that an idle container costs: in the engine's own processes (Pss), and of the machine in all.

        The second counts the kernel's part and the contained program too, but also what else the machine does.
        """
        with containers(target, count) as made:
            before, free_before = engine_memory(target), available_memory()
            for identity in made:
                target.client.api.start(identity)
            time.sleep(1)
            after, free_after = engine_memory(target), available_memory()
        return {"engine, KiB": (after - before) / count, "machine, KiB": (free_before - free_after) / count}

    return measure


def engine_memory(target: Target) -> float:
    """The proportional memory of an engine's processes in KiB (smaps_rollup in proc(5))."""
    return sum(pss(pid) for pid in engine_processes(target))


def available_memory() -> float:
    """KiB that programs can still have (MemAvailable in proc_meminfo(5))."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))


def engine_processes(target: Target) -> set[int]:
    if target.engine.name == "dockerd":
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return {pid for pid in pids if any(command(pid).startswith(name) for name in DOCKERS_PROCESSES)}
    # the shim's pid stands in a file: who connects to its socket takes the API process's place
    shim = int((target.engine.state / "shim.pid").read_text().split()[0])
    return {engines.api_pid(target.engine), shim}


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
        """A run of `true` beside none and beside so many running containers: the median of fifteen each."""
        alone = statistics.median(run_true(target)["all"] for _ in range(15))
        with containers(target, count) as made:
            for identity in made:
                target.client.api.start(identity)
            crowded = statistics.median(run_true(target)["all"] for _ in range(15))
        return {"alone": alone, "crowded": crowded, "crowded/alone": crowded / alone}

    return measure


def crowded_mounts(count: int) -> Callable[[Target], Sample]:
    def measure(target: Target) -> Sample:
        """A run of `true` on two engines in turn, one of which began where so many file systems are mounted."""
        with contextlib.ExitStack() as stack:
            beside = stack.enter_context(second_engine(count))
            runs = {"alone": target, "crowded": beside}
            times: dict[str, list[float]] = {name: [] for name in runs}
            for name in [*runs] * 10:
                times[name].append(run_true(runs[name])["all"])
            alone, crowded = (statistics.median(taken) for taken in times.values())
        return {"alone": alone, "crowded": crowded, "crowded/alone": crowded / alone}

    return measure


@contextlib.contextmanager
def second_engine(mounts: int) -> Iterator[Target]:
    """An embedded engine in a mount namespace of its own with so many mounts more, and the bench's image."""
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(engines.folder(None))
        engine = engines.embedded_in(place, "embedded")
        stack.callback(engines.stop, engine)
        with ThreadPoolExecutor(1) as thread:  # a thread can leave alone, and what it starts stays with it
            thread.submit(start_among_mounts, engine, place, mounts).result()
        client = stack.enter_context(contextlib.closing(engine.client()))
        busybox.import_image(client, IMAGE, changes=[f"LABEL {LABEL}="])
        yield Target(engine, client)


def start_among_mounts(engine: Engine, place: Path, mounts: int) -> None:
    """In a mount namespace of this thread's own, mount small file systems and start the engine."""
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    for number in range(mounts):
        folder = place / "mounts" / str(number)
        folder.mkdir(parents=True)
        linux.mount("tmpfs", str(folder), "tmpfs")
    engines.start(engine)


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
    Measure("100 containers", start_and_stop(100), 3),
    Measure("list of 500", list_all(500), 3),
    Measure("diff of 20,000", diff(20_000), 3),
    Measure("memory of 100 idle", memory(100), 1),
    Measure("launch beside 500", launch_cost(500), 1, only="embedded"),
    Measure("launch, 2,000 mounts", crowded_mounts(2000), 1, only="embedded"),
]
