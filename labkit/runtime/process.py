"""The last steps of a process on its way into a container: limits, user, capabilities, seccomp, execve.

Both `init` (a container's first process) and `exec` (a further one) end here. The order is the lesson: each step
gives something up, and a step that needs a power must come before the one that gives that power away.
"""

import errno
import os
import resource
import signal
import stat
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from labkit import linux
from labkit.runtime import capabilities

RLIMITS = {
    name.removeprefix("RLIMIT_"): number for name, number in vars(resource).items() if name.startswith("RLIMIT_")
}


@dataclass(frozen=True)
class Process:
    """What to become: OCI `process`, with everything looked up and encoded beforehand.

    Once inside, nothing is imported, decoded or looked up any more: the files that answered would be the image's.
    """

    args: tuple[bytes, ...]
    env: dict[bytes, bytes]
    cwd: bytes
    uid: int
    gid: int
    groups: tuple[int, ...] | None
    """None where nobody may change them: the user's own groups then stay, without a name inside."""
    rlimits: tuple[tuple[int, int, int], ...]
    drop: tuple[int, ...]
    effective: int
    ambient: int
    no_new_privileges: bool
    terminal: bool
    console_size: tuple[int, int] | None
    seccomp: bytes | None
    oom_score_adj: int = 0


def prepare(process: dict[str, Any], seccomp: bytes | None) -> Process:
    """Read OCI `process` into a `Process`. ValueError names what is unknown."""
    user, caps = process.get("user") or {}, process.get("capabilities") or {}
    uid = user.get("uid", 0)
    size = process.get("consoleSize")
    return Process(
        args=tuple(os.fsencode(a) for a in process["args"]),
        env=dict(os.fsencode(e).partition(b"=")[::2] for e in process.get("env") or ()),
        cwd=os.fsencode(process.get("cwd") or "/"),
        uid=uid,
        gid=user.get("gid", 0),
        groups=tuple(user.get("additionalGids") or ()) if _may_set_groups() else None,
        rlimits=tuple(_rlimit(r) for r in process.get("rlimits") or ()),
        drop=_outside(capabilities.mask(caps.get("bounding") or ())),
        # The kernel empties these sets when root turns into somebody else: capabilities(7), and so do we.
        effective=capabilities.mask(caps.get("effective") or ()) & _own_bounding() if uid == 0 else 0,
        ambient=capabilities.mask(caps.get("ambient") or ()),
        no_new_privileges=bool(process.get("noNewPrivileges")),
        terminal=bool(process.get("terminal")),
        console_size=(size["height"], size["width"]) if size else None,
        seccomp=seccomp,
        oom_score_adj=process.get("oomScoreAdj") or 0,
    )


def _outside(bounding: int) -> tuple[int, ...]:
    """The numbers of the capabilities to be dropped from the bounding set: all that this kernel has but these."""
    return tuple(number for number in range(_last_capability() + 1) if not bounding >> number & 1)


@cache
def _may_set_groups() -> bool:
    """False in a user namespace of one id: there a group may not be dropped, as it may be there to deny something."""
    with open("/proc/self/setgroups") as file:
        return file.read().strip() == "allow"


@cache
def _own_bounding() -> int:
    """The capabilities that this process itself may have: what it lacks it can't hand on."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1], 16) for line in file if line.startswith("CapBnd"))


@cache
def _last_capability() -> int:
    with open("/proc/sys/kernel/cap_last_cap") as file:
        return int(file.read())


def _rlimit(limit: dict[str, Any]) -> tuple[int, int, int]:
    name = limit["type"].upper().removeprefix("RLIMIT_")
    if name not in RLIMITS:
        raise ValueError(f"rlimit {limit['type']!r} is not known; known: {', '.join(sorted(RLIMITS))}")
    # OCI counts "no limit" as 2**64-1, Docker's API as -1; setrlimit(2) as RLIM_INFINITY
    soft, hard = (resource.RLIM_INFINITY if v in (-1, 2**64 - 1) else v for v in (limit["soft"], limit["hard"]))
    return RLIMITS[name], soft, hard


def become(process: Process) -> NoReturn:
    """Turn the calling process into the container's. Raises OSError with the step that failed; else never returns."""
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python; a program expects their default: signal(7)
        signal.signal(ignored, signal.SIG_DFL)
    if process.oom_score_adj:
        _write("/proc/self/oom_score_adj", process.oom_score_adj)
    for number, soft, hard in process.rlimits:
        resource.setrlimit(number, (soft, hard))
    if process.no_new_privileges:
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    elif process.seccomp:  # without no_new_privs, loading a filter takes CAP_SYS_ADMIN: while we have it
        linux.seccomp_set_mode_filter(process.seccomp)

    for number in process.drop:
        linux.prctl(linux.PR_CAPBSET_DROP, number)
    linux.prctl(linux.PR_SET_KEEPCAPS, 1)  # setuid must not take away what capset below is to choose from
    if process.groups is not None:
        os.setgroups(process.groups)
    os.setresgid(process.gid, process.gid, process.gid)
    os.setresuid(process.uid, process.uid, process.uid)
    _enter(process.cwd)  # as the user: what root may enter, the user may not
    linux.capset(process.effective | process.ambient, process.effective | process.ambient, process.ambient)
    linux.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL)
    linux.prctl(linux.PR_SET_KEEPCAPS, 0)

    if process.no_new_privileges and process.seccomp:  # as late as can be: the filter needs to allow fewer calls
        linux.seccomp_set_mode_filter(process.seccomp)
    linux.close_range(3, 2**32 - 1, linux.CLOSE_RANGE_CLOEXEC)
    execute(process.args, process.env)


def _write(path: str, number: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"%d" % number)
    finally:
        os.close(fd)


def _enter(cwd: bytes) -> None:
    os.chdir(cwd)
    # A cwd like /proc/self/fd/7 may lead to a folder outside the root; the kernel then can't name it (CVE-2024-21626).
    if not os.getcwdb().startswith(b"/"):
        raise OSError(errno.EPERM, "the working directory is outside the container", os.fsdecode(cwd))


def execute(args: tuple[bytes, ...], env: dict[bytes, bytes]) -> NoReturn:
    """execve(2) the first argument, looked for along PATH if it holds no slash. OSError in runc's wording."""
    name = args[0]
    if b"/" in name:
        os.execve(name, args, env)
    for folder in env.get(b"PATH", b"").split(b":"):
        path = (folder or b".") + b"/" + name
        if _is_program(path):
            os.execve(path, args, env)
    raise FileNotFoundError(errno.ENOENT, "executable file not found in $PATH")


def _is_program(path: bytes) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o111)
