"""What every table of attempts must hold, for whatever lesson it is."""

import json
from collections.abc import Sequence
from pathlib import Path

from labkit.lessons.material import Material
from tests.lessons.conftest import Attempt


def assert_complete(material: Material, right: Sequence[Attempt], wrong: Sequence[Attempt]) -> None:
    """Each exercise has a right attempt, and three wrong ones with a message of their own."""
    for exercise in material.exercises:
        assert any(attempt.exercise == exercise.key for attempt in right), f"{exercise.key}: no solution"
        messages = {attempt.says for attempt in wrong if attempt.exercise == exercise.key}
        assert "" not in messages
        assert len(messages) >= 3, f"{exercise.key}: only {len(messages)} different messages"


def headings(material: Material) -> set[str]:
    """The headings of the lesson's notebook: what a message may send the learner back to."""
    path = next((Path(__file__).parents[2] / "notebooks").glob(f"{material.number}_*.ipynb"))
    cells = json.loads(path.read_text())["cells"]
    lines = "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "markdown").splitlines()
    return {line.removeprefix("## ") for line in lines if line.startswith("## ")}
