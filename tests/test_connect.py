"""Which engine a lesson gets: the order of the places, what is said about the choice, and errors that help."""

import importlib
import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from labkit import connect as labkit_connect
from labkit.connect import EMBEDDED, IN_VM, candidates, check_address, engine_name, find, reason
from labkit.errors import BadAddress, EngineNotStarted, EngineUnreachable, LabkitError, NoEngine
from tests.backends import backend_missing

PODMAN = {"Name": "Podman Engine", "Version": "5.2.0"}


class FakeEngine(BaseHTTPRequestHandler):
    """Answers every request as GET /version does; the SDK asks nothing else when it connects."""

    def do_GET(self) -> None:
        body = json.dumps({"ApiVersion": "1.41", "Version": "5.2.0", "Components": [PODMAN]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "a unix socket"  # where http.server expects a host and a port

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a unix socket's path may have 107 bytes at most (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="lk-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def podman_socket(folder: Path) -> Iterator[Path]:
    """A socket where Podman would have it for a user whose $XDG_RUNTIME_DIR is `folder`."""
    path = folder / "podman" / "podman.sock"
    path.parent.mkdir()
    with socketserver.ThreadingUnixStreamServer(str(path), FakeEngine) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield path
        server.shutdown()


def addresses(environ: dict[str, str], uid: int = 1000) -> list[str]:
    return [candidate.address for candidate in candidates(environ, uid)]


# --- the order ---------------------------------------------------------------------------------------------------


def test_sockets_come_before_the_embedded_engine() -> None:
    found = addresses({"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/me"})
    assert found[0] == "unix:///var/run/docker.sock"
    assert found[1] == "unix:///run/user/7/docker.sock"
    assert found[-2:] == ["unix:///run/user/7/podman/podman.sock", EMBEDDED]


def test_without_a_runtime_folder_the_usual_one_is_searched() -> None:
    assert "unix:///run/user/1234/podman/podman.sock" in addresses({}, uid=1234)


def test_root_finds_the_podman_of_the_system() -> None:
    system_socket = "unix:///run/podman/podman.sock"
    assert system_socket in addresses({}, uid=0)
    assert system_socket not in addresses({}, uid=1000)


def test_docker_host_leaves_no_second_choice() -> None:
    (only,) = candidates({"DOCKER_HOST": "tcp://box:2375"}, 1000)
    assert only.address == "tcp://box:2375"
    assert only.named
    assert "DOCKER_HOST" in only.why


@pytest.mark.parametrize("environ", [{}, {"DOCKER_HOST": "tcp://box:2375"}])
def test_labkit_engine_forces_the_embedded_one(environ: dict[str, str]) -> None:
    assert addresses({**environ, "LABKIT_ENGINE": "embedded"}) == [EMBEDDED]
    assert addresses({**environ, "LABKIT_ENGINE": "vm"}) == [IN_VM]


def test_labkit_engine_docker_never_starts_ours() -> None:
    assert EMBEDDED not in addresses({"LABKIT_ENGINE": "docker"})


def test_labkit_engine_with_an_unknown_word_is_an_error() -> None:
    with pytest.raises(BadAddress, match="LABKIT_ENGINE is 'dokcer'"):
        candidates({"LABKIT_ENGINE": "dokcer"}, 1000)


# --- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["unix:///run/docker.sock", "tcp://127.0.0.1:2375", "ssh://me@box"])
def test_addresses_that_the_sdk_can_open(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize("address", ["", "docker.sock", "/var/run/docker.sock", "unix://", "tcp://", "gopher://x"])
def test_what_is_no_address_is_said_with_an_example(address: str) -> None:
    with pytest.raises(BadAddress, match=r"What to do: write it as `unix:///path"):
        check_address(address)


# --- finding -----------------------------------------------------------------------------------------------------


def test_an_address_given_wins_over_the_environment(podman_socket: Path) -> None:
    found = find(f"unix://{podman_socket}", {"DOCKER_HOST": "tcp://nowhere:1"})
    assert found.text == f"Podman Engine 5.2.0 at unix://{podman_socket} (the address that was given)."


def test_docker_host_is_opened(podman_socket: Path) -> None:
    found = find(None, {"DOCKER_HOST": f"unix://{podman_socket}"})
    assert found.client.version()["Version"] == "5.2.0"
    assert "(DOCKER_HOST names it)" in found.text


def test_docker_host_that_does_not_answer_is_an_error_and_not_a_detour(folder: Path) -> None:
    with pytest.raises(EngineUnreachable) as caught:
        find(None, {"DOCKER_HOST": f"unix://{folder}/none.sock"})
    assert "The system said: No such file or directory." in str(caught.value)
    assert "unset DOCKER_HOST" in caught.value.do


def only_podman(monkeypatch: pytest.MonkeyPatch, folder: Path, dead: Path) -> None:
    """As on a machine where Docker's socket is a dead file and the user's Podman may answer."""
    places = [(str(dead), "Docker's usual socket"), (f"{folder}/podman/podman.sock", "Podman's socket")]
    module = importlib.import_module("labkit.connect")
    monkeypatch.setattr(module, "_sockets", lambda environ, uid: places)


def test_a_dead_socket_is_passed_over(podman_socket: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = folder / "docker.sock"
    dead.touch()
    only_podman(monkeypatch, folder, dead)
    assert find(None, {}).candidate.address == f"unix://{podman_socket}"


def test_without_any_engine_every_refusal_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = folder / "docker.sock"
    dead.touch()
    only_podman(monkeypatch, folder, dead)
    with pytest.raises(NoEngine, match=r"docker\.sock: Connection refused"):
        find(None, {"LABKIT_ENGINE": "docker"})


def test_connect_prints_one_line(podman_socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labkit_connect(f"unix://{podman_socket}").close()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Engine: Podman Engine 5.2.0 at ")


def test_connect_prints_nothing_when_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadAddress):
        labkit_connect("nonsense")
    assert capsys.readouterr().out == ""


def test_the_embedded_engine_is_started_and_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from labkit.engine import control

    monkeypatch.setenv("LABKIT_ENGINE", "embedded")
    monkeypatch.setenv("LABKIT_STATE", str(folder / "state"))
    monkeypatch.setenv("LABKIT_SOCKET", str(folder / "engine.sock"))
    try:
        client = labkit_connect()
    except EngineNotStarted as error:
        backend_missing("embedded", str(error))
    try:
        assert client.ping()
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith("Engine: ")
        assert line.endswith(f"labkit's embedded engine at unix://{folder}/engine.sock (LABKIT_ENGINE asks for it).")
    finally:
        client.close()
        if running := control.find():
            control.stop(running)
        control.stop_shim()


# --- words -------------------------------------------------------------------------------------------------------


def test_engines_are_called_by_their_names() -> None:
    assert engine_name({"Components": [{"Name": "Engine", "Version": "27.1"}]}) == "Docker 27.1"
    assert engine_name({"Components": [PODMAN]}) == "Podman Engine 5.2.0"
    assert engine_name({"Version": "1"}) == "an engine 1"


def test_the_systems_own_words_are_dug_out() -> None:
    inner = PermissionError(13, "Permission denied")
    assert reason(RuntimeError("wrapped", ConnectionError("again", inner))) == "Permission denied"
    assert reason(RuntimeError("no system error inside")) == "no system error inside"


def test_an_error_says_what_was_tried_what_was_said_and_what_to_do() -> None:
    error = LabkitError("We tried this", "no such thing", "try that")
    assert str(error) == "We tried this. The system said: no such thing. What to do: try that."


def test_the_module_can_be_called_like_the_function() -> None:
    """Importing the module puts it where the function was, as `labkit.connect`: both must work."""
    with pytest.raises(BadAddress):
        importlib.import_module("labkit.connect")("nonsense")
    with pytest.raises(BadAddress):
        labkit_connect("nonsense")
