"""What an engine leaves on a machine, taken as a picture: two pictures of a tidy engine are equal.

Everything is looked up from outside, in /proc and on disk, so it does not depend on what the engine believes.
"""

import contextlib
import os
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit.engine import serve
from labkit.engine.state import State
from tests import engines
from tests.engines import Engine

NAMESPACES = ("mnt", "net", "pid", "ipc", "uts", "user", "cgroup")
CGROUPS = Path("/sys/fs/cgroup")
CHANGING = {"engine.json", "shim.log", "engine.log", "lock", "digests.json"}  # files whose being there says nothing
SECONDS = 10  # how long an engine may take to tidy up

Picture = dict[str, Any]


def of(engine: Engine) -> Picture:
    """A picture of an engine. A process may end while we look: then once more."""
    for _ in range(20):
        with suppress(OSError):
            return _of(engine)
        time.sleep(0.05)
    return _of(engine)


def _of(engine: Engine) -> Picture:
    """Mounts, links, namespaces, descriptors, threads, processes and files of an engine, API process and shim."""
    api, shim = engines.api_pid(engine), shim_pid(engine)
    ours = [pid for pid in (api, shim) if pid]
    return {
        "api": api,
        "shim": shim,
        "mounts": sorted({line for pid in ours for line in mounts(pid, engine.state)}),
        "links": sorted(links(api)),
        "namespaces": len({found for pid in ours for found in namespaces([pid, *below(pid)])}),
        "processes": len({child for pid in ours for child in below(pid)} - {shim}),  # whoever started the shim
        "descriptors": {pid: dict(descriptors(pid)) for pid in ours},
        "threads": len(os.listdir(f"/proc/{shim}/task")) if shim else 0,  # the API's pool grows up to a size
        "files": sorted(files(engine.state)),
    }


def differences(before: Picture, after: Picture) -> dict[str, tuple[Any, Any]]:
    return {key: (before[key], after[key]) for key in before if before[key] != after[key]}


def same_again(engine: Engine, before: Picture, seconds: float = SECONDS) -> None:
    """Wait until the picture is what it was; fail with what is different."""
    deadline = time.monotonic() + seconds
    while left := differences(before, of(engine)):
        assert time.monotonic() < deadline, f"left behind after {seconds} s: {left}"
        time.sleep(0.1)


def settled(engine: Engine, seconds: float = SECONDS) -> Picture:
    """The picture of an engine that has come to rest: two of them, a moment apart, are the same."""
    deadline = time.monotonic() + seconds
    found = of(engine)
    while time.monotonic() < deadline:
        time.sleep(0.15)
        before, found = found, of(engine)
        if before == found:
            break
    return found


def mounts(pid: int, place: Path) -> list[str]:
    """Mount points below a folder, in a process's mount namespace: proc_pid_mountinfo(5)."""
    lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(f"{place}/")]


def links(pid: int) -> set[str]:
    """Bridges and cables in a process's network namespace. Only ours: other engines may share the machine's."""
    rows = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    found = {row.split(":")[0].strip() for row in rows}
    if os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        ours = {name for name in found if master(name) in own_bridges}
        return ours | (found & own_bridges)
    return found


own_bridges: set[str] = set()
"""The bridges that belong to the engines of the tests that run: `watch` notes them."""


def watch(engine: Engine) -> set[str]:
    """Note the names of an engine's bridges, which a rootful engine has among those of the whole machine."""
    with contextlib.closing(engine.client()) as client:
        options = [network.attrs.get("Options") or {} for network in client.networks.list()]
    found = {each.get("com.docker.network.bridge.name", "") for each in options} - {""}
    own_bridges.update(found)
    return found


def master(name: str) -> str:
    with suppress(OSError):
        return os.path.basename(os.readlink(f"/sys/class/net/{name}/master"))
    return ""


def namespaces(pids: list[int]) -> set[str]:
    found = set()
    for pid in pids:
        for kind in NAMESPACES:
            with suppress(OSError):
                found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
    return found


def below(pid: int) -> list[int]:
    """The processes that descend from one, zombies too: proc_pid_task_tid_children(5)."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found + [deeper for child in found if os.path.exists(f"/proc/{child}/task") for deeper in below(child)]


def descriptors(pid: int) -> Counter[str]:
    """How many descriptors of each kind a process has open."""
    kinds: Counter[str] = Counter()
    for number in os.listdir(f"/proc/{pid}/fd"):
        with suppress(OSError):
            kinds[os.readlink(f"/proc/{pid}/fd/{number}").split(":")[0]] += 1
    return kinds


def files(state: Path) -> set[str]:
    """Folders and files two levels deep in the state folder: layers, containers, networks, volumes, sockets."""
    found = {str(path.relative_to(state)) for pattern in ("*", "*/*", "*/*/*") for path in state.glob(pattern)}
    return {name for name in found if os.path.basename(name) not in CHANGING and not name.endswith(".pyc")}


def cgroups(keys: set[str]) -> list[str]:
    """The cgroups, in any hierarchy, that are named after one of these containers."""
    return [str(path) for path in CGROUPS.glob("**/labkit/*") if path.name in keys]


def memory(pid: int) -> int:
    """A process's resident set in bytes: proc_pid_statm(5)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def shim_pid(engine: Engine) -> int | None:
    """The shim's pid. Not by asking its socket who listens: it takes a newcomer for a new engine and drops the old."""
    return serve.live_shim(State(engine.state, engine.state / "run"))
