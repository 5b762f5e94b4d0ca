"""What is measured: each a function that does one sample on one engine and returns milliseconds by step.

A measure prepares and cleans up outside of what it times, and leaves nothing behind.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from labkit import linux
from tests import busybox, engines
from tests.bench import memory
from tests.bench.sample import IMAGE, LABEL, Sample, Steps, Target, containers
from tests.engines import Engine

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


def start_and_stop(count: int, clients: int) -> Callable[[Target], Sample]:
    def measure(target: Target) -> Sample:
        """Start so many containers, then end them with SIGKILL; so many threads share each list."""
        api, steps = target.client.api, Steps({})
        with containers(target, count) as made, ThreadPoolExecutor(clients) as threads:
            each = threads.map if clients > 1 else map
            with steps("start"):
                finish(each(api.start, made))
            with steps("stop"):
                finish(each(lambda identity: api.stop(identity, timeout=0), made))
        return steps.taken

    return measure


def finish(results: Iterable[object]) -> None:
    for _ in results:
        pass


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


# --- in a crowd --------------------------------------------------------------------------------------------------

LAUNCHES = 15


def launches(target: Target) -> list[Sample]:
    return [run_true(target) for _ in range(LAUNCHES)]


def compared(alone: list[Sample], crowded: list[Sample]) -> Sample:
    """The medians of the start, and of the whole run, in both places; and how many times longer it is in the crowd."""
    found: Sample = {}
    for step in ("start", "all"):
        free, full = (statistics.median(taken[step] for taken in samples) for samples in (alone, crowded))
        found |= {f"{step}, alone": free, f"{step}, crowded": full, f"{step}, ratio": full / free}
    return found


def beside_containers(count: int) -> Callable[[Target], Sample]:
    def measure(target: Target) -> Sample:
        """Runs of `true` beside none, beside so many running containers, and beside none again."""
        alone = launches(target)
        with containers(target, count, start=True):
            crowded = launches(target)
        return compared(alone + launches(target), crowded)

    return measure


def beside_mounts(count: int) -> Callable[[Target], Sample]:
    def measure(target: Target) -> Sample:
        """Runs of `true` on two engines in turn, one of which began where so many file systems are mounted."""
        with second_engine(count) as beside:
            pairs = [(run_true(target), run_true(beside)) for _ in range(LAUNCHES)]
        return compared([alone for alone, _ in pairs], [crowded for _, crowded in pairs])

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
    Measure("100 containers, one client", start_and_stop(100, clients=1), 3),
    Measure("100 containers, four clients", start_and_stop(100, clients=4), 3),
    Measure("list of 500", list_all(500), 3),
    Measure("diff of 20,000", diff(20_000), 3),
    Measure("memory of 100 idle", memory.idle(100), 3),
    Measure("launch beside 500", beside_containers(500), 3, only="embedded"),
    Measure("launch, 2,000 mounts", beside_mounts(2000), 3, only="embedded"),
]
