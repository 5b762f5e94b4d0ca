"""One or more pictures for every view, made by hand, by the view's file name: what its drawing is tested with."""

from dataclasses import replace
from typing import Any

from labkit import observe
from labkit.phases import Phase, Start
from labkit.processes import ProcessGroup
from labkit.provenance import Origin, Step
from labkit.topology import Connection, Service, succeed
from labkit.usage import Limits, Usage
from labkit.views import (
    base,
    gauges,
    layer_stack,
    life_cycle,
    namespaces,
    overlay_walk,
    process_tree,
    services,
    stacks,
    time_line,
)
from tests.views.pictures import ALONE, BASE, ENDED, FAMILY, FIXED, GONE, HOST, ONE, THREE, TWO, state

Picture = dict[str, Any]
MIB = 1 << 20

# --- containers, seen by each view --------------------------------------------------------------------

KILLED = [
    life_cycle.seen_in({"Action": "kill", "Actor": {"Attributes": {"signal": "9"}}}),
    life_cycle.seen_in({"Action": "die", "Actor": {"Attributes": {"exitCode": "137"}}}),
]
READ_THROUGH = (Step(None, "nothing"), Step(2, "nothing"), Step(1, "file"))
COPIED_UP = (Step(None, "file"), Step(2, "nothing", False), Step(1, "file", False))
HIDDEN = (Step(None, "whiteout"), Step(2, "nothing", False), Step(1, "file", False))
SAID = {"command": "cat /etc/motd", "output": "Welcome!\nchanged", "exit_code": 0}

ON_A_FIXED_IMAGE = state("one", FIXED)
MINUTE = [{"memory": (4 + n) * MIB, "cpu": 0.02 * (n % 25), "pids": 1 + n // 8, "oom": False} for n in range(40)]
OUT_OF_MEMORY = [*MINUTE, {"memory": 63 * MIB, "cpu": 0.5, "pids": 6, "oom": True}]


def joined(group: ProcessGroup, kind: str, other: ProcessGroup) -> ProcessGroup:
    """The group with its processes in `other`'s namespace of that kind, as after `docker run --network container:`."""
    inode = other.processes[0].namespaces[kind]
    inside = tuple(replace(p, namespaces={**p.namespaces, kind: inode}) for p in group.processes)
    return replace(group, processes=inside)


# --- services -----------------------------------------------------------------------------------------


def service(name: str, status: str = "running", networks: tuple[str, ...] = ("shop",), **more: Any) -> Service:
    places = tuple(Connection(network, "172.18.0.3", (name,)) for network in networks)
    return Service(more.pop("id", name) * 8, name, "labkit/base", status, connections=places, **more)


FOUR = {
    each.name: each
    for each in (
        service("web", networks=("front", "shop"), ports=("8080->80/tcp",), health="healthy"),
        service("auth"),
        service("catalog"),
        service("store", health="starting"),
    )
}
CALLS = {"web": ["auth", "catalog", "store"]}
DOWN = {**FOUR, "auth": service("auth", "exited", exit_code=137)}
REPLACED = succeed(DOWN, [*FOUR.values(), service("auth", id="again")])


def asked(answered: int, failed: int, last: str = "answered") -> Picture:
    return {"answered": answered, "failed": failed, "last": last, "said": "", "round": answered + failed}


REQUESTS = {name: asked(12, 0) for name in FOUR} | {"auth": asked(10, 2, "failed")}

# --- starts -------------------------------------------------------------------------------------------

CONTAINER = Start("container", (Phase("create", 0.041), Phase("start", 0.237), Phase("first output", 0.012)))
MACHINE = Start("VM", (Phase("kernel", 1.21), Phase("init", 0.62), Phase("first output", 0.18)))

# --- a virtual machine beside a container -------------------------------------------------------------

MACHINE_FACTS = stacks.Facts(
    "VM",
    "running",
    {
        "hardware": ["2 processors", "8.33 GB of memory"],
        "hypervisor": ["QEMU, by emulation"],
        "virtual hardware": ["1 virtual processor", "134 MB of virtual memory"],
        "guest operating system": ["kernel 14.2 MB", "booted in 3.4 s", "51 processes before any app"],
    },
)
CONTAINER_FACTS = stacks.Facts(
    "one",
    "running",
    {
        "hardware": ["2 processors", "8.33 GB of memory"],
        "operating system": ["Linux 6.1.0"],
        "container engine": ["labkit 0.1.0"],
        "virtual operating system": ["image 1.98 MB, shared", "own layer 0 B", "1 process"],
        "app": ["sleep 600"],
    },
)
ENDED_FACTS = stacks.Facts("one", "exited (137)", {**CONTAINER_FACTS.figures, "app": []})

# --- all of them --------------------------------------------------------------------------------------

STACK = observe.Stack((BASE, FIXED), (ONE, TWO, THREE, GONE), "/etc/motd", {"sha256:i1": Origin("image", 1)})


def walk_of(steps: tuple[Step, ...] | None, said: Picture | None = None) -> Picture:
    return overlay_walk.picture_of(ON_A_FIXED_IMAGE, FIXED, "/etc/motd", steps, said)


PICTURES: dict[str, list[Picture]] = {
    "layer_stack": [layer_stack.picture_of(STACK)],
    "process_tree": [process_tree.picture_of([ALONE, FAMILY, ENDED], HOST, {ALONE.container.id: ["SIGTERM"]})],
    "life_cycle": [
        life_cycle.picture_of(state("one")),
        life_cycle.picture_of(state("one", status="exited", code=137), KILLED),
    ],
    "overlay_walk": [walk_of(READ_THROUGH), walk_of(COPIED_UP, SAID), walk_of(HIDDEN), walk_of(None)],
    "namespaces": [
        namespaces.picture_of([ALONE, FAMILY, ENDED], HOST),
        namespaces.picture_of([ALONE, joined(FAMILY, "net", ALONE)], HOST),
    ],
    "gauges": [
        gauges.picture_of(state("one"), Limits(64 * MIB, 0.5, 20), Usage(43 * MIB, 0.48, 5, 0.62, 1 << 34, 2), MINUTE),
        gauges.picture_of(
            state("one", status="exited", code=137), Limits(64 * MIB), Usage(), OUT_OF_MEMORY, oom_killed=True
        ),
    ],
    "services": [
        services.picture_of(FOUR, ["shop"], CALLS, REQUESTS),
        services.picture_of(DOWN, ["shop"], CALLS, REQUESTS),
        services.picture_of(REPLACED, ["shop"], CALLS),
    ],
    "stacks": [
        stacks.picture_of(MACHINE_FACTS, CONTAINER_FACTS, [base.command("client.info()", "docker info")]),
        stacks.picture_of(None, ENDED_FACTS),
    ],
    "time_line": [time_line.picture_of([CONTAINER, MACHINE], again=True)],
}
