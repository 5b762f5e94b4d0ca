"""Published ports: the request for one, and the listener that it opens."""

import errno
import socket

import pytest

from labkit.microvm.ports import open_listener


def test_a_free_port_is_opened_on_loopback_only():
    with open_listener("4 0\n") as listener:
        address, port = listener.getsockname()
        assert address == "127.0.0.1"
        assert port > 0


def test_a_port_that_is_taken_is_refused_with_the_systems_own_error():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError) as refused:
        open_listener(f"4 {taken.getsockname()[1]}\n")
    assert refused.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("line", ["", "4", "4 -1", "4 65536", "7 80", "4 80 80", "4 ²"])
def test_what_is_no_request_is_refused(line):
    with pytest.raises(OSError) as refused:
        open_listener(line)
    assert refused.value.errno == errno.EINVAL
