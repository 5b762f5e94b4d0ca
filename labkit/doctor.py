"""What this machine allows, what that means for you, and the command that mends it: `labkit doctor`.

Two questions: which engine would `labkit.connect()` take, and what could labkit's own engine do here? The first is
put to every socket that connect() knows. The second is answered from a trial in a child (labkit/trial.py). Each probe
is a row of `PROBES`.

Left out: speed, and the reach of a registry.
"""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any

from labkit.errors import LabkitError
from labkit.findings import Choice, Finding, Outcome, Report
from labkit.trial import Trial, run_trial, state_folder

GIB = 1 << 30
OLDEST_PYTHON = (3, 11)


def diagnose() -> Report:
    """Try everything, leave nothing behind. Takes a second or two."""
    trial = run_trial()
    choice, engines = engines_here(os.environ, os.getuid(), trial)
    worth_asking = [probe for probe in PROBES if trial.works("namespaces") or probe not in OF_CONTAINERS_HERE]
    return Report(choice, (*engines, *(probe(trial) for probe in worth_asking)))


# --- which engine connect() takes ---------------------------------------------------------------------------------


def engines_here(environ: Mapping[str, str], uid: int, trial: Trial) -> tuple[Choice, list[Finding]]:
    """The choice that connect() makes, and a finding for every socket that is there."""
    from labkit.connect import EMBEDDED, IN_VM, candidates  # only here, as it brings the Docker SDK

    try:
        places = candidates(environ, uid)
    except LabkitError as error:
        return Choice("no engine", "", str(error).rstrip("."), works=False), []
    choices, findings = [], []
    for candidate in places:
        path = candidate.address.removeprefix("unix://")
        if candidate.address == EMBEDDED:
            choices.append(_embedded(candidate.why, trial))
        elif candidate.address == IN_VM:
            choices.append(_in_machine(candidate.why))
        elif candidate.named or os.path.exists(path):
            answer, finding = _ask(candidate, environ)
            findings.append(finding)
            if answer.works or candidate.named:
                choices.append(answer)
    if not findings:
        findings.append(_NO_SOCKET)
    return (choices or [Choice("no engine", "", "no Docker or Podman socket answers", works=False)])[0], findings


def _embedded(why: str, trial: Trial) -> Choice:
    """The engine that labkit starts: here, or where that is refused in a virtual machine."""
    here = Choice("labkit's embedded engine", "embedded", why, trial.works("namespaces"))
    if here.works or platform.system() != "Linux":
        return here
    inside = _in_machine(f"{why}; namespaces are refused")
    return inside if inside.works else here


def _in_machine(why: str) -> Choice:
    return Choice("labkit's embedded engine in a small virtual machine", "vm", why, "" in machines().values())


_NO_SOCKET = Finding(
    "Docker or Podman",
    "the sockets that Docker, rootless Docker, Docker Desktop and Podman listen on",
    "missing",
    "The lessons run on labkit's own engine; you need neither.",
)


def _ask(candidate: Any, environ: Mapping[str, str]) -> tuple[Choice, Finding]:
    from labkit.connect import engine_name, find

    tried, name = f"asked {candidate.address} for its version", candidate.why
    try:
        client = find(candidate.address, environ).client
        who = engine_name(client.version())
        client.close()
    except LabkitError as error:
        broken = Choice("an engine that doesn't answer", candidate.address, f"{name}; {error.said}", works=False)
        return broken, Finding(name, tried, "limited", f"It is there, but: {error.said}.", error.do)
    return Choice(who, candidate.address, name), Finding(name, tried, "ok", f"{who} answers.")


# --- what it means ------------------------------------------------------------------------------------------------


def namespaces(trial: Trial) -> Finding:
    name, tried = "namespaces", "new mount and network namespaces, in a user namespace unless you are root"
    if trial.works("namespaces"):
        who = "you are root" if os.geteuid() == 0 else "without root"
        return Finding(name, tried, "ok", f"labkit's own engine can run containers here, {who}.")
    if platform.system() != "Linux":
        return Finding(
            name, tried, "missing", "Containers need a Linux kernel.", "Install Docker Desktop; labkit uses it then."
        )
    means = f"labkit's own engine can only run in a small virtual machine here: {trial.error('namespaces')}."
    return Finding(name, tried, "missing", means, trial.facts.get("mend", ""))


def sub_ids(trial: Trial) -> Finding:
    name, tried = "sub-ids", "ranges in /etc/subuid and /etc/subgid, mapped with newuidmap"
    if not trial.works("namespaces"):
        return Finding(name, tried, "missing", "They can only be used in a user namespace: see there.")
    if os.geteuid() == 0:
        return Finding(name, tried, "ok", "You are root: every user id can be used.")
    if trial.facts["ids"] > 1:
        return Finding(name, tried, "ok", f"Containers have {trial.facts['ids']} user ids.")
    return Finding(
        name, tried, "limited",
        "Containers have one user id, root: `chown` and `--user` with another one fail inside.",
        "sudo apt install uidmap && sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER",
    )  # fmt: skip


def overlay(trial: Trial) -> Finding:
    name, tried = "overlay", f"an overlay mount below {state_folder()}"
    if trial.works("overlay"):
        return Finding(name, tried, "ok", "Containers share an image's layers: a start copies nothing.")
    means = f"Each container gets a whole copy of its image: {trial.error('overlay')}."
    mend = "Set LABKIT_STATE to a folder on ext4, xfs or btrfs; without root this takes Linux 5.11 or newer."
    return Finding(name, tried, "limited", means, mend)


LIMITS = {"memory": "MemoryLimit", "cpu": "CpuCfsQuota", "pids": "PidsLimit"}  # words of docker run: fields of /info


