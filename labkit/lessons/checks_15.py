"""The checks of lesson 15: each looks at what a container shares, and which powers its main process has."""

import re

from docker.models.containers import Container

from labkit.lessons.evidence import Evidence, exit_code
from labkit.lessons.material import Outcome, not_yet, passed
from labkit.lessons.missing import missing, wrong_image
from labkit.runtime import capabilities

BASE, BLUE = "labkit/base", "lab15-blue"
LEAST, LODGER, SAFE = "lab15-least", "lab15-lodger", "lab15-safe"
NEEDED = frozenset({"CAP_CHOWN", "CAP_SYS_CHROOT"})

# the parts of the notebook that a message sends back to
WHO, DOOR, TAKE = "Who am I?", "Walls with a door", "Take powers away, give one back"
UP, HOOD = "No way up", "Under the hood"


def _ended(container: Container) -> tuple[str, str] | None:
    """The slip and the sentence about a container that does not run."""
    if container.status == "running":
        return None
    if container.status == "created":
        return "not started", f"{container.name} was created and never started"
    return "exited", f"{container.name} has ended, with exit code {exit_code(container)}"


def powers(evidence: Evidence, container: Container, which: str) -> frozenset[str]:
    """A set of capabilities of the main process, by its name in /proc/1/status: CapEff or CapBnd."""
    found = re.search(rf"^{which}:\s*(\w+)$", evidence.says(container, "cat", "/proc/1/status") or "", re.MULTILINE)
    return capabilities.names(int(found[1], 16)) if found else frozenset()


def _listed(names: frozenset[str]) -> str:
    short = sorted(name.removeprefix("CAP_") for name in names)
    return ", ".join(short) if len(short) <= 5 else f"{', '.join(short[:4])} and {len(short) - 4} more"


# --- just-enough ----------------------------------------------------------------------------------


def just_enough(evidence: Evidence) -> Outcome:
    """A running container whose main process has the two capabilities that its command needs."""
    expected = f"{LEAST}, running the lesson's command, with the two capabilities that it needs and no other"
    container = evidence.container(LEAST)
    if container is None:
        return missing(evidence, LEAST, expected, TAKE)
    if wrong := wrong_image(evidence, container, BASE):
        return not_yet(*wrong, expected, WHO)
    words = " ".join(container.attrs["Config"].get("Cmd") or ())
    if "chown" not in words or "chroot" not in words:
        return not_yet("wrong command", f"{LEAST} runs {words!r}", expected, TAKE)
    if wrong := _ended(container):
        slip, seen = wrong
        told = f"{seen}: {container.logs().decode(errors='replace').strip()}" if slip == "exited" else seen
        return not_yet("lacks a power" if slip == "exited" else slip, told, expected, TAKE)
    extra = powers(evidence, container, "CapEff") - NEEDED
    if extra:
        return not_yet("too many powers", f"{LEAST} runs, and also has {_listed(extra)}", expected, TAKE)
    return passed(f"{LEAST} runs with {_listed(NEEDED)}, and no other power")


# --- move-in --------------------------------------------------------------------------------------


def move_in(evidence: Evidence) -> Outcome:
    """A running container in another one's network namespace. Asks for no exec, so it can be watched."""
    expected = f"{LODGER}, running, in the network namespace of {BLUE}"
    container, blue = evidence.container(LODGER), evidence.container(BLUE)
    if container is None:
        return missing(evidence, LODGER, expected, DOOR)
    if blue is None:
        return not_yet("gone", f"there is no container {BLUE}: the lesson starts it", expected, WHO)
    if wrong := wrong_image(evidence, container, BASE) or _not_in(container, blue) or _ended(container):
        return not_yet(*wrong, expected, DOOR)
    return passed(f"{LODGER} and {BLUE} have one network, and all else apart")


def _not_in(container: Container, blue: Container) -> tuple[str, str] | None:
    """The slip and the sentence about a container that is in another network than blue's."""
    mode = container.attrs["HostConfig"]["NetworkMode"]
    if mode in (f"container:{blue.id}", f"container:{blue.name}"):
        return None
    if mode.startswith("container:"):
        return "wrong partner", f"{LODGER} shares the network of another container"
    if mode == "host":
        return "host's network", f"{LODGER} shares the network of the engine's machine"
    return "own network", f"{LODGER} has a network namespace of its own"


# --- safe -----------------------------------------------------------------------------------------


def safe(evidence: Evidence) -> Outcome:
    """A running container with a user, no capability, no new privileges and a read-only root file system."""
    expected = f"{SAFE}, running, not root, without capabilities, no new privileges, its root file system read-only"
    container = evidence.container(SAFE)
    if container is None:
        return missing(evidence, SAFE, expected, UP)
    if wrong := _ended(container):
        return not_yet(*wrong, expected, WHO)
    if (evidence.says(container, "id", "-u") or "0").strip() == "0" or _is_root(container):
        return not_yet("still root", f"{SAFE} runs as user 0", expected, UP)
    if ceiling := powers(evidence, container, "CapBnd"):
        return not_yet("too many powers", f"the bounding set of {SAFE} has {_listed(ceiling)}", expected, HOOD)
    host = container.attrs["HostConfig"]
    if not any(re.fullmatch(r"no-new-privileges([:=]true)?", option) for option in host.get("SecurityOpt") or ()):
        return not_yet("may gain powers", f"{SAFE} was not told to gain no new privileges", expected, UP)
    if not host.get("ReadonlyRootfs"):
        return not_yet("writable", f"{SAFE} can write to its root file system", expected, UP)
    return passed(f"{SAFE} is nobody special, has no power and no way to get one, and can't change its files")


def _is_root(container: Container) -> bool:
    return container.attrs["Config"].get("User", "").split(":")[0] in ("", "0", "root")
