"""A20 to A22: who may speak to the engine, and what may be said."""

import contextlib
import os
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests import engines
from tests.backends import not_for_this_engine
from tests.contract import test_system as system

# --- A20 ---------------------------------------------------------------------------------------------------------

NAMES = ["..", "../../etc", "a%2fb", "%00", "-x", "a b", "a%0ab", "%2e%2e", "."]
IDS = ["..%2f..%2fetc%2fpasswd", "%2e%2e", "%00", "-a", "a" * 300, "..%2f..%2f..%2fengine.json"]
DOORS = ["containers/{}/json", "images/{}/json", "exec/{}/json", "networks/{}", "volumes/{}"]


@pytest.mark.attack("A20")
@pytest.mark.parametrize("name", NAMES)
def test_a20_no_name_is_a_path(client, image, name):
    answer = system.post(client, f"/containers/create?name={name.replace(' ', '%20')}", json={"Image": image})
    assert answer.status_code == 400 and answer.json()["message"]


@pytest.mark.attack("A20")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", IDS)
def test_a20_no_id_is_a_path(client, door, name):
    answer = system.get(client, "/" + door.format(name))
    assert answer.status_code in (301, 400, 404)


@pytest.mark.attack("A20")
def test_a20_an_honest_name_is_taken(client, image):
    made = client.containers.create(image, name=f"a.b-c_{os.getpid()}")
    assert client.containers.get(made.name).id == made.id


# --- A21 ---------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A21")
@pytest.mark.parametrize("body", system.BAD_BODIES.values(), ids=system.BAD_BODIES)
def test_a21_a_bad_body_is_a_mistake_of_the_client(client, engine, body):
    system.test_a_bad_body_is_refused_with_a_message(client, engine, body)


@pytest.mark.attack("A21")
def test_a21_a_form_of_a_web_page_is_refused(client, engine):
    system.test_a_body_that_is_not_called_json_is_refused(client, engine)


@pytest.mark.attack("A21")
def test_a21_an_endless_body(client, engine):
    system.test_an_endless_body_is_refused(client, engine)


FOREIGN = {
    "another host": {"Host": "evil.example"},
    "rebound name": {"Host": "attacker.com:2375"},
    "a page": {"Origin": "http://evil.example"},
    "a fetch": {"Sec-Fetch-Site": "cross-site"},
}


@pytest.mark.attack("A21")
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_a21_a_web_page_is_not_served(client, headers, weaker):
    weaker("dockerd", "Docker looks at neither Host nor Origin: it trusts that a browser can't open its socket")
    assert status(client, headers) == 403


@pytest.mark.attack("A21")
@pytest.mark.parametrize(
    "host", ["localhost", "docker", "api.moby.localhost", "%2Fvar%2Frun%2Fdocker.sock", "127.0.0.1"]
)
def test_a21_dockers_clients_are(client, host):
    """The control: what they call the host of a unix socket."""
    assert status(client, {"Host": host}) == 200


def status(client, headers: dict[str, str]) -> int:
    return client.api.get(f"{client.api.base_url}/_ping", headers=headers, timeout=10).status_code


@pytest.mark.attack("A21")
def test_a21_a_slow_client_keeps_nobody_waiting(client, engine, image):
    address = engine.address.removeprefix("unix://")
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            slow = stack.enter_context(socket.socket(socket.AF_UNIX))
            slow.connect(address)
            slow.sendall(b"POST /containers/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{")
        began = time.monotonic()
        assert client.containers.run(image, ["echo", "served"], remove=True) == b"served\n"
        assert time.monotonic() - began < 5


# --- A22 ---------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A22")
def test_a22_socket_and_state_are_the_owners(engine):
    if engine.state is None:
        not_for_this_engine("dockerd's socket is of mode 0660, for its group; its state is not ours to look at")
    assert stat.S_IMODE(os.stat(engine.address.removeprefix("unix://")).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(engine.state).st_mode) == 0o700
    for path in (engine.state / "run", engine.state / "overlay", engine.state / "containers", engine.state / "blobs"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def stranger() -> int:
    """The number of a user who is neither the engine's nor root."""
    return 65534


@pytest.mark.attack("A22")
def test_a22_another_user_can_read_nothing(client, image, engine):
    if engine.state is None or os.geteuid() != 0:
        not_for_this_engine("needs root, to become another user, and an engine of ours")
    container = client.containers.run(image, ["sleep", "600"], detach=True, environment={"SECRET": "s3cret"})
    container.reload()
    pid = container.attrs["State"]["Pid"]
    targets = [engine.address.removeprefix("unix://"), f"{engine.state}/shim.sock"]
    for path in targets:
        assert "denied" in as_stranger(f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})")
    for path in (f"{engine.state}/engine.json", f"/proc/{pid}/environ", f"/proc/{engines.api_pid(engine)}/environ"):
        assert "denied" in as_stranger(f"open({path!r}, 'rb').read(1)")
    assert "denied" in as_stranger(f"import os; os.listdir('/proc/{pid}/root')")
    assert as_stranger("print(open('/etc/hostname').read())") and Path("/etc/hostname").exists(), "the control"


def as_stranger(code: str) -> str:
    command = ["setpriv", f"--reuid={stranger()}", f"--regid={stranger()}", "--clear-groups", "python3", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd="/")
    return (done.stdout + done.stderr).lower()


@pytest.mark.attack("A22")
def test_a22_the_owner_can(client):
    """The control."""
    assert client.ping()
