"""What an idle container costs in memory, counted in two ways.

    by kind    what grew: the engine's processes, the contained program, the kernel's objects. It says where it goes
    all in     what the machine has less than before (MemAvailable). It forgets nothing, and counts the neighbours too

Each is read before the start, beside the running containers, and after their end. The cost is the reading in the
middle less the mean of the other two: what grows or shrinks evenly meanwhile falls out.

Source: proc_meminfo(5); proc_pid_smaps(5) for Pss, in which a page that n processes share counts as 1/n in each.
"""

import time
from collections.abc import Callable
from pathlib import Path

from tests import engines
from tests.bench.sample import Sample, Target, containers

SETTLE_SECONDS = 3
"""The kernel takes network namespaces apart in the background, and frees after a grace period (RCU)."""

DOCKERS_PROCESSES = {"dockerd", "containerd", "containerd-shim", "docker-proxy"}

KERNELS = ("Slab", "PageTables", "Percpu", "VmallocUsed")
"""Lines of /proc/meminfo that are the kernel's own. A process's kernel stack is in VmallocUsed (CONFIG_VMAP_STACK)."""


def idle(count: int) -> Callable[[Target], Sample]:
    def measure(target: Target) -> Sample:
        """KiB by container, of so many that sleep."""
        api = target.client.api
        with containers(target, count) as made:
            before = reading(target, made)
            for identity in made:
                api.start(identity)
            running = reading(target, made)
            for identity in made:
                api.kill(identity)
            after = reading(target, made)
        return {part: (running[part] - (before[part] + after[part]) / 2) / count for part in running}

    return measure


def reading(target: Target, made: list[str]) -> Sample:
    """Where the machine's memory is now, in KiB."""
    time.sleep(SETTLE_SECONDS)
    programs = [target.client.api.inspect_container(identity)["State"]["Pid"] for identity in made]
    lines = meminfo()
    kinds = {
        "engine": sum(map(pss, engine_processes(target))),
        "program": sum(map(pss, filter(None, programs))),
        "kernel": sum(lines[name] for name in KERNELS),
    }
    named = {**kinds, "by kind": sum(kinds.values()), "all in": -lines["MemAvailable"]}
    return {f"{part}, KiB": value for part, value in named.items()}


def meminfo() -> dict[str, float]:
    """/proc/meminfo in KiB, by name."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {name.rstrip(":"): float(value) for name, value, *_ in lines}


def engine_processes(target: Target) -> set[int]:
    """The pids of the engine: its service, and whoever stands between that and the containers."""
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


def pss(pid: int) -> float:
    """A process's proportional share of its memory, in KiB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # gone, or not ours to look at
        return 0
    return next((float(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
