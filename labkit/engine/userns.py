"""Rootless: an ordinary user becomes root in a user namespace, a mount namespace and a network namespace of its own.

Root there may mount, make network devices and own files, all inside these namespaces; for the rest of the machine it
stays the ordinary user. The program itself moves, so everything it starts later is in there too.

Left out: sub-ids from other sources than /etc/subuid and /etc/subgid (getsubids(1) knows them), and a way from the
new network namespace to the world.
"""

import errno
import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from labkit import linux
from labkit.engine.errors import StateError

NAMESPACES = linux.CLONE_NEWUSER | linux.CLONE_NEWNS | linux.CLONE_NEWNET
KINDS = ("uid", "gid")

IdMap = tuple[tuple[int, int, int], ...]  # (first id inside, first id outside, how many), user_namespaces(7)


class UserNamespaceRefused(StateError):
    """The kernel, or somebody who guards it, doesn't let this process have a user namespace."""

    def __init__(self, error: OSError) -> None:
        self.said, self.do = error.strerror or str(error), explain(error.errno)
        super().__init__(
            f"We tried to become root in a user namespace of our own. The system said: {self.said}. {self.do}"
        )


@dataclass(frozen=True)
class Ids:
    """The users and groups of a user namespace: which id inside is which one outside."""

    uid_map: IdMap
    gid_map: IdMap

    @property
    def count(self) -> int:
        """How many users there are inside."""
        return sum(count for _, _, count in self.uid_map)

    @property
    def how(self) -> Literal["sub-ids", "one id"]:
        """With sub-ids an image's other users exist; with one id all files belong to root, and chown fails."""
        return "sub-ids" if all(len(id_map) > 1 for id_map in (self.uid_map, self.gid_map)) else "one id"

    @classmethod
    def of(cls, pid: int | Literal["self"] = "self") -> "Ids":
        """The ids of a process's user namespace, from /proc/PID/uid_map and gid_map."""
        return cls(*(_read_map(Path(f"/proc/{pid}/{kind}_map").read_text()) for kind in KINDS))


def _read_map(text: str) -> IdMap:
    rows = (line.split() for line in text.splitlines())
    return tuple((int(inside), int(outside), int(count)) for inside, outside, count in rows)


def enter() -> Ids:
    """Become root in new user, mount and network namespaces; the calling process itself moves.

    To be called before any thread or event loop exists. Raises UserNamespaceRefused with the command that mends it.
    Source: user_namespaces(7), newuidmap(1).
    """
    helper = _Helper()  # stays outside: only there are the sub-ids known, and newuidmap root
    try:
        linux.unshare(NAMESPACES)
    except OSError as error:
        helper.dismiss()
        _refuse(error)
    helper.map_ids()
    try:
        _become_root()
        linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)  # no mount of ours goes out
    except OSError as error:
        _refuse(error)
    return Ids.of()


def join(pid: int) -> None:
    """Enter the user, mount and network namespaces of a process that called `enter` before, and be root there.

    To be called before any thread exists. Raises UserNamespaceRefused, or ProcessLookupError when it has ended.
    Source: setns(2) on a pidfd.
    """
    pidfd = os.pidfd_open(pid)
    try:
        linux.setns(pidfd, NAMESPACES)
        _become_root()
    except OSError as error:
        _refuse(error)
    finally:
        os.close(pidfd)


def _become_root() -> None:
    if Path("/proc/self/setgroups").read_text().strip() == "allow":
        os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


# --- which ids: sub-ids where the administrator has given some ----------------------------------------------------


def sub_ids(path: str | Path, user: str, uid: int) -> list[tuple[int, int]]:
    """(first id, how many) for each range that a file like /etc/subuid gives a user: subuid(5)."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return []
    entries = (line.strip().split(":") for line in lines if not line.lstrip().startswith("#"))
    return [
        (int(fields[1]), int(fields[2]))
        for fields in entries
        if len(fields) == 3 and fields[0] in (user, str(uid)) and fields[1].isdigit() and fields[2].isdigit()
    ]


def plan(own: int, ranges: list[tuple[int, int]]) -> IdMap:
    """Root inside is the caller, and the sub-ids follow from 1 up."""
    rows = [(0, own, 1)]
    for first, count in ranges:
        inside = rows[-1][0] + rows[-1][2]
        rows.append((inside, first, count))
    return tuple(rows)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a user without an entry, as in many containers
        return str(uid)


class _Helper:
    """A child that stays behind in the old namespaces and writes the id maps of its parent when told to."""

    def __init__(self) -> None:
        ready, self._go = os.pipe()
        self._answer, answer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._go)
            _serve(ready, answer)
        os.close(ready)
        os.close(answer)

    def map_ids(self) -> None:
        """Have both maps written; raises UserNamespaceRefused."""
        os.write(self._go, b"!")
        with open(self._answer, closefd=False) as file:
            answer = json.loads(file.read() or '{"said": "the helper ended without an answer", "code": 0}')
        self.dismiss()
        if answer:
            _refuse(OSError(answer["code"], answer["said"]))

    def dismiss(self) -> None:
        os.close(self._go)
        os.close(self._answer)
        os.waitpid(self._pid, 0)


def _serve(ready: int, answer: int) -> NoReturn:
    """The helper's whole life: wait for the parent to be in its namespace, write the maps, tell what went wrong."""
    failed: dict[str, Any] = {}
    try:
        if os.read(ready, 1):  # nothing: the parent had no luck
            _map_parent(os.getppid())
    except Exception as error:
        failed = {"code": getattr(error, "errno", None) or 0, "said": str(error)}
    finally:
        os.write(answer, json.dumps(failed).encode())
        os._exit(0)


