"""The stock docker command: scripts with the same transcript on every engine; and a terminal, key by key.

The transcripts to compare with, docker_cli*.txt, were written by dockerd. To write them anew:
LABKIT_WRITE_TRANSCRIPT=1 pytest tests/contract/test_docker_cli.py -k dockerd
"""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests import backends
from tests.contract.conftest import LABELS, MINE, SESSION
from tests.contract.helpers import OBEDIENT, unique
from tests.contract.transcript import normalized

SCRIPTS = sorted(Path(__file__).parent.glob("docker_cli*.sh"))
SCRIPT_SECONDS = 110


@pytest.fixture(scope="module")
def docker_command() -> str:
    return backends.docker_command()


@pytest.fixture
def environment(engine, docker_command, tmp_path):
    """Only what the docker command needs: where the engine is, and a home without settings."""
    return {
        "DOCKER_HOST": engine.address,
        "DOCKER_CONFIG": str(tmp_path / "config"),
        "DOCKER_CLI_HINTS": "false",
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "TERM": "xterm",
        "TZ": "UTC",
    }


@pytest.fixture
def networks_and_volumes_go(client, tidy):
    """Remove the script's networks and volumes, after its containers, however far it came."""
    yield
    for found in client.api.containers(all=True, filters=MINE):
        client.api.remove_container(found["Id"], force=True, v=True)
    for made in (*client.networks.list(filters=MINE), *client.volumes.list(filters=MINE)):
        made.remove()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_transcript(script, environment, image, tmp_path, networks_and_volumes_go):
    prefix = unique()
    session = f"labkit.session={SESSION}"
    in_image = " ".join(f"{key}={value}" for key, value in LABELS.items())
    ours = {"IMAGE": image, "P": prefix, "WORK": str(tmp_path), "LABEL": f"label={session}"}
    ours |= {"OURS": session, "LABEL_IN_IMAGE": in_image}
    said = subprocess.run(
        ["bash", str(script)], env=environment | ours, capture_output=True, text=True, timeout=SCRIPT_SECONDS
    )
    names = {image: "IMAGE", prefix: "lk", SESSION: "SESSION", str(tmp_path): "WORK"}
    transcript = normalized(said.stdout + said.stderr, names)
    golden = script.with_suffix(".txt")
    if os.environ.get("LABKIT_WRITE_TRANSCRIPT"):
        golden.write_text(transcript)
    assert transcript.splitlines() == golden.read_text().splitlines()


# --- a terminal --------------------------------------------------------------------------------------------------


class Terminal:
    """A program at a terminal of our own (pty(7)): we type, and read what it shows."""

    def __init__(self, command: list[str], environment: dict[str, str], rows: int = 31, columns: int = 97) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        self.screen = ""

    def type(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def read_until(self, wanted: str, seconds: float = 20) -> str:
        """What was shown since the last call, up to `wanted`."""
        deadline = time.monotonic() + seconds
        while wanted not in self.screen:
            ready, _, _ = select.select([self.ours], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{wanted!r} was not shown in {seconds} s; the screen: {self.screen!r}"
            try:
                self.screen += os.read(self.ours, 4096).decode(errors="replace")
            except OSError as hung_up:  # EIO: the other side was closed
                raise AssertionError(f"ended before {wanted!r}; the screen: {self.screen!r}") from hung_up
        shown, self.screen = self.screen.split(wanted, 1)
        return shown

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def end(self, seconds: float = 20) -> int:
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.ours)


@pytest.fixture
def terminal(environment):
    with contextlib.ExitStack() as stack:

        def open_terminal(*command: str) -> Terminal:
            return stack.enter_context(contextlib.closing(Terminal(["docker", *command], environment)))

        yield open_terminal


def test_run_it(terminal, image):
    shell = terminal("run", "--rm", "-it", image, "sh")
    shell.read_until("# ")
    shell.type("echo $((6*7)) $(id -un)\n")
    shell.read_until("42 root\r\n")
    shell.read_until("# ")
    shell.type("stty size\n")
    shell.read_until("31 97\r\n")
    shell.type("exit 7\n")
    assert shell.end() == 7


def test_a_resized_terminal(terminal, image):
    shell = terminal("run", "--rm", "-it", image, "sh")
    shell.read_until("# ")
    assert any(seen_size(shell, columns) == f"20 {columns}" for columns in range(60, 66))
    shell.type("exit\n")
    assert shell.end() == 0


def seen_size(shell: Terminal, columns: int) -> str:
    """The size that the shell sees after a resize. The command tells the engine in its own time, so ask again."""
    shell.resize(20, columns)
    time.sleep(0.5)
    shell.type("echo $(stty size) en''d\n")
    return shell.read_until(" end\r\n").splitlines()[-1]


def test_ctrl_c(terminal, image):
    shell = terminal("run", "--rm", "-it", image, "sh")
    shell.read_until("# ")
    shell.type("sleep 600\n")
    time.sleep(0.3)
    shell.type("\x03")
    shell.read_until("# ")
    shell.type("exit 5\n")
    assert shell.end() == 5


def test_ctrl_d_ends_the_shell(terminal, image):
    shell = terminal("run", "--rm", "-it", image, "sh")
    shell.read_until("# ")
    shell.type("\x04")
    assert shell.end() == 0


def test_exec_it(terminal, client, image):
    container = client.containers.run(image, OBEDIENT, detach=True)
    shell = terminal("exec", "-it", container.id, "sh")
    shell.read_until("# ")
    shell.type("hostname; stty size\n")
    shell.read_until(f"{container.id[:12]}\r\n31 97\r\n")
    shell.type("exit 3\n")
    assert shell.end() == 3


def test_leaving_without_ending(terminal, client, image):
    name = unique()
    shell = terminal("run", "-it", "--name", name, image, "sh")
    shell.read_until("# ")
    shell.type("\x10\x11")  # ctrl-p, ctrl-q
    assert shell.end() == 0
    assert client.containers.get(name).status == "running"
    again = terminal("attach", name)
    again.type("echo back\n")
    again.read_until("back\r\n")
    again.type("exit\n")
    assert again.end() == 0
