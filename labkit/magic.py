"""`%docker`: the docker command in a cell, on the engine that the lesson is connected to.

The stock command runs where it is installed; where it is not, `labkit.docker_command` does the same over the SDK.
`labkit.connect()` and `Lesson` register the magic; `%load_ext labkit` does it alone. LABKIT_DOCKER=sdk chooses the
stand-in everywhere.

No shell reads the line: it is taken apart into words (shlex), and these go to one command. So there are no pipes and
no variables, and what you see is what runs. What the command prints on its two streams comes as one, as in a terminal.
One thing is put in order: the lines of `docker diff`, which dockerd gives in a different order each time.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import docker
from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from labkit.connect import connect
from labkit.docker_command import execute

Say = Callable[[str], None]

SHELL_SIGNS = ("|", "||", "&", "&&", ";", ">", ">>", "<")
NO_SHELL = (
    "%docker runs one command without a shell, so {} has no meaning here. Use Python on the result, or a terminal."
)
NO_TERMINAL = "A cell is no terminal. For a shell in a container: labkit.terminal(container)"
KILL_SECONDS = 5


@magics_class
class DockerMagics(Magics):
    """Holds the client of the engine that `%docker` speaks to: the one connected last."""

    client: docker.DockerClient | None = None

    @no_var_expand  # {{.Names}} is a Go template, not a variable of Python's
    @line_magic
    def docker(self, line: str) -> None:
        """Run one docker command and show what it prints; its exit status is in `_exit_code`."""
        if self.client is None:
            self.client = connect()
        status = run(self.client, line, lambda text: print(text, end="", flush=True))
        if self.shell is not None:
            self.shell.user_ns["_exit_code"] = status


def register(client: docker.DockerClient | None = None) -> None:
    """Make `%docker` known where IPython runs, for the engine of this client. Elsewhere it does nothing."""
    shell = get_ipython()
    if shell is not None:
        load_ipython_extension(shell)
        if client is not None:
            _magics(shell).client = client


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext labkit`. Twice is the same as once."""
    if "DockerMagics" not in shell.magics_manager.registry:
        shell.register_magics(DockerMagics)


def current_client() -> docker.DockerClient | None:
    """The client of the engine that `%docker` speaks to; None before anything was connected."""
    shell = get_ipython()
    known = shell is not None and "DockerMagics" in shell.magics_manager.registry
    return _magics(shell).client if shell is not None and known else None


def _magics(shell: InteractiveShell) -> DockerMagics:
    found: DockerMagics = shell.magics_manager.registry["DockerMagics"]
    return found


# --- running ---------------------------------------------------------------------------------------


def run(client: docker.DockerClient, line: str, say: Say) -> int:
    """Run one docker command line on this client's engine; return its exit status."""
    try:
        words = shlex.split(line)
    except ValueError as error:  # a quote without its partner
        say(f"%docker could not read this line: {error}.\n")
        return 2
    if sign := next((word for word in words if word in SHELL_SIGNS), None):
        say(NO_SHELL.format(sign) + "\n")
        return 2
    if words[:1] == ["diff"] or words[:2] == ["container", "diff"]:
        return _sorted(client, words, say)
    said: list[str] = []
    status = _one_command(client, words, lambda text: say(_kept(said, text)))
    if status and "not a TTY" in "".join(said[-1:]):
        say(NO_TERMINAL + "\n")
    return status


def _one_command(client: docker.DockerClient, words: Sequence[str], say: Say) -> int:
    program = stock_command()
    try:
        return run_stock(program, client, words, say) if program else execute(client, words, say)
    except KeyboardInterrupt:  # the learner has seen enough of `logs --follow`
        return 130


def _sorted(client: docker.DockerClient, words: Sequence[str], say: Say) -> int:
    """`docker diff` by path: a line is a letter, a blank and a path."""
    said: list[str] = []
    status = _one_command(client, words, said.append)
    say("".join(sorted("".join(said).splitlines(keepends=True), key=lambda text: text[2:])))
    return status


def _kept(said: list[str], text: str) -> str:
    said.append(text)
    return text


@cache
def stock_command() -> str | None:
    """The path of the stock docker command. Podman's imitation is none: it would ask another engine."""
    path = None if os.environ.get("LABKIT_DOCKER") == "sdk" else shutil.which("docker")
    if path is None:
        return None
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return path if said.stdout.startswith("Docker version") else None


def environment_for(client: docker.DockerClient, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment in which the stock command finds this client's engine and says nothing beside the point."""
    return {**environ, "DOCKER_HOST": address(client), "DOCKER_CLI_HINTS": "false"}


def address(client: docker.DockerClient) -> str:
    """Where the client's engine listens, as DOCKER_HOST has it. (The SDK rewrites a unix socket's address.)"""
    for adapter in client.api.adapters.values():
        if path := getattr(adapter, "socket_path", None):
            return f"unix://{path}"
        if host := getattr(adapter, "ssh_host", None):
            return f"ssh://{host}"
    return str(client.api.base_url).replace("https://", "tcp://").replace("http://", "tcp://")


def run_stock(program: str, client: docker.DockerClient, words: Sequence[str], say: Say) -> int:
    """Run the stock command; show its output as it comes. An interrupt reaches it too."""
    with subprocess.Popen(
        [program, *words],
        env=environment_for(client),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                say(line.decode(errors="replace"))
            return process.wait()
        except BaseException:  # an interrupt, mostly; whatever it is, the command must not be waited for
            _end(process)
            raise


def _end(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
