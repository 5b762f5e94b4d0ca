"""`labkit.terminal(container)`: a button that opens JupyterLab's own terminal with a shell in a container.

The button's script asks the Jupyter server for a terminal, types one `docker exec -it` into it and shows it. It does
so as the page that it is in, with that page's own login: no token is read, sent to the kernel or written into the
notebook. Where there is no such page (a web page, VS Code), the command stands there to be copied.
"""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import docker
import traitlets
from docker.models.containers import Container

from labkit import magic
from labkit.errors import LabkitError

HERE = Path(__file__).parent
USUAL = "unix:///var/run/docker.sock"


class Terminal(anywidget.AnyWidget):
    """The button. Its text is the same on every engine; `command` is what it really types."""

    _esm = (HERE / "lab_terminal.js").read_text("utf-8")
    _css = (HERE / "lab_terminal.css").read_text("utf-8")
    label = traitlets.Unicode().tag(sync=True)
    command = traitlets.Unicode().tag(sync=True)

    def __init__(self, client: docker.DockerClient, name: str, words: Sequence[str]) -> None:
        self._name, self._words = name, list(words)
        super().__init__(label=f"Open a terminal in {name}", command=typed(client, name, words))

    def __repr__(self) -> str:
        shell = shlex.join(self._words)
        return (
            f"A terminal in {self._name}: docker exec -it {self._name} {shell}\n"
            f"Without the docker command: labkit exec -it {self._name} {shell}"
        )

    def _repr_html_(self) -> str:
        return "<br>".join(_with_code(line) for line in repr(self).splitlines())

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if self.comm is not None:
            shown = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
            bundle["application/vnd.jupyter.widget-view+json"] = shown
        return bundle, {}


def terminal(container: Container | str, *command: str, client: docker.DockerClient | None = None) -> Terminal:
    """A button that opens a terminal in a running container: `labkit.terminal(red)`. The command is `sh` by default.

    Raises LabkitError for a container that does not run.
    """
    found = _container(container, client)
    found.reload()
    name = str(found.name)
    if found.status != "running":
        raise LabkitError(
            f"We wanted a terminal in {name}",
            f"it is {found.status}, so no process can be started in it",
            "start it first",
        )
    return Terminal(found.client, name, command or ("sh",))  # type: ignore[arg-type]


def _container(container: Container | str, client: docker.DockerClient | None) -> Container:
    if isinstance(container, Container):
        return container
    client = client or magic.current_client()
    if client is None:
        raise LabkitError(
            f"We looked for the container {container!r}",
            "no engine has been connected yet",
            "call labkit.connect() first, or pass the container object",
        )
    return client.containers.get(container)


def typed(client: docker.DockerClient, name: str, words: Sequence[str], environ: Mapping[str, str] = os.environ) -> str:
    """The line that the terminal gets. Its shell has the server's environment, so another engine is named."""
    where = magic.address(client)
    named = [] if environ.get("DOCKER_HOST", USUAL) == where else [where]
    if magic.stock_command():
        return shlex.join(["docker", *(f"--host={host}" for host in named), "exec", "-it", name, *words])
    own = [sys.executable, "-m", "labkit", "exec", *(f"--host={host}" for host in named), "-it", name, *words]
    return shlex.join(own)


def _with_code(line: str) -> str:
    text, _, command = line.partition(": ")
    return f"{escape(text)}: <code>{escape(command)}</code>"
