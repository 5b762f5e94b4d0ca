"""Things to draw, made by hand: two images, four containers, some processes. Shared by the tests of the views."""

from labkit import observe
from labkit.processes import NAMESPACES, Process, ProcessGroup
from labkit.provenance import Origin

BASE = observe.Image("sha256:i1", "labkit/base", (observe.Layer("sha256:aa", "labkit.base_image", 1_984_166),))
FIXED = observe.Image("sha256:i2", "labkit/fixed", (*BASE.layers, observe.Layer("sha256:bb", "sleep 600", 2311)))


def state(name: str, image: observe.Image = BASE, status: str = "running", code: int | None = None, pid: int = 1):
    return observe.ContainerState(name * 8, name, image.name, image.id, status, code, pid)


def changes(**kinds: list[str]) -> tuple[observe.Change, ...]:
    numbers = {word: number for number, word in observe.KINDS.items()}
    said = [{"Path": path, "Kind": numbers[kind]} for kind, paths in kinds.items() for path in paths]
    return observe.parse_changes(said)


ONE = observe.ReadWriteLayer(
    state("one"), changes(added=["/hello"], changed=["/etc", "/etc/motd"]), 1320, Origin("own", None, (1,))
)
TWO = observe.ReadWriteLayer(
    state("two"), changes(changed=["/etc"], deleted=["/etc/motd"]), 0, Origin("deleted", None, (1,))
)
THREE = observe.ReadWriteLayer(state("three", FIXED, "exited", 0), (), 0, Origin("image", 1))
GONE = observe.ReadWriteLayer(state("four", status="removed"))

HOST = dict(zip(NAMESPACES, range(100, 107), strict=True))


def own(number: int) -> dict[str, int]:
    """Namespaces of a container's own, but for cgroup and user, which are the host's."""
    return {kind: inode if kind in ("cgroup", "user") else number * 1000 + inode for kind, inode in HOST.items()}


SHIM = Process(800, None, None, "shim", namespaces=HOST)
ALONE = ProcessGroup(state("one", pid=901), (Process(901, 1, 800, "sleep 600", "root", "Ss", own(1)),), SHIM)
FAMILY = ProcessGroup(
    state("two", pid=911),
    (
        Process(911, 1, 800, "/bin/sh -c 'sleep 5 & wait'", "root", "Ss", own(2)),
        Process(912, 7, 911, "sleep 5", "root", "S", own(2)),
        Process(950, 30, 800, "top", "root", "R", own(2)),
    ),
    SHIM,
)
ENDED = ProcessGroup(state("three", status="exited", code=137))
