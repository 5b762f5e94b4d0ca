"""Every answer has the shape that Docker's description of its API gives it (shapes.json, made by shapes.py).

The answers of the other tests are looked at too, as they come in (described.py); here it is one of each kind, with the
fields that the description leaves open and Docker always gives.
"""

import pytest

from tests.contract import shapes
from tests.contract.described import SHAPES, misfits
from tests.contract.samples import samples


@pytest.fixture(scope="module")
def answers(client, image) -> dict[str, list]:
    return samples(client, image)


def test_every_answer_was_sampled(answers):
    assert answers.keys() == set(shapes.SAMPLED)
    assert all(answers.values())


@pytest.mark.parametrize("answer", shapes.SAMPLED)
def test_types(answers, answer):
    wrong = [fault for value in answers[answer] for fault in misfits(answer, value)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("answer", shapes.SAMPLED)
def test_fields_that_docker_always_gives(answers, answer):
    wanted = set(SHAPES["present"][answer])
    for value in answers[answer]:
        missing = wanted - shapes.known_fields(SHAPES, SHAPES["answers"][answer], value)
        assert not missing, sorted(missing)
