"""start, stop, restart, kill, pause, unpause, wait, rename, rm: one call of the SDK for each container named.

What went well is said at once, by the name that was typed; what the engine refused is said at the end.
"""

from collections.abc import Callable

from docker import DockerClient
from docker.errors import APIError

from labkit.docker_command.words import Given

Say = Callable[[str], None]


def each(given: Given, say: Say, act: Callable[[str], object]) -> int:
    """Do something with each name; 1 when the engine refused one."""
    refused = []
    for name in given.words:
        try:
            answer = act(name)
        except APIError as error:
            refused.append(error)
        else:
            say(f"{name if answer is None else answer}\n")
    say("".join(f"{said(refusal)}\n" for refusal in refused))
    return 1 if refused else 0


def said(error: APIError) -> str:
    """An engine's refusal, as docker shows it."""
    return f"Error response from daemon: {error.explanation or error}"


def start(client: DockerClient, given: Given, say: Say) -> int:
    """Start containers that were created or have stopped."""
    status = each(given, say, lambda name: client.api.start(name))
    if status:
        say(f"Error: failed to start containers: {', '.join(given.words)}\n")
    return status


def stop(client: DockerClient, given: Given, say: Say) -> int:
    """Stop containers: SIGTERM first, SIGKILL when the time is up."""
    return each(given, say, lambda name: client.api.stop(name, timeout=_seconds(given)))


def restart(client: DockerClient, given: Given, say: Say) -> int:
    """Stop and start containers."""
    seconds = _seconds(given)
    return each(given, say, lambda name: client.api.restart(name, timeout=10 if seconds is None else seconds))


def _seconds(given: Given) -> int | None:
    text = given.one("timeout") or given.one("time")
    return int(text) if text else None


def kill(client: DockerClient, given: Given, say: Say) -> int:
    """Send a signal to the main process of containers."""
    return each(given, say, lambda name: client.api.kill(name, given.one("signal") or None))


def pause(client: DockerClient, given: Given, say: Say) -> int:
    """Freeze all processes of containers."""
    return each(given, say, lambda name: client.api.pause(name))


def unpause(client: DockerClient, given: Given, say: Say) -> int:
    """Let the processes of paused containers go on."""
    return each(given, say, lambda name: client.api.unpause(name))


def wait(client: DockerClient, given: Given, say: Say) -> int:
    """Wait until containers have stopped; say their exit codes."""
    return each(given, say, lambda name: client.api.wait(name)["StatusCode"])


def rename(client: DockerClient, given: Given, say: Say) -> int:
    """Give a container another name."""
    old, new = given.words
    try:
        client.api.rename(old, new)
    except APIError as error:
        say(f"{said(error)}\nError: failed to rename container named {old}\n")
        return 1
    return 0


def rm(client: DockerClient, given: Given, say: Say) -> int:
    """Remove containers. With --force one that is not there is no failure."""
    force = given.on("force")
    status = each(given, say, lambda name: client.api.remove_container(name, v=given.on("volumes"), force=force))
    if status and force:
        return 0 if all(_gone(client, name) for name in given.words) else status
    return status


def _gone(client: DockerClient, name: str) -> bool:
    try:
        client.api.inspect_container(name)
    except APIError as error:
        return error.status_code == 404
    return False
