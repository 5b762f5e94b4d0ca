"""Two learners on one machine, each with a rootless engine: neither reaches what is the other's.

Everything is tried as the neighbour, from outside and out of a container of their own; the control is that the owner
can. LABKIT_TEST_NEIGHBOUR names the second ordinary user, who needs no sub-ids.
"""

import contextlib
import os
import pwd
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from tests import busybox, engines
from tests.backends import backend_missing, not_for_this_engine
from tests.engines import Engine

IMAGE = "neighbours:latest"
FOREVER = ["sleep", "600"]
SECRET = "s3cret-of-ana"

pytestmark = pytest.mark.attack("A22")


@dataclass(frozen=True)
class Learner:
    """A user, their engine, and a client of it."""

    account: pwd.struct_passwd
    engine: Engine
    client: docker.DockerClient

    def tries(self, code: str) -> str:
        """What Python prints, errors too, when this user runs some code."""
        command = [*engines.as_account(self.account), "python3", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd="/")
        return (done.stdout + done.stderr).lower()

    def run(self, *words: str, **options: Any) -> str:
        """What a container of theirs prints."""
        return self.client.containers.run(IMAGE, list(words), remove=True, stderr=True, **options).decode()


def neighbour(first: pwd.struct_passwd) -> pwd.struct_passwd:
    """A second ordinary user, who can run labkit."""
    name = os.environ.get("LABKIT_TEST_NEIGHBOUR", "labkit-neighbour")
    how = f"make a second ordinary user (useradd {name}), or set LABKIT_TEST_NEIGHBOUR to one"
    try:
        second = pwd.getpwnam(name)
    except KeyError:
        backend_missing("neighbour", how)
    assert first.pw_uid != second.pw_uid
    return second


@pytest.fixture(scope="module")
def learners() -> Iterator[tuple[Learner, Learner]]:
    if os.geteuid() != 0:
        not_for_this_engine("only root can be two other users")
    first = engines.ordinary_account()
    with contextlib.ExitStack() as stack:
        yield learner(stack, first), learner(stack, neighbour(first))


def learner(stack: contextlib.ExitStack, account: pwd.struct_passwd) -> Learner:
    engine = stack.enter_context(engines.embedded(account))
    client = stack.enter_context(contextlib.closing(engine.client()))
    busybox.import_image(client, "neighbours", changes=['CMD ["sh"]'])
    return Learner(account, engine, client)


@pytest.fixture
def ana(learners: tuple[Learner, Learner]) -> Iterator[Learner]:
    yield learners[0]
    remove_all(learners[0])


@pytest.fixture
def ben(learners: tuple[Learner, Learner]) -> Iterator[Learner]:
    yield learners[1]
    remove_all(learners[1])


def remove_all(one: Learner) -> None:
    for container in one.client.containers.list(all=True, ignore_removed=True):
        container.remove(force=True, v=True)


@pytest.fixture
def container(ana: Learner):
    """A container of Ana's that has a secret in its environment and a web server on a published port."""
    command = ["sh", "-c", "echo hello >/tmp/index.html && exec httpd -f -p 80 -h /tmp"]
    options = {"environment": {"SECRET": SECRET}, "ports": {"80/tcp": ("127.0.0.1", None)}, "name": "web"}
    made = ana.client.containers.run(IMAGE, command, detach=True, **options)
    made.reload()
    return made


def processes(one: Learner, container) -> dict[str, int]:
    found = {"api": engines.api_pid(one.engine), "shim": engines.shim_pid(one.engine.state)}
    found["container"] = container.attrs["State"]["Pid"]
    return {name: pid for name, pid in found.items() if pid}


def port(container) -> int:
    return int(container.ports["80/tcp"][0]["HostPort"])


# --- from outside ------------------------------------------------------------------------------------------------


def test_both_have_a_container_of_one_name(ana, ben, container):
    theirs = ben.client.containers.run(IMAGE, FOREVER, detach=True, name=container.name)
    assert [c.id for c in ana.client.containers.list()] == [container.id]
    assert [c.id for c in ben.client.containers.list()] == [theirs.id]


@pytest.mark.parametrize("name", ["engine.sock", "shim.sock"])
def test_the_sockets(ana, ben, name):
    path, kind = {
        "engine.sock": (ana.engine.address.removeprefix("unix://"), "SOCK_STREAM"),
        "shim.sock": (f"{ana.engine.state}/shim.sock", "SOCK_SEQPACKET"),
    }[name]
    code = f"import socket; socket.socket(socket.AF_UNIX, socket.{kind}).connect({path!r}); print('in')"
    assert "permission denied" in ben.tries(code)
    if name == "engine.sock":  # a newcomer at the shim's would be taken for the engine
        assert ana.tries(code) == "in\n", "the control"


