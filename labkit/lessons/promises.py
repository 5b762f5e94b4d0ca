"""What every container engine promises of `run`, as a table: by it our engine is judged, dockerd, and a learner's page.

A promise is tried by running commands, one container each, and looking at what the last one printed and at its exit
code. How the engine keeps it is nobody's business: that is what makes these contract tests. The commands do no harm
where nothing is kept apart yet, which is how a learner's page begins.
"""

import ast
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError

IMAGE = "labkit/base"
HOST = "box"  # the hostname that each container gets, if nothing else is said
MOST_PROCESSES = 4  # a shell, `ls`, `grep`, and what the shell may start beside them

Answer = tuple[str, int]  # what a command has printed, and its exit code
Run = Callable[[Sequence[str]], Answer]


@dataclass(frozen=True)
class Promise:
    """One thing that holds for each container. `slip` is a key of slips.SLIPS: what to say when it does not."""

    key: str
    says: str
    commands: tuple[tuple[str, ...], ...]
    kept: Callable[[str, int, str], bool]
    """Given the last command's output and exit code, and the hostname that was asked for."""
    slip: str


def _processes(output: str) -> int:
    return int(output) if output.strip().isdigit() else 0


PROMISES = (
    Promise(
        "output",
        "what the command prints comes back",
        (("echo", "hello"),),
        lambda output, code, host: output == "hello\n",
        "wrong output",
    ),
    Promise(
        "exit code",
        "its exit code comes back",
        (("sh", "-c", "exit 7"),),
        lambda output, code, host: code == 7,
        "wrong code",
    ),
    Promise(
        "not found",
        "a command that is not there ends with 127",
        (("no-such-program",),),
        lambda output, code, host: code == 127,
        "wrong code",
    ),
    Promise(
        "environment",
        "the engine's own variables stay outside",
        (("env",),),
        lambda output, code, host: code == 0 and "PYTHON" not in output,
        "wrong environment",
    ),
    Promise(
        "files",
        "the files are the image's",
        (("cat", "/etc/motd"),),
        lambda output, code, host: IMAGE in output,
        "old root",
    ),
    Promise(
        "fresh",
        "each container starts fresh: no file of an earlier one is there",
        (("touch", "/tmp/lab19-mark"), ("ls", "/tmp")),
        lambda output, code, host: code == 0 and "lab19-mark" not in output,
        "not fresh",
    ),
    Promise(
        "pid 1",
        "the command is process 1",
        (("sh", "-c", "echo $$"),),
        lambda output, code, host: output == "1\n",
        "not PID 1",
    ),
    Promise(
        "processes",
        "it sees its own processes only",
        (("sh", "-c", "ls /proc | grep -c '^[0-9]'"),),
        lambda output, code, host: 0 < _processes(output) <= MOST_PROCESSES,
        "all processes",
    ),
    Promise(
        "hostname",
        "it has a hostname of its own",
        (("hostname",),),
        lambda output, code, host: output == f"{host}\n",
        "wrong hostname",
    ),
    Promise(
        "powers",
        "its root lacks the powers that a program does not need",
        (("sh", "-c", 'hostname "$(hostname)"'),),  # asks for CAP_SYS_ADMIN, and does no harm where it is granted
        lambda output, code, host: code not in (0, 127),
        "too many powers",
    ),
)


def broken(run: Run, host: str = HOST) -> list[Promise]:
    """The promises that `run` does not keep, in the order of the table."""
    return [promise for promise in PROMISES if not promise.kept(*answer(run, promise), host)]


def judge(run: Run, host: str = HOST) -> None:
    """Try every promise, and print a line for each, and how many are kept."""
    missed = broken(run, host)
    for promise in PROMISES:
        print("✗" if promise in missed else "✓", promise.says)
    print(f"{len(PROMISES) - len(missed)} of {len(PROMISES)} promises are kept.")


def answer(run: Run, promise: Promise) -> Answer:
    """What the last of a promise's commands printed, and its exit code."""
    return [run(command) for command in promise.commands][-1]


# --- who is judged ----------------------------------------------------------------------------------


def of_engine(client: docker.DockerClient, host: str = HOST) -> Run:
    """`docker run`, without a network, on an engine."""

    def run(command: Sequence[str]) -> Answer:
        container = client.containers.create(IMAGE, list(command), hostname=host, network_mode="none")
        try:
            with suppress(APIError):  # a command that is not there: the exit code below says so
                container.start()
            container.wait(timeout=30)
            container.reload()
            return container.logs().decode(), int(container.attrs["State"]["ExitCode"])
        finally:
            container.remove(force=True)

    return run


def of_child(child: Any) -> Run:
    """The function `run` that a learner has defined in a labkit.Child. Raises NoRun where there is none."""

    def run(command: Sequence[str]) -> Answer:
        said = child.run(f"run({list(command)!r})")
        try:
            output, code = ast.literal_eval(said)
        except (ValueError, SyntaxError, TypeError):
            raise NoRun(said.strip().splitlines()[-1] if said.strip() else "nothing") from None
        return str(output), int(code)

    return run


class NoRun(Exception):
    """A child has no function `run` that gives the output and the exit code of a command; what it said instead."""