def _map_parent(pid: int) -> None:
    user = _user_name(os.getuid())
    for kind, own in (("uid", os.getuid()), ("gid", os.getgid())):
        ranges = sub_ids(f"/etc/sub{kind}", user, os.getuid())
        if not (ranges and _map_many(pid, kind, plan(own, ranges))):
            _map_one(pid, kind, own)


def _map_many(pid: int, kind: str, id_map: IdMap) -> bool:
    """Ask newuidmap(1) or newgidmap(1), which is root for this one purpose and checks /etc/subuid itself."""
    tool = shutil.which(f"new{kind}map")
    numbers = [str(number) for row in id_map for number in row]
    return tool is not None and subprocess.run([tool, str(pid), *numbers], capture_output=True).returncode == 0


def _map_one(pid: int, kind: str, own: int) -> None:
    """Map root inside to the caller: the one map that needs no privilege, if setgroups(2) is given up for it.

    A group may also be there to deny something; who could drop groups could get round that.
    """
    if kind == "gid":
        Path(f"/proc/{pid}/setgroups").write_text("deny")
    Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {own} 1")


# --- why not: the settings that forbid user namespaces ------------------------------------------------------------


@dataclass(frozen=True)
class Obstacle:
    """A setting that forbids user namespaces, in words, with the command that mends it."""

    what: str
    command: str


# (sysctl, whether this value forbids, what it means, the command)
_SYSCTLS: tuple[tuple[str, Callable[[str], bool], str, str], ...] = (
    (
        "kernel.unprivileged_userns_clone",  # Debian and relatives
        lambda value: value == "0",
        "only root may make user namespaces",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (
        "user.max_user_namespaces",  # RHEL and relatives set it to 0
        lambda value: value == "0",
        "the number of user namespaces is limited to none",
        "sudo sysctl -w user.max_user_namespaces=28633",
    ),
    (
        "kernel.apparmor_restrict_unprivileged_userns",  # Ubuntu since 23.10
        lambda value: value != "0",
        "AppArmor takes the powers away that root has in a user namespace",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)


def _read_sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip()
    except OSError:
        return None


def obstacles(read: Callable[[str], str | None] = _read_sysctl) -> list[Obstacle]:
    """The settings of this machine that forbid user namespaces; `read` gives a sysctl's value, or None."""
    return [
        Obstacle(f"{name} is {value}: {meaning}", command)
        for name, forbids, meaning, command in _SYSCTLS
        if (value := read(name)) is not None and forbids(value)
    ]


def filtered() -> bool:
    """Whether a seccomp filter guards this process, as in most containers: proc(5), Seccomp in status."""
    return "\nSeccomp:\t2" in Path("/proc/self/status").read_text()


def _refuse(error: OSError) -> NoReturn:
    raise UserNamespaceRefused(error) from error


def explain(code: int | None) -> str:
    """What stands in the way after a failure with this errno, and the command that mends it."""
    if code == errno.EINVAL:
        return "A process with threads can't do that: it has to be the first thing that a program does."
    found = obstacles()
    if found:
        return " ".join(f"{obstacle.what}. What to do: `{obstacle.command}`." for obstacle in found)
    if code == errno.ENOSPC:
        return "Namespaces are nested too deeply, or there are too many: see user.max_user_namespaces."
    if filtered():
        return (
            "This process is itself in a container, whose seccomp filter refuses namespaces. "
            "What to do: start that container with `--security-opt seccomp=unconfined`."
        )
    return "Nothing that we know forbids it; user_namespaces(7) and namespaces(7) list the reasons for each error."
