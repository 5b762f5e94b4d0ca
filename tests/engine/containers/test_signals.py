"""Signals as `docker kill` takes them."""

import pytest

from labkit.engine.containers.signals import signal_number
from labkit.engine.errors import BadParameter, ServerError


@pytest.mark.parametrize("text", ["KILL", "SIGKILL", "sigkill", "9"])
def test_signals_by_name_and_number(text):
    assert signal_number(text) == 9


@pytest.mark.parametrize("text", ["FOO", "0", "-1", ""])
def test_signals_that_do_not_exist(text):
    with pytest.raises(BadParameter, match="Invalid signal"):
        signal_number(text)


def test_a_number_that_is_too_high():
    with pytest.raises(ServerError, match="does not support signal 99"):
        signal_number("99")
