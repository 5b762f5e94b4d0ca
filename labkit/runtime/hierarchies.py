"""Where this machine's control group trees are, and which part of the version 2 tree is ours to use.

Root has the whole tree. An ordinary user has a part of it where one was **delegated**: given away with its
controllers, as systemd does for `Delegate=yes`. A group that hands controllers down to others may hold no process
itself, so the engine goes one level down, and the containers stand beside it:

    HOME                      the delegated group
    HOME/labkit-engine        the engine and its shim
    HOME/labkit/<id>          a container each

Left out: delegation in version 1, which cgroups(7) calls unsafe.
Source: cgroups(7), "Cgroups delegation"; Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint".
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

LEAF = "labkit-engine"
HOME = "LABKIT_CGROUP"
"""The environment variable that holds the delegated group's folder: `settle` sets it, for the shim too."""

CONTROLLERS = frozenset({"memory", "cpu", "pids", "cpuset", "io"})
"""Those that a container's limits need."""


@dataclass(frozen=True)
class Hierarchies:
    """Where groups can be made: the folder in version 2 and its controllers; by controller the mount in version 1."""

    v2: str | None
    v2_controllers: frozenset[str]
    v1: dict[str, str]


@lru_cache(maxsize=1)
def hierarchies() -> Hierarchies:
    """The trees of this machine. In a delegated group only the controllers count that could be handed down; before
    that was tried (`settle`), those that the group has."""
    v2, v1 = mounted(read_file("/proc/self/mountinfo"))
    if v2 is None or os.access(v2, os.W_OK):
        return Hierarchies(v2, _words(f"{v2}/cgroup.controllers") if v2 else frozenset(), v1)
    settled = os.environ.get(HOME)
    home = delegated(v2, read_file("/proc/self/cgroup")) if settled is None else settled
    if not home:
        return Hierarchies(v2, _words(f"{v2}/cgroup.controllers"), v1)
    return Hierarchies(home, _words(f"{home}/cgroup.{'controllers' if settled is None else 'subtree_control'}"), v1)


def mounted(mountinfo: str) -> tuple[str | None, dict[str, str]]:
    """The mount of version 2, and those of version 1 by controller: proc_pid_mountinfo(5)."""
    v2, v1 = None, {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fstype, _, options = after.split()[:3]
        if fstype == "cgroup2":
            v2 = v2 or before.split()[4]
        elif fstype == "cgroup":
            v1.update(dict.fromkeys(options.split(","), before.split()[4]))
    return v2, v1


# --- a delegated group -------------------------------------------------------------------------------------------


def settle(beside: int | None = None) -> None:
    """Go into the leaf of the delegated group that this process is in, if it is in one, and hand controllers down.

    Whoever else is in the group goes along, or the kernel would refuse: a shell, a notebook server. They stay in what
    was given to their user, and under its limits. `beside`: the pid of a process whose group it shall be.
    """
    v2, _ = mounted(read_file("/proc/self/mountinfo"))
    if not v2 or os.access(v2, os.W_OK):
        return
    home = os.environ[HOME] = delegated(v2, read_file(f"/proc/{beside or 'self'}/cgroup"))
    if home:
        with suppress(OSError):
            os.mkdir(f"{home}/{LEAF}")
        for pid in ("0", *read_file(f"{home}/cgroup.procs").split()):
            with suppress(OSError):  # one that is not ours, or has ended; or we are elsewhere than our shim
                write_file(f"{home}/{LEAF}/cgroup.procs", pid)
        hand_down(home, _words(f"{home}/cgroup.controllers"))
    hierarchies.cache_clear()


def delegated(mount: str, membership: str) -> str:
    """The folder of the group that a process is in, "" if it is not ours. `membership`: /proc/PID/cgroup's text."""
    paths = [line.removeprefix("0::") for line in membership.splitlines() if line.startswith("0::")]
    home = f"{mount}{paths[0].rstrip('/')}".removesuffix(f"/{LEAF}") if paths else ""
    wanted = (home, f"{home}/cgroup.procs", f"{home}/cgroup.subtree_control")
    return home if home not in ("", mount) and all(os.access(path, os.W_OK) for path in wanted) else ""


def hand_down(folder: str, controllers: frozenset[str]) -> None:
    """Let the groups below a folder have these controllers."""
    for controller in sorted(controllers & CONTROLLERS):
        with suppress(OSError):  # one that refuses must not take the others with it
            write_file(f"{folder}/cgroup.subtree_control", f"+{controller}")


# --- kernel files ------------------------------------------------------------------------------------------------


def _words(path: str) -> frozenset[str]:
    return frozenset(read_file(path).split())


def write_file(path: str, value: str) -> None:
    """Write a small kernel file in one go. Raises OSError that names the file and the value."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    except OSError as refusal:
        raise OSError(refusal.errno, f"write {value!r} to {path}: {refusal.strerror}") from refusal
    finally:
        os.close(fd)


def read_file(path: str) -> str:
    """A small kernel file's text; empty if it is not there."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
