"""create, run, exec, logs: a process in a container, and what it prints.

Nothing is read from the keyboard: with -i the process finds the end of its input at once, as behind `< /dev/null`.
"""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Literal

from docker import DockerClient
from docker.errors import APIError, ImageNotFound

from labkit.docker_command import spec
from labkit.docker_command.images import repository_and_tag
from labkit.docker_command.life import said
from labkit.docker_command.words import Given, Misused

Say = Callable[[str], None]
NO_TERMINAL = "the input device is not a TTY"
HELP = "\n\nRun 'docker run --help' for more information"
# exit statuses of `docker run` and what the engine said; docker's reference, "docker run, exit status"
STATUSES = ((127, r"executable file not found|no such file or directory"), (126, r"permission denied|is a directory"))
UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}


def create(client: DockerClient, given: Given, say: Say) -> int:
    """Make a container without starting it; say its id."""
    say(f"{_created(client, given, say)}\n")
    return 0


def run(client: DockerClient, given: Given, say: Say) -> int:
    """Make and start a container, show what it prints, and end as it ends."""
    if given.on("interactive") and given.on("tty") and not given.on("detach"):
        say(f"{NO_TERMINAL}\n")
        return 1
    try:
        container = _created(client, given, say)
        if given.on("detach"):
            client.api.start(container)
            say(f"{container}\n")
            return 0
        return _attached(client, container, given, say)
    except APIError as error:
        say(f"docker: {said(error)}{HELP}\n")
        words = str(error.explanation)
        return next((status for status, pattern in STATUSES if re.search(pattern, words)), 125)


def _created(client: DockerClient, given: Given, say: Say) -> str:
    """The id of a new container; its image is pulled if it is not there."""
    try:
        return _create(client, given, say)
    except ImageNotFound:
        if given.one("pull", "missing") == "never":
            raise
    name, tag = repository_and_tag(given.words[0])
    say(f"Unable to find image '{name}:{tag or 'latest'}' locally\n")
    for step in client.api.pull(name, tag or "latest", stream=True, decode=True):
        if "error" in step:
            raise Misused(f"docker: Error response from daemon: {step['error']}{HELP}")
        say(f"{step['id']}: {step['status']}\n" if "id" in step else f"{step['status']}\n")
    return _create(client, given, say)


def _create(client: DockerClient, given: Given, say: Say) -> str:
    """One call of the API; what it warns of (a limit that can't be had, for example) is said."""
    made: dict[str, Any] = client.api.create_container(
        *(given.words[0], given.words[1:] or None),
        host_config=client.api.create_host_config(**spec.host(given)),
        **spec.container(given),
    )
    say("".join(f"WARNING: {warning}\n" for warning in made.get("Warnings") or ()))
    return str(made["Id"])


def _attached(client: DockerClient, container: str, given: Given, say: Say) -> int:
    """Be attached before the start, so that not a byte is missed, and wait before it too: `--rm` may be faster."""
    output: Iterable[bytes] = client.api.attach(container, stdout=True, stderr=True, stream=True)
    until: Literal["removed", "next-exit"] = "removed" if given.on("rm") else "next-exit"
    with ThreadPoolExecutor(1) as other:
        ended = other.submit(client.api.wait, container, condition=until)
        client.api.start(container)
        try:
            _copy(output, say)
        except KeyboardInterrupt:
            client.api.kill(container)  # a cell that was interrupted must not leave a process behind
            return 130
        return int(ended.result()["StatusCode"])


def exec_(client: DockerClient, given: Given, say: Say) -> int:
    """Run one more process in a running container."""
    if given.on("interactive") and given.on("tty") and not given.on("detach"):
        say(f"{NO_TERMINAL}\n")
        return 1
    made: dict[str, str] = client.api.exec_create(
        *(given.words[0], given.words[1:]),
        tty=given.on("tty"),
        privileged=given.on("privileged"),
        user=given.one("user"),
        environment=spec.environment(given.all("env")) or None,
        workdir=given.one("workdir") or None,
    )
    if given.on("detach"):
        client.api.exec_start(made["Id"], detach=True)
        return 0
    try:
        _copy(client.api.exec_start(made["Id"], stream=True), say)
    except APIError as error:  # newer engines say so when it is started, older ones in the output
        say(f"{said(error)}\n")
    return int(client.api.exec_inspect(made["Id"])["ExitCode"] or 0)


def logs(client: DockerClient, given: Given, say: Say) -> int:
    """Show what a container has printed; with --follow, what it prints from now on too."""
    tail = given.one("tail", "all")
    window: dict[str, Any] = {key: _time(given.one(key)) for key in ("since", "until") if given.one(key)}
    output: Iterable[bytes] = client.api.logs(
        given.words[0],
        stream=True,
        follow=given.on("follow"),
        timestamps=given.on("timestamps"),
        tail="all" if tail == "all" else int(tail),
        **window,
    )
    _copy(output, say)
    return 0


def _copy(output: Iterable[bytes], say: Say) -> None:
    for piece in output:
        say(piece.decode(errors="replace"))


def _time(text: str) -> int | float:
    """A point of time: seconds since 1970, RFC 3339, or a span before now such as 10m."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if re.fullmatch(r"(\d+(h|ms|m|s))+", text):
        span = sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)(h|ms|m|s)", text))
        return datetime.now().timestamp() - span
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError as error:
        raise Misused(f'invalid value for a time: "{text}"') from error
