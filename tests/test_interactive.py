"""`labkit exec` in a terminal, key by key, and without one."""

import contextlib
import os
import subprocess
import sys
import time

import pytest

from labkit.interactive import FRAME, STDERR, STDOUT, Frames
from tests.contract.test_docker_cli import Terminal

SECONDS = 30


@pytest.fixture
def command(engine):
    return [sys.executable, "-m", "labkit", "exec", f"--host={engine.address}"]


@pytest.fixture
def terminal(command, sleeper):
    """`labkit exec -it` at a terminal of 31 rows and 97 columns; ended after the test."""
    with contextlib.closing(Terminal([*command, "-it", sleeper.name, "sh"], {**os.environ, "TERM": "xterm"})) as opened:
        opened.read_until("# ")
        yield opened


def test_keys_go_in_and_answers_come_out(terminal):
    terminal.type("echo $((6*7)) $(hostname | wc -c)\n")
    terminal.read_until("42 13\r\n")
    terminal.type("exit 7\n")
    assert terminal.end() == 7


def test_the_terminal_inside_has_the_size_of_ours(terminal):
    """At once, and after a change."""
    assert any(size_inside(terminal) == "31 97" for _ in range(5))
    terminal.resize(20, 60)
    assert any(size_inside(terminal) == "20 60" for _ in range(5))


def size_inside(terminal):
    time.sleep(0.3)
    terminal.type("echo $(stty size) en''d\n")
    return terminal.read_until(" end\r\n").splitlines()[-1]


def test_ctrl_c_reaches_the_process_inside_and_not_us(terminal):
    terminal.type("sleep 600\n")
    time.sleep(0.5)
    terminal.type("\x03")
    terminal.read_until("# ")
    terminal.type("exit 5\n")
    assert terminal.end() == 5


def run(command, *words, given=b""):
    done = subprocess.run([*command, *words], input=given, capture_output=True, timeout=SECONDS)
    return done.stdout.decode(), done.stderr.decode(), done.returncode


def test_without_a_terminal_the_two_streams_stay_apart(command, sleeper):
    assert run(command, sleeper.name, "sh", "-c", "echo out; echo err >&2; exit 4") == ("out\n", "err\n", 4)


def test_what_is_piped_in_is_read_to_its_end(command, sleeper):
    text = "line\n" * 20_000
    assert run(command, "-i", sleeper.name, "cat", given=text.encode()) == (text, "", 0)


def test_a_terminal_is_refused_where_there_is_none(command, sleeper):
    out, err, status = run(command, "-it", sleeper.name, "sh")
    assert (out, status) == ("", 1)
    assert "not a TTY" in " ".join(err.split())


def test_a_container_that_is_not_there(command, client):
    out, err, status = run(command, "labkit-test-no-such", "true")
    assert (out, status) == ("", 1)
    assert "No such container" in " ".join(err.split())


def test_frames_are_put_together_from_pieces():
    stream = FRAME.pack(STDOUT, 5) + b"hello" + FRAME.pack(STDERR, 0) + FRAME.pack(STDERR, 3) + b"err"
    frames = Frames()
    found = [frame for byte in stream for frame in frames.feed(bytes([byte]))]
    assert found == [(STDOUT, b"hello"), (STDERR, b""), (STDERR, b"err")]
