"""Every lesson passes strict nbval in the sandbox, through each kind of machine, with the outputs that are stored."""

from pathlib import Path

import nbformat
import pytest

from tests.binder import sandbox
from tests.notebooks.execute import CELL_SECONDS, SANITIZE, SEED, code_cells, extras, paths, read

NOTEBOOKS = [path.relative_to(paths()[0].parent) for path in [*paths(), *extras()]]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_the_stored_ones(docker_client, image, packages, machine, notebook):
    done = nbval(docker_client, packages, machine, f"/opt/labkit/notebooks/{notebook}")
    cells = len(code_cells(read(paths()[0].parent / notebook)))
    assert f"{cells} passed" in done.text, done.text
    assert done.status == 0, done.text


def test_a_tampered_output_is_noticed(docker_client, image, packages, tmp_path):
    """The canary: the harness really compares, in the sandbox too."""
    notebook = read(paths()[0])
    greeting = next(o for cell in code_cells(notebook) for o in cell.outputs if "Hello from a" in o.get("text", ""))
    greeting.text = greeting.text.replace("Hello", "Hullo")
    tampered = tmp_path / "tampered.ipynb"
    nbformat.write(notebook, tampered)
    place = "/notebooks/tampered.ipynb"
    done = nbval(docker_client, packages, "uml", place, {str(tampered): _read_only(place)})
    assert done.status == 1
    assert "Hullo" in done.text


def nbval(client, packages: Path, machine: str, notebook: str, volumes: dict | None = None) -> sandbox.Done:
    """Run a notebook of the image as its learner would, and compare."""
    command = ["python", "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-q"]
    command += ["--nbval-sanitize-with", "/sanitize.cfg", "--nbval-cell-timeout", str(CELL_SECONDS), notebook]
    seen = {str(packages): _read_only("/packages"), str(SANITIZE): _read_only("/sanitize.cfg"), **(volumes or {})}
    environment = {"PYTHONPATH": "/packages", "LABKIT_VM_KIND": machine, "LABKIT_SEED": SEED}
    return sandbox.run(client, command, 900, volumes=seen, environment=environment)


def _read_only(place: str) -> dict[str, str]:
    return {"bind": place, "mode": "ro"}
