"""Every answer has the shape that Docker's description of its API gives it (shapes.json, made by shapes.py)."""

import json

import jsonschema
import pytest

from tests.contract import shapes
from tests.contract.differences import SENT_AS_NULL
from tests.contract.samples import samples

SHAPES = json.loads(shapes.FILE.read_text())


@pytest.fixture(scope="module")
def answers(client, image) -> dict[str, list]:
    return samples(client, image)


def test_every_answer_was_sampled(answers):
    assert answers.keys() == set(shapes.ANSWERS)
    assert all(answers.values())


@pytest.mark.parametrize("answer", shapes.ANSWERS)
def test_types(answers, answer):
    schema = SHAPES["answers"][answer] | {"definitions": SHAPES["definitions"]}
    validator = jsonschema.Draft7Validator(schema)
    wrong = [error for value in answers[answer] for error in validator.iter_errors(value)]
    told = [told_as(error) for error in wrong if not (error.instance is None and field_of(error) in SENT_AS_NULL)]
    assert not told, "\n".join(told)


def told_as(error: jsonschema.ValidationError) -> str:
    return f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"


def field_of(error: jsonschema.ValidationError) -> str:
    """The last named field on the way to the error."""
    return next((step for step in reversed(error.absolute_path) if isinstance(step, str)), "")


@pytest.mark.parametrize("answer", shapes.ANSWERS)
def test_fields_that_docker_always_gives(answers, answer):
    wanted = set(SHAPES["present"][answer])
    for value in answers[answer]:
        missing = wanted - shapes.known_fields(SHAPES, SHAPES["answers"][answer], value)
        assert not missing, sorted(missing)
