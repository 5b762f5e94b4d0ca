"""The checks of lesson 14: each looks at limits and shares, and at how their containers fared."""

from collections.abc import Mapping

from docker.models.containers import Container

from labkit.lessons.evidence import Evidence, exit_code
from labkit.lessons.material import Outcome, not_yet, passed
from labkit.lessons.missing import missing, wrong_image

BASE = "labkit/base"
FIT, DAM, LOW, HIGH = "lab14-fit", "lab14-dam", "lab14-low", "lab14-high"
MOST = 32 << 20  # bytes that exercise 1 allows
DEFAULT_SHARES = 1024  # what a container without cpu_shares has: docker run, --cpu-shares

# the parts of the notebook that a message sends back to
FREE, MEMORY, FLOOD = "Without a limit", "Memory: the OOM kill", "Processes: a flood is stopped"
SHARES = "Shares are no limit"


def _not_ended(container: Container) -> tuple[str, str] | None:
    """The slip and the sentence about a container whose command has not ended."""
    if container.status == "created":
        return "not started", f"{container.name} was created and never started"
    if container.status in ("running", "paused"):
        return "still running", f"{container.name} is {container.status}"
    return None


def _command(container: Container) -> str:
    return " ".join(container.attrs["Config"].get("Cmd") or ())


# --- fit ------------------------------------------------------------------------------------------


def fit(evidence: Evidence) -> Outcome:
    """A command that ended well under a memory limit that is not too high."""
    expected = f"{FIT}, from {BASE}, with a memory limit of at most {MOST >> 20} MiB; the sort ended with exit code 0"
    container = evidence.container(FIT)
    if container is None:
        return missing(evidence, FIT, expected, MEMORY)
    if wrong := wrong_image(evidence, container, BASE):
        return not_yet(*wrong, expected, FREE)
    if "sort -n" not in _command(container):
        return not_yet("wrong command", f"{FIT} ran {_command(container)!r}", expected, MEMORY)
    limit = container.attrs["HostConfig"]["Memory"]
    if not limit:
        return not_yet("no limit", f"{FIT} has no memory limit", expected, MEMORY)
    if limit > MOST:
        return not_yet("limit too high", f"{FIT} may use {limit / (1 << 20):.4g} MiB", expected, MEMORY)
    if wrong := _not_ended(container):
        return not_yet(*wrong, expected, MEMORY)
    if code := exit_code(container):
        seen = f"with {limit / (1 << 20):.4g} MiB {FIT} ended with exit code {code}"
        return not_yet("limit too low" if code == 137 else "wrong code", seen, expected, MEMORY)
    return passed(f"{FIT} did its work within {limit / (1 << 20):.4g} MiB")


# --- dam ------------------------------------------------------------------------------------------


def dam(evidence: Evidence) -> Outcome:
    """A flood of processes that ended at the learner's own limit."""
    most = int(evidence.words["most"])
    expected = f"{DAM}, from {BASE}, which ran the flood with a limit of {most} processes, and was refused one more"
    container = evidence.container(DAM)
    if container is None:
        return missing(evidence, DAM, expected, FLOOD)
    if wrong := wrong_image(evidence, container, BASE):
        return not_yet(*wrong, expected, FREE)
    limit = container.attrs["HostConfig"].get("PidsLimit") or 0
    if limit <= 0:
        return not_yet("no limit", f"{DAM} may start as many processes as it likes", expected, FLOOD)
    if limit != most:
        return not_yet("wrong limit", f"{DAM} may have {limit} processes", expected, FLOOD)
    if wrong := _not_ended(container):
        return not_yet(*wrong, expected, FLOOD)
    if "can't fork" not in container.logs().decode(errors="replace"):
        return not_yet("wrong command", f"{DAM} ran {_command(container)!r}, and was refused nothing", expected, FLOOD)
    return passed(f"{DAM} was refused one process more than {most}")


# --- three-to-one ---------------------------------------------------------------------------------


def three_to_one(evidence: Evidence) -> Outcome:
    """Two running containers, one with three times the other's shares. Asks for no exec, so it can be watched."""
    expected = f"{LOW} and {HIGH}, both running, {HIGH} with three times the CPU shares of {LOW}"
    found = {name: container for name in (LOW, HIGH) if (container := evidence.container(name))}
    if not found:
        return missing(evidence, LOW, expected, SHARES)
    if len(found) == 1:
        return not_yet("too few", f"{next(iter(found))} is there, and it is alone", expected, SHARES)
    for container in found.values():
        if wrong := wrong_image(evidence, container, BASE):
            return not_yet(*wrong, expected, FREE)
        if container.status != "running":
            return not_yet("exited", f"{container.name} is {container.status}", expected, FREE)
    if wrong := _not_three(found):
        return not_yet(*wrong, expected, SHARES)
    return passed(f"when both want the processor, {HIGH} gets three parts of four")


def _not_three(found: Mapping[str, Container]) -> tuple[str, str] | None:
    """The slip and the sentence when the shares don't stand as three to one."""
    low, high = (found[name].attrs["HostConfig"].get("CpuShares") or DEFAULT_SHARES for name in (LOW, HIGH))
    limited = [name for name in (LOW, HIGH) if found[name].attrs["HostConfig"].get("NanoCpus")]
    if high == 3 * low:
        return None
    if low == high and limited:
        return "limit, not share", f"{' and '.join(limited)} has a limit; the shares of both are the same"
    if low == high:
        return "no limit", f"{LOW} and {HIGH} have the same shares: {low}"
    if low > high:
        return "turned round", f"{LOW} has {low} shares, {HIGH} {high}"
    return "wrong limit", f"{LOW} has {low} shares, {HIGH} {high}"
