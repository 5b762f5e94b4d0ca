"""The helper that stays outside: its sockets, its descriptors, its end."""

import contextlib
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.engine.networks.outside import Outside
from tests.contract.helpers import eventually
from tests.runtime import bundle


@pytest.fixture
def outside():
    made = Outside()
    yield made
    made.close()


def test_sockets_of_both_kinds(outside):
    with (
        outside.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        outside.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        tcp.bind(("127.0.0.1", 0))
        assert (tcp.type, udp.type) == (socket.SOCK_STREAM, socket.SOCK_DGRAM)


def test_nothing_else_can_be_had(outside):
    with pytest.raises(OSError) as refusal:
        outside.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    assert refusal.value.errno == errno.EINVAL


def descriptors(pid: int) -> list[str]:
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed just now
            found.append(os.readlink(fd))
    return sorted(found)


def test_it_keeps_nothing_of_the_engines(outside):
    outside.socket(socket.AF_INET, socket.SOCK_STREAM).close()  # now it is where it is to stay
    with open(__file__):  # one descriptor more, which it must not have
        opened = eventually(lambda: fds if len(fds := descriptors(outside.pid)) == 4 else None, 5)
    assert opened[:3] == ["/dev/null"] * 3


def test_its_sockets_are_outside_though_we_are_not():
    bundle.needs_root()
    script = (
        "import socket\n"
        "from labkit import linux\n"
        "from labkit.engine.networks.outside import Outside\n"
        "outside = Outside()\n"
        "linux.unshare(linux.CLONE_NEWNET)\n"  # here even loopback is down
        "sock = outside.socket(socket.AF_INET, socket.SOCK_STREAM)\n"
        "sock.bind(('127.0.0.1', 0)); sock.listen()\n"
        "print(sock.getsockname()[1], outside.pid, flush=True); input()\n"
    )
    engine = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port, helper = map(int, engine.stdout.readline().split())
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    engine.kill()  # with no chance to say goodbye
    engine.wait()
    engine.stdin.close()
    engine.stdout.close()
    assert eventually(lambda: not Path(f"/proc/{helper}").exists(), 5)
