"""Output to a log and to readers, input back: with pipes in place of a process."""

import os
import socket
from contextlib import suppress

import pytest

from labkit.engine.shim.loop import Loop
from labkit.engine.shim.streams import HIGH_WATER, Reader, Streams

BOTH = frozenset({1, 2})


class Stage:
    """Streams with the ends that a process would hold."""

    def __init__(self, *, raw: bool = False, stdin_once: bool = True) -> None:
        self.loop = Loop()
        self.drained = 0
        self.streams = Streams(self.loop, raw=raw, log=None, stdin_once=stdin_once, drained=self._end)
        out, self.stdout = os.pipe()
        err, self.stderr = os.pipe()
        self.input, self.streams.stdin = os.pipe()
        os.set_blocking(self.streams.stdin, False)
        self.streams.add_source(out, 1)
        self.streams.add_source(err, 2)

    def _end(self) -> None:
        self.drained += 1
        self.streams.finish()
        self.streams.release()

    def reader(self, *, stdin: bool = False, streams: frozenset[int] = BOTH) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.settimeout(2)
        self.streams.attach(Reader(theirs, stdin, streams))
        return ours

    def turn(self, seconds: float = 0.05) -> None:
        """Let the loop run for a moment."""
        self.loop.running = True
        self.loop.later(seconds, lambda: setattr(self.loop, "running", False))
        self.loop.run()

    def close_output(self) -> None:
        os.close(self.stdout)
        os.close(self.stderr)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_each_read_becomes_one_frame(stage):
    reader = stage.reader()
    os.write(stage.stdout, b"hello\n")
    stage.turn()
    os.write(stage.stderr, b"oh")
    stage.turn()
    assert reader.recv(100) == b"\x01\0\0\0\0\0\0\x06hello\n\x02\0\0\0\0\0\0\x02oh"


def test_a_reader_gets_the_streams_it_asked_for(stage):
    reader = stage.reader(streams=frozenset({2}))
    os.write(stage.stdout, b"not this")
    os.write(stage.stderr, b"this")
    stage.turn()
    assert reader.recv(100)[8:] == b"this"


def test_a_terminals_bytes_have_no_frames():
    stage = Stage(raw=True)
    reader = stage.reader()
    os.write(stage.stdout, b"$ ")
    stage.turn()
    assert reader.recv(100) == b"$ "


def test_the_end_of_output_lets_readers_go(stage):
    reader = stage.reader()
    os.write(stage.stdout, b"last")
    stage.close_output()
    stage.turn()
    assert reader.recv(100)[8:] == b"last"
    assert reader.recv(100) == b""
    assert stage.drained == 1


def test_half_close_ends_the_input_and_not_the_output(stage):
    reader = stage.reader(stdin=True)
    reader.sendall(b"question")
    reader.shutdown(socket.SHUT_WR)
    stage.turn()
    assert os.read(stage.input, 100) == b"question"
    assert os.read(stage.input, 100) == b"", "stdin has been closed"
    os.write(stage.stdout, b"answer")
    stage.turn()
    assert reader.recv(100)[8:] == b"answer"


def test_a_reader_that_vanishes_does_not_end_the_input(stage):
    reader = stage.reader(stdin=True)
    reader.sendall(b"half a sen")
    reader.close()
    stage.turn()
    assert os.read(stage.input, 100) == b"half a sen"
    assert stage.streams.stdin is not None
    assert stage.streams.readers == []


def test_input_larger_than_a_pipe_arrives_whole(stage):
    reader = stage.reader(stdin=True)
    sent = os.urandom(300_000)
    received = b""
    reader.setblocking(False)
    at = 0
    for _ in range(500):
        if at < len(sent):
            with suppress(BlockingIOError):
                at += reader.send(sent[at : at + 50_000])
        stage.turn(0.005)
        os.set_blocking(stage.input, False)
        with suppress(BlockingIOError):
            received += os.read(stage.input, 65536)
        if len(received) == len(sent):
            break
    assert received == sent


def test_a_slow_reader_makes_the_process_wait_and_loses_nothing(stage):
    reader = stage.reader()
    os.set_blocking(stage.stdout, False)
    written = 0
    for _ in range(400):
        try:
            written += os.write(stage.stdout, b"x" * 32768)
        except BlockingIOError:
            stage.turn(0.01)
            if max(len(r.waiting) for r in stage.streams.readers) > HIGH_WATER:
                break
    with pytest.raises(BlockingIOError):
        while True:
            written += os.write(stage.stdout, b"x" * 4096)
    stage.close_output()
    payload = 0
    reader.setblocking(False)
    buffer = b""
    for _ in range(2000):
        stage.turn(0.002)
        try:
            data = reader.recv(1 << 20)
        except BlockingIOError:
            continue
        if not data:
            break
        buffer += data
    while buffer:
        size = int.from_bytes(buffer[4:8], "big")
        payload += size
        buffer = buffer[8 + size :]
    assert payload == written
