"""SIGKILL for each process that a lesson in a machine depends on: nothing is left, and one call is enough to go on."""

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from tests.microvm.conftest import gone_within, parent_of
from tests.microvm.test_guests import descendants, settings
from tests.microvm.test_idle import leaders

SECONDS = 120
pytestmark = pytest.mark.timeout(400)

CONNECT = "import labkit; client = labkit.connect(); image = labkit.base_image(client)"
RUN = "print(client.containers.run('labkit/base', ['echo', 'it', 'works'], remove=True).decode())"


class Notebook:
    """A kernel of Jupyter's, as a notebook has one."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.manager: KernelManager
        self.client: BlockingKernelClient
        self.open()

    def open(self) -> None:
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=self.environ)

    def run(self, cell: str) -> str:
        """What a cell prints, and the last line of its error if it ends with one."""
        said: list[str] = []

        def hear(message: dict) -> None:
            content = message["content"]
            said.extend(content[key] for key in ("text", "evalue") if key in content)

        self.client.execute_interactive(cell, timeout=SECONDS, output_hook=hear)
        return "".join(said)

    def pid(self) -> int:
        return int(self.run("import os; print(os.getpid())"))

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook(kind, guest_files, short_folder) -> Iterator[Notebook]:
    """A notebook whose learner has called connect()."""
    opened = Notebook(settings(kind, guest_files, short_folder))
    assert "in a small virtual machine" in opened.run(CONNECT)
    assert "it works" in opened.run(RUN)
    yield opened
    opened.close()


def launcher_of(place: Path) -> int:
    return int(json.loads((place / "state" / "engine.json").read_text())["pid"])


def guest_of(launcher: int) -> int:
    (leader,) = leaders(launcher)
    return leader


def keeper_of(launcher: int) -> int:
    return parent_of(guest_of(launcher))


VICTIMS: dict[str, Callable[[int], int]] = {"launcher": int, "guest": guest_of, "keeper": keeper_of}


@pytest.mark.parametrize("victim", VICTIMS)
def test_the_lesson_goes_on_after_one_call(notebook, victim, short_folder):
    launcher = launcher_of(short_folder)
    machine = [launcher, *descendants(launcher)]
    os.kill(VICTIMS[victim](launcher), signal.SIGKILL)
    assert gone_within(1, *machine)
    assert "it works" not in notebook.run(RUN), "the old client must say that it has lost its engine"
    assert "in a small virtual machine" in notebook.run(CONNECT)
    assert "it works" in notebook.run(RUN)
    assert launcher_of(short_folder) != launcher


def test_when_the_notebooks_kernel_is_killed_its_machine_goes_too(notebook, short_folder):
    launcher = launcher_of(short_folder)
    machine = [launcher, *descendants(launcher)]
    os.kill(notebook.pid(), signal.SIGKILL)
    assert gone_within(1, *machine)
    with contextlib.suppress(RuntimeError):
        notebook.close()
    notebook.open()
    notebook.run(CONNECT)
    assert "it works" in notebook.run(RUN)
