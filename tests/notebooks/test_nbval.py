"""Every lesson runs on every engine here, and its outputs are the stored ones."""

import re
import shutil

import nbformat
import pytest

from labkit.engine.containers import hostdevices
from labkit.microvm import qemu
from tests.backends import backend_missing
from tests.notebooks.execute import code_cells, extras, paths, read
from tests.notebooks.nbval_run import RUN_SECONDS, nbval

pytestmark = pytest.mark.timeout(RUN_SECONDS + 30)


EVERY = [*paths(), *extras()]


def left_over(client) -> list[str]:
    """What lessons have made and not removed: by name, as another test may be at work on the same engine."""
    containers = [container.name or "" for container in client.containers.list(all=True, ignore_removed=True)]
    tags = [tag for entry in client.api.images() for tag in entry["RepoTags"] or ()]
    others = [one.name or "" for collection in (client.networks, client.volumes) for one in collection.list()]
    return [name for name in containers + tags + others if re.match(r"lab\d\d|gallery-", name)]


def needs_a_machine(path) -> bool:
    """Whether a lesson boots a virtual machine."""
    return any("labkit.VM(" in cell.source for cell in code_cells(read(path)))


def needs_an_init(path) -> bool:
    """Whether a lesson asks for `docker run --init`: an engine of ours takes that program from the machine."""
    return any("init=True" in cell.source for cell in code_cells(read(path)))


def assert_as_stored(path, engine, client, data_home, docker="") -> None:
    """Each cell's output is the stored one, and nothing is left behind."""
    if needs_a_machine(path) and shutil.which(qemu.program()) is None:
        backend_missing("qemu", "apt install qemu-system-x86")
    if needs_an_init(path) and engine.name != "dockerd" and not hostdevices.init_program():
        backend_missing("init", "apt install tini")
    report = nbval(path, engine.address, data_home, docker)
    assert (report.passed, report.failed) == (len(code_cells(read(path))), 0), report.text
    assert left_over(client) == []


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_twice_in_a_row(path, engine, client, tmp_path):
    """Each notebook alone, from top to bottom; the second time with what stands in for a docker command."""
    for docker in ("", "sdk"):
        assert_as_stored(path, engine, client, tmp_path, docker)


@pytest.mark.parametrize("engine", ["rootless", "dockerd"], indirect=True)
@pytest.mark.parametrize("path", EVERY[::-1], ids=lambda path: path.stem)
def test_in_reverse_order(path, engine, client, tmp_path):
    """No lesson needs what an earlier one has left on an engine."""
    assert_as_stored(path, engine, client, tmp_path)


@pytest.fixture
def small_notebook(tmp_path):
    """A copy of lesson 00 with its first cells only, so that the canary is quick."""
    notebook = read(next(path for path in paths() if path.stem == "00_start_here"))
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"][:4]
    notebook.cells = cells
    path = tmp_path / "canary.ipynb"
    nbformat.write(notebook, path)
    return path


def test_the_canary_lives(small_notebook, engine, client, tmp_path):
    """Untouched, it passes."""
    report = nbval(small_notebook, engine.address, tmp_path)
    assert (report.passed, report.failed) == (4, 0), report.text


def test_the_canary_sings(small_notebook, engine, client, tmp_path):
    """With one stored output tampered with, it fails: the harness really compares."""
    notebook = nbformat.read(small_notebook, as_version=4)
    output = notebook.cells[3].outputs[0]
    assert "Hello from a container" in output.text
    output.text = output.text.replace("Hello", "Hullo")
    tampered = shutil.copy(small_notebook, tmp_path / "tampered.ipynb")
    nbformat.write(notebook, tampered)
    report = nbval(tampered, engine.address, tmp_path)
    assert (report.passed, report.failed) == (3, 1), report.text
    assert "Hullo" in report.text
