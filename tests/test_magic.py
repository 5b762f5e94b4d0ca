"""`%docker`: which command runs, on which engine, and that no shell reads the line."""

import os
import signal
import threading
import time

import docker
import pytest
from IPython.core.interactiveshell import InteractiveShell

import labkit
from labkit import magic

IMAGE = "labkit/base"


@pytest.fixture
def shell():
    """An IPython of this process, as a kernel holds one."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


@pytest.fixture(params=["stock", "sdk"])
def command(request, monkeypatch):
    """Once with the stock command, once with what stands in for it."""
    magic.stock_command.cache_clear()
    monkeypatch.setenv("LABKIT_DOCKER", "sdk" if request.param == "sdk" else "")
    if request.param == "stock" and magic.stock_command() is None:
        pytest.skip("docker-cli is missing: install the docker command")
    yield request.param
    magic.stock_command.cache_clear()


def said_by(client, line):
    said = []
    status = magic.run(client, line, said.append)
    return "".join(said), status


# --- on an engine ----------------------------------------------------------------------------------


def test_it_speaks_to_the_engine_of_the_client(command, client, sleeper, monkeypatch):
    """Whatever DOCKER_HOST says."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    line = "ps --filter name=labkit-test-sleeper --format '{{.Names}} {{.State}}'"
    assert said_by(client, line) == ("labkit-test-sleeper running\n", 0)


def test_quotes_make_words_as_in_a_shell_and_nothing_else_happens(command, client, sleeper):
    said, status = said_by(client, 'exec labkit-test-sleeper echo "a  b" $HOME `id` *')
    assert (said, status) == ("a  b $HOME `id` *\n", 0)


def test_diff_is_sorted(command, client, sleeper):
    sleeper.exec_run(["sh", "-c", "touch /zebra /ant /tmp/x; rm /etc/motd"])
    said, _ = said_by(client, "diff labkit-test-sleeper")
    paths = [line[2:] for line in said.splitlines()]
    assert paths == sorted(paths)
    assert {"/zebra", "/ant", "/etc/motd"} <= set(paths)
    assert said_by(client, "container diff labkit-test-sleeper")[0] == said


def test_a_failed_command_says_what_the_engine_said(command, client):
    said, status = said_by(client, "diff labkit-test-no-such")
    assert "No such container: labkit-test-no-such" in said
    assert status == 1


def test_a_command_that_wants_a_terminal_is_told_where_one_is(command, client, sleeper):
    said, status = said_by(client, "exec -it labkit-test-sleeper sh")
    assert "not a TTY" in said
    assert "labkit.terminal(container)" in said
    assert status == 1


@pytest.fixture
def interruptible():
    """SIGINT as a notebook's kernel takes it, also where the tests were started as a shell's background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_a_command_that_does_not_end(command, client, sleeper, interruptible):
    """As the square button of a notebook does it: SIGINT, which Python raises as KeyboardInterrupt."""
    me = threading.get_ident()
    threading.Timer(1.0, signal.pthread_kill, [me, signal.SIGINT]).start()
    began = time.monotonic()
    assert said_by(client, "logs --follow labkit-test-sleeper")[1] == 130
    assert time.monotonic() - began < 10


def test_in_ipython(shell, client, sleeper, capsys):
    magic.register(client)
    shell.run_line_magic("docker", "inspect -f {{.State.Status}} labkit-test-sleeper")
    assert capsys.readouterr().out == "running\n"
    assert shell.user_ns["_exit_code"] == 0
    assert magic.current_client() is client


def test_connecting_registers_it(shell, engine):
    client = labkit.connect(engine.address)
    assert "docker" in shell.magics_manager.magics["line"]
    assert magic.current_client() is client
    client.close()


# --- without an engine -----------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["ps | grep x", "ps > file", "ps && true", "ps ; true"])
def test_a_shells_signs_are_refused(line):
    said, status = said_by(None, line)
    assert "without a shell" in said
    assert status == 2


def test_a_lonely_quote_is_no_traceback():
    said, status = said_by(None, "run 'x")
    assert "No closing quotation" in said
    assert status == 2


def test_loading_twice_is_the_same_as_once(shell):
    labkit.load_ipython_extension(shell)
    first = shell.magics_manager.registry["DockerMagics"]
    shell.run_line_magic("load_ext", "labkit")
    assert shell.magics_manager.registry["DockerMagics"] is first


def test_outside_of_ipython_it_does_nothing():
    magic.register(None)
    assert magic.current_client() is None


@pytest.mark.parametrize(
    ("says", "taken"), [("Docker version 28.2.2, build e6534b4", True), ("podman version 5", False)]
)
def test_podmans_imitation_is_not_taken_for_docker(says, taken, tmp_path, monkeypatch):
    """It would ask Podman's own storage, and not the engine of the lesson."""
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("LABKIT_DOCKER", raising=False)
    magic.stock_command.cache_clear()
    assert (magic.stock_command() == str(program)) is taken
    magic.stock_command.cache_clear()


@pytest.mark.parametrize("given", ["unix:///run/x/docker.sock", "tcp://127.0.0.1:2375"])
def test_the_address_of_a_client_is_what_docker_host_takes(given):
    assert magic.address(docker.DockerClient(given, version="1.41")) == given