def test_the_state(ana, ben):
    for code in (f"import os; os.listdir({str(ana.engine.state)!r})", f"open('{ana.engine.state}/engine.json').read()"):
        assert "permission denied" in ben.tries(code)
        assert "permission denied" not in ana.tries(code), "the control"


@pytest.mark.parametrize("file", ["environ", "mem", "maps", "fd", "root/", "cwd/", "ns/net"])
def test_the_processes_files(ana, ben, container, file):
    for name, pid in processes(ana, container).items():
        look = "listdir" if file in ("fd", "root/", "cwd/") else "readlink" if file.startswith("ns") else "open"
        call = {"listdir": "os.listdir(p)", "readlink": "os.readlink(p)", "open": "os.read(os.open(p, 0), 1)"}[look]
        assert "permission denied" in ben.tries(f"import os; p = '/proc/{pid}/{file}'; {call}; print('in')"), name


def test_the_secret_is_there_to_be_read(ana, container):
    """The control, with root's eyes: that is where somebody who could look would find it."""
    pid = container.attrs["State"]["Pid"]
    assert SECRET.encode() in Path(f"/proc/{pid}/environ").read_bytes()


def test_the_processes_take_no_signal(ana, ben, container):
    for pid in processes(ana, container).values():
        assert "not permitted" in ben.tries(f"import os; os.kill({pid}, 0)")
        assert "not permitted" in ben.tries(f"import os, signal; signal.pidfd_send_signal(os.pidfd_open({pid}), 9)")
    assert container.exec_run("echo well").output == b"well\n"


def test_the_way_into_the_namespaces(ana, ben, container):
    pid = container.attrs["State"]["Pid"]
    enter = ["nsenter", "--target", str(pid), "--user", "--mount", "true"]
    done = subprocess.run([*engines.as_account(ben.account), *enter], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "denied" in done.stderr.lower()


# --- a published port ----------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_stays_its_owners(ana, ben, container):
    """Anybody on the machine may connect to it; nobody else may have it, or end who serves it."""
    options = {"ports": {"80/tcp": ("127.0.0.1", port(container))}, "detach": True}
    with pytest.raises(docker.errors.APIError, match=r"(?i)already (in use|allocated)"):
        ben.client.containers.run(IMAGE, FOREVER, **options)
    with urllib.request.urlopen(f"http://127.0.0.1:{port(container)}/", timeout=10) as answer:
        assert answer.read() == b"hello\n"
    owner = listener_uid(port(container))
    assert owner == ana.account.pw_uid


def listener_uid(number: int) -> int:
    """Who owns the socket that listens on a port of 127.0.0.1: proc_pid_net(5), tcp."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return next(int(row[7]) for row in rows if row[1] == f"0100007F:{number:04X}" and row[3] == "0A")


def test_a_container_does_not_see_the_others_port(ana, ben, container):
    """127.0.0.1 is each container's own, and the engines' networks do not meet."""
    address = container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    for target in (f"127.0.0.1 {port(container)}", f"{address} 80"):
        assert "hello" not in ben.run("sh", "-c", asks(target))
    assert "hello" in ana.run("sh", "-c", asks(f"{address} 80")), "the control"


def asks(target: str) -> str:
    """A script that asks a web server for its first page. (The wget of a static busybox is not reliable.)"""
    return rf"printf 'GET / HTTP/1.0\r\n\r\n' | timeout 2 nc {target} 2>&1; true"


# --- out of a container --------------------------------------------------------------------------------------------


def test_root_in_a_container_is_only_its_user(ana, ben, container):
    """Whoever has an engine may mount any folder; what is in it they see as the user that they are."""
    place = ana.engine.state.parent
    place.chmod(0o755)
    listing = ["sh", "-c", "ls /other/state; ls -d /other; cat /host/etc/shadow; true"]
    said = ben.run(*listing, volumes={str(place): {"bind": "/other"}, "/": {"bind": "/host"}})
    assert said.lower().count("permission denied") == 2 and "/other\n" in said
    assert "containers" in ana.run(*listing, volumes={str(place): {"bind": "/other"}}), "the control"


def test_clean_of_one_leaves_the_other_alone(ana, ben, container):
    from labkit import clean
    from labkit.rootfs import LABELS

    for one in (ana, ben):
        one.client.containers.run(IMAGE, FOREVER, detach=True, labels=LABELS, name="lesson")
    assert [(one.name, one.kept) for one in clean.clean(ben.client)] == [("lesson", "")]
    assert ana.client.containers.get("lesson").status == "running"


def test_the_end_of_one_engine_is_not_that_of_the_other(ana, ben, container):
    with engines.embedded(ben.account) as short:
        assert engines.listener(Path(short.address.removeprefix("unix://")), socket.SOCK_STREAM)
    assert ben.client.ping()
    assert container.exec_run("echo well").output == b"well\n"