def limits(trial: Trial) -> Finding:
    possible = trial.facts.get("limits", {})
    name = f"cgroups v{trial.facts['cgroup']}" if "cgroup" in trial.facts else "cgroups"
    tried = "write access to the cgroup folders of " + ", ".join(LIMITS)
    refused = [word for word, field in LIMITS.items() if not possible.get(field)]
    if not refused:
        return Finding(name, tried, "ok", "Limits of memory, CPU and processes can be set.")
    means = (
        f"Limits that can't be set: {', '.join(refused)}. A container may take as much as you may yourself; the lesson "
        "on limits then needs Docker."
    )
    if os.geteuid() == 0:
        mend = "Mount the cgroup file systems writable; in a container: start that one with `--privileged`."
    elif trial.facts.get("cgroup") == "2" and shutil.which("systemd-run"):  # systemd gives a part of the tree to you
        mend = "systemd-run --user --scope -p Delegate=yes labkit engine start"
    else:
        mend = "sudo apt install docker.io && sudo usermod -aG docker $USER"
    return Finding(name, tried, "limited", means, mend)


def network(trial: Trial) -> Finding:
    name, tried = "bridge network", "a bridge and a veth pair, in a network namespace of our own"
    if trial.works("network"):
        return Finding(name, tried, "ok", "Containers have addresses and reach each other.")
    means = f"Containers have only their own loopback: {trial.error('network')}."
    return Finding(name, tried, "limited", means, "sudo modprobe -a bridge veth")


def seccomp(trial: Trial) -> Finding:
    name, tried = "seccomp", "loading Docker's default filter"
    if trial.works("seccomp"):
        return Finding(name, tried, "ok", "Containers run under Docker's default filter of system calls.")
    means = f"Containers can't be fenced as Docker fences them: {trial.error('seccomp')}."
    return Finding(
        name, tried, "missing", means, "Run on x86_64 or aarch64 with a kernel that has CONFIG_SECCOMP_FILTER."
    )


def busybox(_: Trial) -> Finding:
    from labkit.images import SYSTEM_PATH, libraries

    name, tried = "busybox", f"a program of that name in {SYSTEM_PATH}, that links to no library"
    found = shutil.which("busybox", path=SYSTEM_PATH) or shutil.which("busybox.static", path=SYSTEM_PATH)
    if found and not libraries(found):
        return Finding(name, tried, "ok", f"The teaching image can be made without a network, from {found}.")
    if found:
        means = f"The teaching image is made from {found}, which links to libraries; lesson 13 needs one that does not."
    else:
        means = (
            "The teaching image is made from a package, a registry or this machine's own tools instead. Made of the "
            "last, it lacks the web server of lessons 09, 12, 13 and 16, and some programs of lesson 15."
        )
    return Finding(name, tried, "limited", means, "sudo apt install busybox-static")


def disk(_: Trial) -> Finding:
    folder = state_folder()
    free = shutil.disk_usage(folder).free
    name, tried = "disk", f"free space below {folder}"
    means = f"{free / GIB:.1f} GiB are free for images and containers."
    if free >= GIB:
        return Finding(name, tried, "ok", means)
    outcome: Outcome = "limited" if free >= GIB // 8 else "missing"
    return Finding(
        name,
        tried,
        outcome,
        f"Only {means}",
        f"Free some, or set LABKIT_STATE to a folder with room; `du -sh {folder}/*` shows what is there.",
    )


def machines() -> dict[str, str]:
    """Each kind of virtual machine that the engine could run in, and what stands in the way, "" for nothing."""
    from labkit.microvm import guest, kinds

    files, found = guest.default_files(), {}
    for kind in kinds.KINDS:
        if guest.is_built(kind.name, files / kind.name):
            found[kind.title] = kind.trial(files / kind.name)
        else:  # its files are built when it is first started
            found[kind.title] = "" if shutil.which(kind.program) else f"{kind.package} {NOT_INSTALLED}"
    return found


NOT_INSTALLED = "is not installed"
READ_ON = "The lessons still open, and can be read with the outputs and pictures that are stored in them."


def virtual_machine(trial: Trial) -> Finding:
    from labkit.microvm import kinds

    found = machines()
    name, tried = "virtual machine", " and ".join(found)
    if works := [title for title, obstacle in found.items() if not obstacle]:
        means = f"One can be booted, for lessons, and for the engine where namespaces are refused: {', '.join(works)}."
        return Finding(name, tried, "ok", means)
    why = "; ".join(f"{title}: {obstacle}" for title, obstacle in found.items())
    packages = " ".join(kind.package for kind in kinds.KINDS if found[kind.title].endswith(NOT_INSTALLED))
    mend = f"sudo apt install {packages}" if packages else "Ask whoever runs this machine to allow what is refused."
    means = f"None can be booted. {why}."
    if not trial.works("namespaces"):
        means += f" So labkit can run no container here. {READ_ON}"
    return Finding(name, tried, "missing", means, mend)


def python(_: Trial) -> Finding:
    name, tried = "python", "the version of the Python that runs this"
    version = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        return Finding(name, tried, "ok", f"{version}.")
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding(name, tried, "missing", f"{version} is too old.", f"Install Python {oldest} or newer.")


# Where namespaces are refused these could only say so once more; in a virtual machine they have other answers.
OF_CONTAINERS_HERE = (sub_ids, overlay, limits, network, seccomp)

PROBES: tuple[Callable[[Trial], Finding], ...] = (
    namespaces, sub_ids, overlay, limits, network, seccomp, busybox, disk, virtual_machine, python,
)  # fmt: skip
