"""The checks of lesson 08: each looks at the processes of a container, and says what it sees."""

from docker.models.containers import Container

from labkit import observe
from labkit.lessons.evidence import Evidence
from labkit.lessons.material import Outcome, not_yet, passed
from labkit.lessons.missing import missing, wrong_image
from labkit.processes import process_group
from labkit.rootfs import TAG

APP, SCRIPT, WORK = "lab08-app", "/app.sh", "sleep 900"
POLITE, TIDY, BOTH = "lab08-polite", "lab08-tidy", "lab08-both"
PAIR = ("lab08-left", "lab08-right")

# An orphan that ends at once: its parent, the shell in brackets, does not wait for it. The last word counts zombies
# after a while; a reaper needs some milliseconds. (A zombie's name stands in square brackets.)
ORPHAN = "(sleep 0 &); sleep 0.5; ps -o stat,args | grep -c '^Z.*sleep'; true"

# the parts of the notebook that a message sends back to
FIRST, MADE, LIVES = "Process number 1", "A small app", "The container ends with PID 1"
SHELL, ZOMBIES, INIT, TWO = (
    "When PID 1 is a shell",
    "Orphans and zombies",
    "A small init",
    "Two jobs in one container",
)

Wrong = tuple[str, str, str]  # a slip, what was seen, where to look


def _not_running_from(evidence: Evidence, container: Container, image_name: str) -> Wrong | None:
    """What is wrong with a container that should run, and come from this image."""
    if wrong := wrong_image(evidence, container, image_name):
        return *wrong, MADE
    if container.status == "created":
        return "not started", f"{container.name} was created, and not started", LIVES
    if container.status != "running":
        return "exited", f"{container.name} is {container.status}: its PID 1 has ended", LIVES
    return None


def _command(evidence: Evidence, container: Container) -> list[str]:
    """The words of PID 1, as the kernel has them."""
    said = evidence.says(container, "cat", "/proc/1/cmdline") or ""
    return said.split("\0")[:-1]


# --- app-is-one -----------------------------------------------------------------------------------


def app_is_one(evidence: Evidence) -> Outcome:
    """The app is PID 1 in a folder that a shell's `cd`, or the engine, has chosen."""
    expected = f"{POLITE}, made from {APP}, with the app as PID 1 in the folder /tmp"
    container = evidence.container(POLITE)
    if container is None:
        return missing(evidence, POLITE, expected, SHELL, APP)
    if wrong := _not_running_from(evidence, container, APP) or _not_app_in_tmp(evidence, container):
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"PID 1 of {POLITE} is the app, in /tmp: it will hear a stop")


def _not_app_in_tmp(evidence: Evidence, container: Container) -> Wrong | None:
    words = _command(evidence, container)
    if not words or words[-1] != SCRIPT:
        return "not PID 1", f"PID 1 is {' '.join(words)!r}", SHELL
    if words[0].endswith("docker-init"):
        return "not PID 1", "PID 1 is an init, and the app is its child", SHELL
    folder = (evidence.says(container, "readlink", "/proc/1/cwd") or "").strip()
    if folder != "/tmp":
        return "wrong folder", f"PID 1 is the app, in the folder {folder}", SHELL
    return None


# --- no-zombies -----------------------------------------------------------------------------------


def no_zombies(evidence: Evidence) -> Outcome:
    """An orphan is made and ends: whoever is PID 1 must reap it. How, is the learner's choice."""
    expected = f"{TIDY}, made from labkit/base, with {WORK!r} at work, and no zombie after an orphan's end"
    container = evidence.container(TIDY)
    if container is None:
        return missing(evidence, TIDY, expected, INIT, TAG)
    if wrong := _not_running_from(evidence, container, TAG) or _a_zombie(evidence, container):
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"an orphan ended in {TIDY}, and its entry is gone")


def _a_zombie(evidence: Evidence, container: Container) -> Wrong | None:
    listed = evidence.says(container, "ps", "-o", "args") or ""
    if WORK not in listed.splitlines():
        return "other work", f"{TIDY} runs, and {WORK!r} is not among its processes", FIRST
    zombies = int(evidence.says(container, "sh", "-c", ORPHAN) or 0)
    if zombies:
        words = " ".join(_command(evidence, container))
        return "zombie", f"PID 1 is {words!r}, and an orphan that has ended is a zombie", ZOMBIES
    return None


# --- one-job-each ---------------------------------------------------------------------------------


def one_job_each(evidence: Evidence) -> Outcome:
    """Two containers with one app each, where one had two."""
    expected = f"{' and '.join(PAIR)}, made from {APP}, each with the app as PID 1, and no {BOTH}"
    found = [container for name in PAIR if (container := evidence.container(name))]
    if not found:
        return missing(evidence, PAIR[0], expected, TWO, APP)
    for container in found:
        if wrong := _not_running_from(evidence, container, APP) or _not_one_app(evidence, container):
            slip, seen, look = wrong
            return not_yet(slip, seen, expected, look)
    if len(found) < len(PAIR):
        return not_yet("too few", f"{found[0].name} does its job, the other one is missing", expected, TWO)
    if evidence.container(BOTH):
        return not_yet("still there", f"both do their jobs, and {BOTH} is still there", expected, TWO)
    return passed("each container has one app, and the engine sees how each one is")


def _not_one_app(evidence: Evidence, container: Container) -> Wrong | None:
    """What `docker top` shows: how many apps, and whether one is PID 1. A fork of an app is no other app."""
    group = process_group(evidence.client, observe.parse_state(container.attrs))
    apps = {process.pid: process for process in group.processes if process.command.split(" ")[1:] == [SCRIPT]}
    roots = [process for process in apps.values() if process.ppid not in apps]
    if len(roots) != 1:
        return "two jobs", f"the app is {len(roots)} times in {container.name}", TWO
    if roots[0].pid != group.container.pid:
        return "not PID 1", f"the app runs in {container.name}, and something else is PID 1", SHELL
    return None
