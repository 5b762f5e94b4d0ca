"""A child process in which a lesson makes raw system calls, one cell at a time: `%%child`.

A notebook's kernel can't do it itself. It has threads, and unshare(2) refuses some namespaces to such a process; and
what it gave away it would miss. So here is a small process with a single thread. It runs the Python that it is sent,
answers with what was printed, and goes on in its own child after fork(2). When it has become a shell, by execve(2),
it is sent lines for that.

It needs to be root somewhere. `PLACES` says where: as root, it is root here; an ordinary user is root in a user
namespace of its own; and where that is forbidden, the engine lends a container that may mount, and sees its
whole machine. What runs in the child is labkit/child_side.py. Left out: a second child at the same time under
`%%child`; the last one made is it.
"""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from docker.errors import DockerException

from labkit import rootfs
from labkit.child_side import ANSWER
from labkit.connect import reason
from labkit.errors import LabkitError
from labkit.microvm import rootdisk

SHELL = "labkit: a shell answers"  # a line that only a shell says, when it is sent after each message
DONE = "labkit: done"


class ChildError(LabkitError):
    """There is no place here in which a process may make namespaces, or the child has ended."""


Talk = tuple[IO[bytes], IO[bytes], Callable[[], None]]  # what it reads, what it writes, and how to end it


@dataclass(frozen=True)
class Place:
    """Somewhere where a child can be root: what it is called, and how to start it there."""

    name: str
    start: Callable[[Any], Talk]
    """Given the engine's client. Raises OSError with what stands in the way."""


