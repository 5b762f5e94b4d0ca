"""labkit.Child: it runs what it is sent, goes on in its own child, becomes a shell, and is gone at the end."""

import os
import subprocess
import sys
from pathlib import Path

import docker
import pytest

import labkit
from labkit import child, child_side
from labkit.child import Child, ChildError
from tests import engines
from tests.backends import backend_missing


@pytest.fixture
def process():
    """A child here, as root or in a user namespace."""
    try:
        made = Child()
    except ChildError as error:
        backend_missing("namespaces", str(error))
    yield made
    made.close()


def test_it_answers_like_a_cell(process):
    assert process.run("x = 6") == ""
    assert process.run("print('six')\nx * 7") == "six\n42\n"
    assert process.run("None") == ""
    assert process.run("1 / 0") == "ZeroDivisionError: division by zero\n"
    assert process.run("def f(:").startswith("SyntaxError: ")


def test_bytes_of_any_size_arrive(process):
    data = bytes(range(256)) * 4096
    process.give(data=data)
    assert process.run("len(data), sum(data)") == f"({len(data)}, {sum(data)})\n"


def test_a_namespace_is_its_own(process):
    before = os.uname().nodename
    assert (
        process.run("linux.unshare(linux.CLONE_NEWUTS)\nlinux.sethostname('x' + 'y')\nos.uname().nodename") == "'xy'\n"
    )
    assert os.uname().nodename == before


def test_it_goes_on_in_its_own_child_and_ends_with_it(process):
    first = int(process.run("os.getpid()"))
    process.run("linux.unshare(linux.CLONE_NEWPID)")
    assert process.run("pid = os.fork()\nif pid:\n    leave_to(pid)\nos.getpid()") == "1\n"
    process.close()
    assert not Path(f"/proc/{first}").exists()


def test_it_becomes_a_shell(process):
    assert process.run("os.execve('/bin/sh', ['sh'], {'PATH': '/bin'})") == ""
    assert repr(process) == "<Child: sh>"
    assert process.run("echo one; echo two >&2; exit_code=3") == "one\ntwo\n"
    assert process.run("echo $exit_code; printf unfinished") == "3\nunfinished"
    assert process.run("cat") == "", "it has nothing to read from"


def test_a_program_that_cannot_be_run_leaves_python_alone(process):
    assert process.run("os.execve('/no/such', ['x'], {})").startswith("FileNotFoundError")
    assert process.run("1 + 1") == "2\n"


def test_an_end_is_said(process):
    with pytest.raises(ChildError, match=r"has ended.*labkit\.Child"):
        process.run("os._exit(0)")
    with pytest.raises(ChildError):
        process.run("1")
    assert process.program == "ended"


def test_it_ends_with_its_notebook():
    """Even by SIGKILL: the pipe is closed by the kernel."""
    script = (
        "import labkit, sys, time; c = labkit.Child(); print(c.run('os.getpid()'), end='', flush=True); time.sleep(60)"
    )
    notebook = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert notebook.stdout is not None
    if not notebook.stdout.readline().startswith("Child: "):
        notebook.kill()
        backend_missing("namespaces", "see `labkit doctor`")
    pid = int(notebook.stdout.readline())
    fd = os.pidfd_open(pid)
    notebook.kill()
    notebook.wait()
    import select

    assert select.select([fd], [], [], 5)[0], "it is still there"
    os.close(fd)


def test_children_are_known(process):
    assert child.children()[-1] is process


def test_where_nothing_is_allowed_every_refusal_is_said(monkeypatch):
    def refuse(_client):
        raise OSError("not here")

    monkeypatch.setattr(child, "PLACES", (child.Place("a place", refuse), child.Place("another", refuse)))
    with pytest.raises(ChildError, match="a place: not here; another: not here"):
        Child()


def test_a_lent_place_needs_an_engine():
    with pytest.raises(OSError, match="no engine was named"):
        child._lent(None)


# --- the other places -----------------------------------------------------------------------------------------


def test_an_ordinary_user_is_root_in_a_user_namespace():
    account = engines.ordinary_account()
    script = (
        "import labkit; c = labkit.Child(); print(c.run('os.getuid()'), c.run('linux.unshare(linux.CLONE_NEWUTS)'))"
    )
    command = [*engines.as_account(account), engines.python(account), "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, env=engines.environment(account), cwd="/", timeout=60
    )
    assert done.stdout.split("\n")[:2] == ["Child: root in a user namespace on this machine.", "0"], done.stderr


def test_the_engine_lends_a_place(client: docker.DockerClient, engine, monkeypatch):
    """A container with the engine's whole machine below it: what the child does there, the machine's kernel does."""
    if engine.name == "rootless" and os.environ.get("LABKIT_TEST_PYTHON", sys.executable).startswith("/root"):
        backend_missing("rootless", "an interpreter that every user may run, in LABKIT_TEST_PYTHON")
    monkeypatch.setattr(child, "PLACES", child.PLACES[-1:])
    labkit.base_image(client)
    process = Child(client)
    try:
        assert process.run("linux.unshare(linux.CLONE_NEWUTS | linux.CLONE_NEWNS)\nos.getuid()") == "0\n"
        assert process.run("linux.mount('tmpfs', '/tmp', 'tmpfs')\nos.listdir('/tmp')") == "[]\n"
        assert (
            process.run("linux.unshare(linux.CLONE_NEWPID)\npid = os.fork()\nif pid: leave_to(pid)\nos.getpid()")
            == "1\n"
        )
        process.run("os.execve('/bin/sh', ['sh'], {'PATH': '/bin'})")
        assert process.run("echo $$") == "1\n"
    finally:
        process.close()
    names = [each.name for each in client.containers.list(all=True, ignore_removed=True)]
    assert child.LENT not in names


def test_frames_are_taken_apart():
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        for kind, data in ((1, b"out"), (2, b"error"), (1, b"put\n")):
            theirs.sendall(bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data)
        theirs.close()
        assert child.io.BufferedReader(child.Frames(ours)).read() == b"output\n"


def test_the_childs_side_shows_the_last_value_only():
    names = {"os": os}
    assert child_side.run_cell("1\n2", names) == "2\n"
    assert child_side.run_cell("", names) == ""
