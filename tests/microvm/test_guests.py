"""Real machines: the Docker SDK and the docker command reach an engine in each kind, and nothing is left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import docker
import pytest

from labkit.engine.containers.hostdevices import init_program
from labkit.images import base_image
from labkit.microvm.kinds import Kind
from tests.backends import backend_missing
from tests.contract.helpers import eventually
from tests.microvm.conftest import Launched, gone_within, launched

TOLERANCE = 0.05  # seconds, and less than any request takes
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def machine(kind: Kind, guest_files: Path) -> Iterator[Launched]:
    """One machine of each kind for all tests of this module."""
    with launched(kind, guest_files) as machine:
        yield machine


@pytest.fixture(scope="module")
def client(machine: Launched) -> Iterator[docker.DockerClient]:
    client = machine.client()
    base_image(client)
    yield client
    client.close()


def test_a_container_runs_in_a_kernel_of_its_own(client):
    inside = client.containers.run("labkit/base", ["uname", "-r"], remove=True).decode().strip()
    assert inside == client.version()["KernelVersion"]
    assert inside != os.uname().release


def test_the_machine_itself_has_a_shell(client):
    """Some lessons look at the engine's machine, as a learner with a machine of his own does."""
    look = ["busybox", "chroot", "/machine", "/bin/sh", "-c", "echo from the machine; exit 3"]
    below = {"/": {"bind": "/machine", "mode": "ro"}}
    container = client.containers.run("labkit/base", look, volumes=below, detach=True)
    try:
        assert container.wait()["StatusCode"] == 3
        assert container.logs() == b"from the machine\n"
    finally:
        container.remove()


def test_the_socket_is_for_its_owner_alone(machine):
    assert machine.socket.stat().st_mode & 0o777 == 0o600


def test_its_clock_is_ours(client):
    """Or `docker events --since` with our time would miss what has just happened."""
    before = time.time()
    container = client.containers.run("labkit/base", ["true"], detach=True)
    after = time.time()
    try:
        created = datetime.fromisoformat(container.attrs["Created"][:26] + "+00:00").timestamp()
        assert before - TOLERANCE < created < after + TOLERANCE
    finally:
        container.remove(force=True)


def test_an_init_program_can_be_asked_for(client):
    if init_program() is None:
        backend_missing("dockerd", "apt install tini")
    said = client.containers.run("labkit/base", ["cat", "/proc/1/comm"], init=True, remove=True)
    assert said != b"cat\n"


def test_limits_can_be_set(client):
    container = client.containers.run("labkit/base", ["cat", "/sys/fs/cgroup/pids.max"], pids_limit=33, detach=True)
    try:
        assert container.wait()["StatusCode"] == 0
        assert container.logs() == b"33\n"
    finally:
        container.remove()


def test_exec_with_input_ends_when_the_input_does(client):
    container = client.containers.run("labkit/base", ["sleep", "1000"], detach=True)
    try:
        made = client.api.exec_create(container.id, ["cat"], stdin=True)["Id"]
        stream = client.api.exec_start(made, socket=True)._sock
        stream.settimeout(30)
        stream.sendall(b"through the channel\n")
        stream.shutdown(socket.SHUT_WR)
        assert b"through the channel\n" in b"".join(iter(lambda: stream.recv(4096), b""))
        stream.close()
    finally:
        container.remove(force=True)


def test_some_megabytes_go_in_and_come_out_whole(client):
    container = client.containers.create("labkit/base", ["true"])
    image = client.images.get("labkit/base")
    try:
        first = b"".join(image.save())
        assert client.images.load(first)[0].id == image.id
        assert b"".join(image.save()) == first
    finally:
        container.remove()


def test_a_published_port_is_on_this_machines_loopback(client):
    serve = ["sh", "-c", "mkdir /www; echo from the guest >/www/index.html; exec httpd -f -p 80 -h /www"]
    container = client.containers.run("labkit/base", serve, ports={"80/tcp": None}, detach=True)
    try:
        container.reload()
        port = int(container.ports["80/tcp"][0]["HostPort"])
        assert b"from the guest" in fetch(port)
    finally:
        container.remove(force=True)
    eventually(lambda: not listening(port))  # the guest has to tell that it closed its socket


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def fetch(port: int, seconds: float = 15) -> bytes:
    """What a web server says, as soon as it answers."""
    deadline = time.monotonic() + seconds
    answer = b""
    while b"200" not in answer and time.monotonic() < deadline:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda sock=sock: sock.recv(4096), b""))
    return answer


def test_a_port_that_is_taken_here_is_refused(client):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        container = client.containers.create("labkit/base", ["sleep", "10"], ports={"80/tcp": ("127.0.0.1", port)})
        try:
            with pytest.raises(docker.errors.APIError, match=r"already (allocated|in use)"):
                container.start()
        finally:
            container.remove(force=True)


def test_when_the_launcher_is_killed_no_machine_is_left(kind, guest_files):
    with launched(kind, guest_files) as machine:
        pids = descendants(machine.process.pid)
        assert len(pids) >= 2
        machine.process.send_signal(signal.SIGKILL)
        assert gone_within(1, *pids)


def descendants(pid: int) -> list[int]:
    """The processes below one, however deep."""
    found = []
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(Path(f"/proc/{other}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += [int(other), *descendants(int(other))]
    return found


# --- as a learner meets it ---------------------------------------------------------------------------------------

CONNECT = """
import labkit
client = labkit.connect()
print(client.version()["KernelVersion"], flush=True)
input()
"""


def test_connect_holds_the_machine_as_long_as_it_lives(kind, guest_files, short_folder):
    environ = settings(kind, guest_files, short_folder)
    command = [sys.executable, "-c", CONNECT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as learner:
        assert learner.stdout is not None
        said = learner.stdout.readline()
        assert said.startswith("Engine: ")
        assert "in a small virtual machine" in said
        assert learner.stdout.readline().strip() != os.uname().release
        launcher = json.loads((short_folder / "state" / "engine.json").read_text())["pid"]
        pids = [launcher, *descendants(launcher)]
        learner.kill()
    assert gone_within(1, *pids)


def test_the_command_line_starts_tells_and_stops_it(kind, guest_files, short_folder):
    environ = settings(kind, guest_files, short_folder)
    started = labkit("engine", "start", "--in-vm", "--json", env=environ)
    assert started["machine"] == kind.name
    assert labkit("engine", "status", "--json", env=environ)["pid"] == started["pid"]
    assert labkit("engine", "stop", "--json", env=environ)["stopped"]
    assert gone_within(1, started["pid"])


def labkit(*words: str, env: dict[str, str]) -> dict:
    done = subprocess.run([sys.executable, "-m", "labkit", *words], capture_output=True, env=env, timeout=200)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def settings(kind: Kind, files: Path, place: Path) -> dict[str, str]:
    """The environment of somebody who wants the engine in a machine of this kind."""
    chosen = {"LABKIT_ENGINE": "vm", "LABKIT_VM_KIND": kind.name, "LABKIT_GUEST": str(files)}
    folders = {"LABKIT_STATE": f"{place}/state", "LABKIT_SOCKET": f"{place}/engine.sock"}
    return os.environ | chosen | folders
