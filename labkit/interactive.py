"""`labkit exec`: one more process in a container, with this terminal as its own, over the Docker SDK.

With -t the container's side has a terminal (pty(7)); ours is then set to raw, so that each key goes straight there,
Ctrl-C too. Without -t the output comes in Docker's frames, which say stdout or stderr. Docker API: POST
/containers/{id}/exec and /exec/{id}/start. Left out: leaving with Ctrl-P Ctrl-Q.
"""

import contextlib
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from typing import Any

from docker import DockerClient
from docker.errors import APIError

from labkit.errors import LabkitError

FRAME = struct.Struct(">BxxxL")  # which stream, how many bytes
STDIN, STDOUT, STDERR = 0, 1, 2
CHUNK = 65536


def run(client: DockerClient, container: str, command: Sequence[str], *, stdin: bool, terminal: bool) -> int:
    """Run a command in a container until it ends; return its exit status.

    Raises LabkitError when a terminal is asked for and there is none.
    """
    if terminal and stdin and not os.isatty(STDIN):
        raise LabkitError(
            f"We wanted to give {container} this terminal",
            "the input device is not a TTY",
            "leave out -t, or use a terminal",
        )
    made: str = client.api.exec_create(container, list(command), stdin=stdin, tty=terminal)["Id"]
    answer: Any = client.api.exec_start(made, tty=terminal, socket=True)
    connection: socket.socket = getattr(answer, "_sock", answer)
    with raw_keyboard(terminal and stdin), same_size(client, made, terminal):
        copy(connection, stdin, terminal)
    return int(client.api.exec_inspect(made)["ExitCode"] or 0)


def copy(connection: socket.socket, stdin: bool, terminal: bool) -> None:
    """Carry bytes both ways until the process has closed its output."""
    frames = Frames()
    with selectors.DefaultSelector() as waiting:
        waiting.register(connection, selectors.EVENT_READ)
        if stdin:
            waiting.register(STDIN, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj == STDIN:
                    keys = os.read(STDIN, CHUNK)
                    if keys:
                        connection.sendall(keys)
                    else:  # the end of our input is the end of its input
                        waiting.unregister(STDIN)
                        connection.shutdown(socket.SHUT_WR)
                    continue
                received = connection.recv(CHUNK)
                if not received:
                    return
                for stream, text in [(STDOUT, received)] if terminal else frames.feed(received):
                    write(stream, text)


class Frames:
    """Docker's frames, put together from pieces as they arrive. Docker API: "Attach to a container", stream format."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are complete now: (stream, bytes)."""
        self._rest += piece
        while len(self._rest) >= FRAME.size:
            stream, length = FRAME.unpack_from(self._rest)
            end = FRAME.size + length
            if len(self._rest) < end:
                return
            yield stream, self._rest[FRAME.size : end]
            self._rest = self._rest[end:]


def write(stream: int, text: bytes) -> None:
    """Write all of it: a terminal may take less than it is given."""
    while text:
        text = text[os.write(STDERR if stream == STDERR else STDOUT, text) :]


@contextlib.contextmanager
def raw_keyboard(wanted: bool) -> Iterator[None]:
    """Keys come one by one and mean nothing to us (cfmakeraw, termios(3)); as before at the end."""
    if not wanted:
        yield
        return
    before = termios.tcgetattr(STDIN)
    tty.setraw(STDIN)
    try:
        yield
    finally:
        termios.tcsetattr(STDIN, termios.TCSADRAIN, before)


@contextlib.contextmanager
def same_size(client: DockerClient, exec_id: str, wanted: bool) -> Iterator[None]:
    """The terminal inside has the size of ours, also when ours changes (SIGWINCH, signal(7))."""

    def resize(*_: object) -> None:
        columns, rows = shutil.get_terminal_size()
        with contextlib.suppress(APIError):  # it has ended meanwhile
            client.api.exec_resize(exec_id, height=rows, width=columns)

    if not wanted or not sys.stdout.isatty():
        yield
        return
    resize()
    before = signal.signal(signal.SIGWINCH, resize)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
