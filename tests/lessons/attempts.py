"""What every table of attempts must hold, for whatever lesson it is."""

from collections.abc import Sequence

from labkit.lessons.material import Material
from tests.lessons.conftest import Attempt


def assert_complete(material: Material, right: Sequence[Attempt], wrong: Sequence[Attempt]) -> None:
    """Each exercise has a right attempt, and three wrong ones with a message of their own."""
    for exercise in material.exercises:
        assert any(attempt.exercise == exercise.key for attempt in right), f"{exercise.key}: no solution"
        messages = {attempt.says for attempt in wrong if attempt.exercise == exercise.key}
        assert "" not in messages
        assert len(messages) >= 3, f"{exercise.key}: only {len(messages)} different messages"
