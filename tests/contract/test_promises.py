"""The promises by which lesson 19 judges a learner's page of Python are kept by every engine."""

import pytest

from labkit.lessons.promises import PROMISES, broken, judge, of_engine
from labkit.lessons.slips import SLIPS


@pytest.fixture(scope="module")
def run(client):
    import labkit

    labkit.base_image(client)
    return of_engine(client)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.key)
def test_the_engine_keeps(promise, run):
    for command in promise.commands:
        output, code = run(command)
    assert promise.kept(output, code, "box"), (output, code)
    assert promise.slip in SLIPS


def test_what_keeps_nothing_is_found_out(capsys):
    assert broken(lambda command: ("", -1)) == [one for one in PROMISES if one.key != "powers"]
    judge(lambda command: ("", -1))
    assert "1 of 10 promises are kept." in capsys.readouterr().out
