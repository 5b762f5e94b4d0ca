"""Run the notebooks and store their outputs: `make notebooks`, or `python -m tests.notebooks.execute [NOTEBOOK...]`.

The stored file is the same after each run on any engine: sorted keys, no times, no widget state. An output that
differs from the stored one only in what a rule of sanitize.cfg covers keeps its stored text, so that a git diff shows
what has really changed. Left out: the comparison itself, which is nbval's task (test_nbval.py).
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent.parent / "notebooks"
SANITIZE = HERE / "sanitize.cfg"
CELL_SECONDS = 120
SEED = "course"  # what is drawn for a learner is drawn with this seed in all stored outputs (labkit/lessons/draw.py)
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"  # names a model that lives only as long as its kernel

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

Notebook = Any  # nbformat's NotebookNode: a dict whose keys are attributes too


def paths() -> list[Path]:
    """All lessons, in order."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def extras() -> list[Path]:
    """Notebooks that are no lessons: the gallery of pictures."""
    return sorted((NOTEBOOKS / "extra").glob("*.ipynb"))


def read(path: Path) -> Notebook:
    """A notebook, checked against the format's schema."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook: Notebook) -> list[Notebook]:
    """The cells that run, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def sanitize_rules() -> list[tuple[str, str]]:
    """The (pattern, replacement) pairs of sanitize.cfg, read as nbval reads them."""
    return re.findall(r"^regex: (.*)$\n^replace: (.*)$", SANITIZE.read_text(), flags=re.MULTILINE)


def sanitized(value: Any) -> Any:
    """An output (or any part of one) with each text in it as nbval compares it. It never compares a drawn image."""
    if isinstance(value, dict):
        return {key: sanitized(inner) for key, inner in value.items() if key != "image/png"}
    if isinstance(value, list):
        return [sanitized(inner) for inner in value]
    if isinstance(value, str):
        for pattern, replacement in sanitize_rules():
            value = re.sub(pattern, replacement, value)
    return value


@contextmanager
def a_new_learner() -> Iterator[None]:
    """For a while, XDG_DATA_HOME is an empty folder, so nobody's progress is read or written; words come from SEED."""
    with tempfile.TemporaryDirectory(prefix="labkit-learner-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", folder)
        patch.setenv("LABKIT_SEED", SEED)
        yield


def execute(path: Path) -> Notebook:
    """Run all cells in a fresh kernel, and return the notebook in the form that is stored."""
    notebook, stored = read(path), read(path)
    with a_new_learner():
        NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", coalesce_streams=True).execute()
    for cell, old in zip(code_cells(notebook), code_cells(stored), strict=True):
        cell.outputs = [_tidy(output) for output in cell.outputs]
        if sanitized(cell.outputs) == sanitized(old.outputs):
            cell.outputs = old.outputs
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata.tags} if cell.metadata.get("tags") else {}
    notebook.metadata = METADATA
    return notebook


def _tidy(output: Notebook) -> Notebook:
    output.get("data", {}).pop(WIDGET_VIEW, None)
    if "metadata" in output:
        output.metadata = {}
    return output


def as_text(notebook: Notebook) -> str:
    """The notebook's file, always written in the same way. (nbformat splits texts into lines, for readable diffs.)"""
    text = nbformat.writes(notebook, version=4)  # type: ignore[no-untyped-call]
    return json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> None:
    """Execute and store the notebooks that are named, or all."""
    for path in [Path(argument) for argument in arguments] or [*paths(), *extras()]:
        path.write_text(as_text(execute(path)), "utf-8")
        print(f"{path.name}: executed and stored")


if __name__ == "__main__":
    main(sys.argv[1:])