def _here(*arguments: str) -> Talk:
    if not hasattr(os, "pidfd_open"):
        raise OSError("this is no Linux machine")
    command = [sys.executable, "-m", "labkit.child_side", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    pipe = subprocess.PIPE
    child = subprocess.Popen(  # a session of its own: an interrupt is for the notebook
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
    )
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    if child.stdout.readline() != b"ready\n":
        said = child.stderr.read().decode(errors="replace").strip().splitlines()
        child.wait()
        raise OSError(said[-1] if said else "it ended at once")

    def end() -> None:
        for stream in (child.stdin, child.stdout, child.stderr):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    return child.stdin, child.stdout, end


def _as_root(_client: Any) -> Talk:
    if os.geteuid() != 0:
        raise OSError("we are not root")
    return _here()


# The first Python that starts in the engine's machine becomes the child: ours, where that is this machine or shares its
# files with us; else the one that the engine's own virtual machine has.
LEND = r"""
while [ $# -gt 0 ]; do
    chroot /machine env PYTHONPATH="$2" "$1" -c "import labkit" 2>/dev/null &&
        exec chroot /machine env PYTHONPATH="$2" "$1" -m labkit.child_side
    shift 2
done
echo "there is no Python with labkit in the engine's machine" >&2
"""


LENT = "labkit-child"


def _lent(client: Any) -> Talk:
    """A container of the engine that may mount, with the whole of the engine's machine below /machine."""
    if client is None:
        raise OSError("no engine was named: labkit.Child(client)")
    pythons = [sys.executable, str(Path(__file__).parent.parent), rootdisk.interpreter(), rootdisk.LIBRARY]
    container = None

    def end() -> None:
        if container is not None:
            with contextlib.suppress(DockerException):
                container.remove(force=True)

    try:
        for old in client.containers.list(all=True, filters={"name": f"^/?{LENT}$"}):
            old.remove(force=True)
        container = client.containers.create(
            rootfs.TAG, ["sh", "-c", LEND, "sh", *pythons], stdin_open=True, cap_add=["SYS_ADMIN"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"], network_mode="none",
            volumes={"/": {"bind": "/machine", "mode": "rw"}}, labels=rootfs.LABELS, name=LENT,
        )  # fmt: skip
        stream = client.api.attach_socket(container.id, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        container.start()
    except (DockerException, OSError) as error:
        end()
        raise OSError(f"the engine said: {reason(error)}") from error
    output = io.BufferedReader(Frames(stream._sock))
    if output.readline() != b"ready\n":
        end()
        raise OSError("the engine's machine has no Python that could be the child")
    return stream._sock.makefile("wb"), output, end


class Frames(io.RawIOBase):
    """What a container writes to its standard output, out of an attached stream (Engine API, "ContainerAttach")."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._left = connection, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            header = self._exactly(8)
            if len(header) < 8:
                return 0
            kind, size = header[0], int.from_bytes(header[4:], "big")
            if kind == 1:
                self._left = size
            else:
                self._exactly(size)
        count = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        return count

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (more := self._connection.recv(count - len(data))):
            data += more
        return data


PLACES: tuple[Place, ...] = (
    Place("root on this machine", _as_root),
    Place("root in a user namespace on this machine", lambda _client: _here("--user-namespace")),
    Place("root on the engine's machine, in a container that may mount", _lent),
)


class Child:
    """A process with a single thread that may make namespaces. `%%child` sends it the rest of a cell."""

    def __init__(self, client: Any = None) -> None:
        """`client` is the engine's, for where this machine itself forbids namespaces. Raises ChildError."""
        self.program = "python"  # and "sh", when it has become that
        self.place, (self._input, self._output, self._end) = _find(client)
        print(f"Child: {self.place}.")
        _children.append(self)
        _register()

    def run(self, code: str) -> str:
        """Run Python in it, or, when it has become a shell, a line of shell; return what was printed.

        Raises ChildError when it has ended.
        """
        return self._ask_shell(code) if self.program == "sh" else self._ask(code)

    def give(self, **values: bytes) -> None:
        """Give it bytes under a name."""
        self._ask("", values)

    def close(self) -> None:
        """End it, and all that it has started in its pid namespace."""
        self._end()
        self.program = "ended"

    def __repr__(self) -> str:
        return f"<Child: {self.program}>"

    def _ask(self, code: str, values: dict[str, bytes] | None = None) -> str:
        message = json.dumps({"code": code, "values": {k: v.hex() for k, v in (values or {}).items()}}).encode()
        self._send(b"%d\n" % len(message) + message + b"echo '%s'\n" % SHELL.encode())
        first = self._output.read(1)
        if first == ANSWER:
            return str(json.loads(self._output.read(int(self._output.readline()))))
        line = (first + self._output.readline()).decode(errors="replace")
        if line.strip() != SHELL:
            raise self._ended(line)
        self.program = "sh"
        return ""

    def _ask_shell(self, code: str) -> str:
        empty = f"<<'{DONE}'\n{DONE}\n"  # an empty input, which needs no /dev/null
        self._send(f"{{ {code}\n}} 2>&1 {empty}echo '{DONE}'\n".encode())
        lines = []
        while line := self._output.readline().decode(errors="replace"):
            head, mark, _ = line.partition(DONE)
            lines.append(head)
            if mark:
                return "".join(lines)
        raise self._ended("".join(lines))

    def _send(self, data: bytes) -> None:
        try:
            self._input.write(data)
            self._input.flush()
        except (OSError, ValueError) as error:
            raise self._ended(str(error)) from error

    def _ended(self, said: str) -> ChildError:
        self.close()
        return ChildError("We spoke to the child process", f"it has ended: {said.strip() or 'no last words'}", AGAIN)


AGAIN = "make a new one with labkit.Child(client), and run the cells from there again"
_children: list[Child] = []


def children() -> list[Child]:
    """Every child that this Python has made, the last one last; ended ones too."""
    return list(_children)


def _find(client: Any) -> tuple[str, Talk]:
    refusals = []
    for place in PLACES:
        try:
            return place.name, place.start(client)
        except OSError as error:
            refusals.append(f"{place.name}: {error.strerror or error}")
    raise ChildError(
        "We looked for a place where a process may make namespaces",
        "; ".join(refusals),
        "run this notebook on a Linux machine where you may; here, read on: what is stored below the cells is real",
    )


def _register() -> None:
    """Make `%%child` known, in a notebook."""
    if "IPython" not in sys.modules:
        return
    from IPython.core.getipython import get_ipython

    if shell := get_ipython():
        shell.register_magic_function(_magic, "cell", "child")  # type: ignore[arg-type]  # its stub wants a method


def _magic(_line: str, cell: str) -> None:
    """Send the cell to the child, and print what it prints."""
    if not _children:
        raise ChildError("There is no child process yet", do="make one with labkit.Child(client)")
    print(_children[-1].run(cell), end="")
