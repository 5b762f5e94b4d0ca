"""What the kernel lets this user do, tried for real: the steps that a container's start is made of.

They are tried in a child with namespaces of its own, and what it mounts and makes ends with it. Each step is a row of
`TRIALS`. Left out: what that means for a learner (labkit/doctor.py).
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 30  # how long the child may take


@dataclass(frozen=True)
class Trial:
    """What the child could do: for each step "" or the error; and the facts that it met on its way."""

    errors: Mapping[str, str]
    facts: Mapping[str, Any]

    def works(self, step: str) -> bool:
        return self.errors.get(step) == ""

    def error(self, step: str) -> str:
        return self.errors.get(step, "not reached, because an earlier step failed")


def run_trial() -> Trial:
    """Run this module in a child of its own: this process may have threads, and it stays as it is."""
    if platform.system() != "Linux":
        return Trial({}, {})
    command = [sys.executable, "-m", "labkit.trial"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        return Trial(**json.loads(done.stdout))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return Trial({"namespaces": f"the trial gave no answer: {error}"}, {})


def main() -> None:
    """In the child: try the steps that a container's start is made of, and print a Trial as JSON."""
    from labkit.engine import host, userns

    errors: dict[str, str] = {}
    facts: dict[str, Any] = {"limits": host.limits(), "cgroup": host.cgroup_version()}
    beside = state_folder()  # asked before we are root in a user namespace, whose state is elsewhere
    for step, try_it in TRIALS.items():
        try:
            try_it(beside)
            errors[step] = ""
        except OSError as error:
            errors[step] = error.strerror or str(error)
        except userns.UserNamespaceRefused as error:
            errors[step], facts["mend"] = error.said, error.do
            break
    facts["ids"] = userns.Ids.of().count
    print(json.dumps({"errors": errors, "facts": facts}))


def _try_namespaces(_: Path) -> None:
    from labkit import linux
    from labkit.engine import userns

    if os.geteuid() != 0:
        userns.enter()
        return
    try:
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWNET)
        linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    except OSError as error:
        raise userns.UserNamespaceRefused(error) from error


def _try_overlay(beside: Path) -> None:
    """Mount an overlay where the engine's layers would be: not every file system can be its upper layer."""
    from labkit import linux

    with tempfile.TemporaryDirectory(prefix=".labkit-doctor-", dir=beside) as folder:
        for name in ("lower", "upper", "work", "merged"):
            os.mkdir(f"{folder}/{name}")
        data = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
        own_namespace = Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]
        linux.mount("overlay", f"{folder}/merged", "overlay", 0, data + (",userxattr" if own_namespace else ""))
        try:
            Path(folder, "merged", "written").write_text("")
        finally:
            linux.umount2(f"{folder}/merged", linux.MNT_DETACH)


def _try_network(_: Path) -> None:
    """A bridge, and a cable with one end on it, in the child's own network namespace."""
    import socket

    from labkit.engine import rtnetlink

    with rtnetlink.Rtnetlink() as kernel:
        kernel.talk(rtnetlink.new_bridge("lkdoctor"))
        bridge = socket.if_nametoindex("lkdoctor")
        kernel.talk(rtnetlink.new_veth("lkcable", bridge, "lkend", bridge + 50, bytes([2, 0, 0, 0, 0, 9]), os.getpid()))


def _try_seccomp(_: Path) -> None:
    """The last step, as what it forbids can't be allowed again."""
    from labkit import linux
    from labkit.engine.containers.profile import default_seccomp
    from labkit.runtime import seccomp

    try:
        program = seccomp.assemble(default_seccomp(frozenset()))
    except ValueError as error:
        raise OSError(str(error)) from error
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.seccomp_set_mode_filter(program)


TRIALS: dict[str, Callable[[Path], None]] = {
    "namespaces": _try_namespaces,
    "overlay": _try_overlay,
    "network": _try_network,
    "seccomp": _try_seccomp,
}


def state_folder() -> Path:
    """The folder of the engine's state, or the nearest one above it that is there."""
    from labkit.engine.state import default_state

    state = default_state().absolute()
    return next(folder for folder in (state, *state.parents) if folder.is_dir())


if __name__ == "__main__":
    main()
