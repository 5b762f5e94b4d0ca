"""The trial: a child that tries what a container's start is made of, and tells how far it came."""

import os
import subprocess
import tempfile

import pytest

from labkit import trial
from labkit.trial import Trial
from tests.engine.test_userns import ordinary_user_has_labkit, run


def test_an_ordinary_user_is_examined_in_a_user_namespace() -> None:
    if not ordinary_user_has_labkit():
        pytest.skip("an ordinary user can't run this Python: install Python and labkit where all users may read")
    with tempfile.TemporaryDirectory(prefix="lk-", dir="/tmp") as home:
        os.chmod(home, 0o777)
        found = Trial(**run(f"import os; os.environ['LABKIT_STATE'] = {home!r}; from labkit.trial import main; main()"))
        assert os.listdir(home) == []
    assert set(found.errors) == set(trial.TRIALS) or found.facts["mend"]
    assert found.facts["ids"] >= 1


def test_a_child_that_gives_no_answer_is_told_as_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(command: list[str], **options: object) -> None:
        raise subprocess.TimeoutExpired(command, trial.SECONDS)

    monkeypatch.setattr(trial.subprocess, "run", too_slow)
    found = trial.run_trial()
    assert not found.works("namespaces")
    assert "timed out after 30 seconds" in found.error("namespaces")


def test_a_step_that_was_not_reached_does_not_work() -> None:
    refused = Trial({"namespaces": "Operation not permitted"}, {})
    assert not refused.works("overlay")
    assert refused.error("overlay") == "not reached, because an earlier step failed"
