"""Restart policies: whether, and after how long."""

import pytest

from labkit.engine.containers import policy

CASES = [  # policy, exit code, restarts so far, stopped by somebody: is it started again?
    ("no", 1, 0, False, False),
    ("always", 0, 5, False, True),
    ("always", 1, 5, True, False),
    ("unless-stopped", 0, 0, False, True),
    ("on-failure", 0, 0, False, False),
    ("on-failure", 1, 99, False, True),
    ("on-failure:2", 1, 1, False, True),
    ("on-failure:2", 1, 2, False, False),
]


@pytest.mark.parametrize(("text", "code", "count", "stopped", "wanted"), CASES)
def test_restarts(text, code, count, stopped, wanted):
    name, _, most = text.partition(":")
    assert policy.restarts({"Name": name, "MaximumRetryCount": int(most or 0)}, code, count, stopped) is wanted


def test_the_delay_doubles_up_to_a_minute():
    delays, delay = [], 0.0
    for _ in range(12):
        delays.append(delay := policy.next_delay(delay, ran=0.01))
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == 60.0


def test_a_good_run_begins_anew():
    assert policy.next_delay(12.8, ran=10.0) == 0.1
