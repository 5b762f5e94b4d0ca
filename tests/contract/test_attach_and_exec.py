"""Talking to a process: attach to the main one, exec another, with and without a terminal."""

import hashlib
import time

import docker
import pytest
from docker.utils.socket import demux_adaptor, frames_iter

from tests.contract.differences import expected
from tests.contract.helpers import OBEDIENT, eventually, output, read_frames, read_until

ALL = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}


# --- attach ------------------------------------------------------------------------------------------------------


def test_attach_carries_stdin_and_its_end(client, image):
    """The half-close of our side is the end of file for `cat`; what it still prints arrives nevertheless."""
    container = client.containers.create(image, ["sh", "-c", "cat; echo done >&2"], stdin_open=True)
    sock = container.attach_socket(params=ALL)
    container.start()
    sock._sock.sendall(b"one\ntwo\n")
    sock._sock.shutdown(1)
    assert read_frames(sock) == {1: b"one\ntwo\n", 2: b"done\n"}
    assert container.wait(timeout=10)["StatusCode"] == 0
    sock.close()


def test_attach_splits_the_streams(client, image):
    container = client.containers.create(image, ["sh", "-c", "echo out; echo err >&2"])
    sock = container.attach_socket(params=ALL | {"stdin": 0})
    container.start()
    assert read_frames(sock) == {1: b"out\n", 2: b"err\n"}
    sock.close()


def test_attach_to_one_stream(client, image):
    container = client.containers.create(image, ["sh", "-c", "echo out; echo err >&2"])
    sock = container.attach_socket(params={"stderr": 1, "stream": 1})
    container.start()
    assert read_frames(sock) == {2: b"err\n"}
    sock.close()


def test_attach_can_begin_with_the_past(client, image):
    container = client.containers.run(image, ["sh", "-c", "echo before; sleep 600"], detach=True)
    eventually(lambda: output(container) == "before\n")
    url = f"{client.api.base_url}/containers/{container.id}/attach"
    answer = client.api.post(url, params={"logs": 1, "stdout": 1, "stderr": 1}, stream=True, timeout=10)
    assert answer.status_code == 200  # without `Upgrade: tcp` in the request it is not 101
    assert answer.raw.read() == b"\x01\0\0\0\0\0\0\x07before\n"


def test_two_attached_see_the_same(client, image):
    container = client.containers.create(image, ["echo", "hello"])
    socks = [container.attach_socket(params=ALL | {"stdin": 0}) for _ in range(2)]
    container.start()
    assert [read_frames(sock) for sock in socks] == [{1: b"hello\n"}] * 2
    for sock in socks:
        sock.close()


def test_what_was_attached_is_also_logged(client, image):
    container = client.containers.create(image, ["cat"], stdin_open=True)
    sock = container.attach_socket(params=ALL)
    container.start()
    sock._sock.sendall(b"kept\n")
    sock._sock.shutdown(1)
    container.wait(timeout=10)
    assert output(container) == "kept\n"
    sock.close()


def test_many_bytes_pass_whole(client, image):
    container = client.containers.create(image, ["md5sum"], stdin_open=True)
    sock = container.attach_socket(params=ALL)
    container.start()
    sock._sock.settimeout(30)
    data = bytes(range(256)) * 12_000
    sock._sock.sendall(data)
    sock._sock.shutdown(1)
    assert read_frames(sock)[1].decode().split()[0] == hashlib.md5(data).hexdigest()
    sock.close()


# --- a terminal --------------------------------------------------------------------------------------------------


def test_a_terminal(client, image):
    container = client.containers.create(
        image, ["sh", "-c", "tty; read word; echo you typed $word"], tty=True, stdin_open=True
    )
    sock = container.attach_socket(params=ALL)
    container.start()
    assert b"/dev/pts/0" in read_until(sock, b"\r\n") or b"/dev/console" in output(container).encode()
    sock._sock.sendall(b"hello\n")
    assert b"you typed hello" in read_until(sock, b"you typed hello\r\n")
    sock.close()


def test_ctrl_c_interrupts(client, image):
    container = client.containers.create(
        image, ["sh", "-c", "trap 'exit 5' INT; echo ready; sleep 600 & wait"], tty=True, stdin_open=True
    )
    sock = container.attach_socket(params=ALL)
    container.start()
    read_until(sock, b"ready\r\n")
    sock._sock.sendall(b"\x03")
    assert container.wait(timeout=10)["StatusCode"] == 5
    sock.close()


def test_resize_tells_the_terminal_its_size(client, image):
    container = client.containers.create(image, ["sh", "-c", "read x; stty size"], tty=True, stdin_open=True)
    sock = container.attach_socket(params=ALL)
    container.start()
    container.resize(height=33, width=101)
    sock._sock.sendall(b"\n")
    read_until(sock, b"33 101\r\n")
    sock.close()


def test_resize_of_a_stopped_container_is_refused(client, image):
    with pytest.raises(docker.errors.APIError, match=r"is not running"):
        client.containers.create(image, tty=True).resize(height=10, width=10)


@pytest.mark.parametrize("keys", ["", "ctrl-x,x"])
def test_detach_keys_leave_the_container_running(client, image, keys):
    container = client.containers.create(image, ["cat"], tty=True, stdin_open=True)
    sock = container.attach_socket(params=ALL | ({"detachKeys": keys} if keys else {}))
    container.start()
    sock._sock.sendall(b"hello\n")
    read_until(sock, b"hello\r\nhello\r\n")
    sock._sock.sendall(b"\x18x" if keys else b"\x10\x11")
    sock._sock.settimeout(10)
    while sock._sock.recv(4096):
        pass
    container.reload()
    assert container.status == "running"
    sock.close()


# --- exec --------------------------------------------------------------------------------------------------------

EXECS = {  # name: (command, options, exit code, output)
    "plain": (["echo", "hi"], {}, 0, b"hi\n"),
    "its exit code": (["sh", "-c", "exit 41"], {}, 41, b""),
    "killed": (["sh", "-c", "kill -9 $$"], {}, 137, b""),
    "terminated": (["sh", "-c", "kill $$"], {}, 143, b""),
    "a text is split": ("echo 'a  b' c", {}, 0, b"a  b c\n"),
    "both streams": (["sh", "-c", "echo o; sleep 0.1; echo e >&2"], {}, 0, b"o\ne\n"),
    "only stdout": (["sh", "-c", "echo o; echo e >&2"], {"stderr": False}, 0, b"o\n"),
    "only stderr": (["sh", "-c", "echo o; echo e >&2"], {"stdout": False}, 0, b"e\n"),
    "environment": (["sh", "-c", "echo $A-$B"], {"environment": {"A": "1", "B": "two words"}}, 0, b"1-two words\n"),
    "environment as a list": (["sh", "-c", "echo $A"], {"environment": ["A=x=y"]}, 0, b"x=y\n"),
    "folder": (["pwd"], {"workdir": "/var/opt"}, 0, b"/var/opt\n"),
    "root by default": (["id", "-u"], {}, 0, b"0\n"),
    "user by name": (
        ["id"],
        {"user": "postgres"},
        0,
        b"uid=70(postgres) gid=70(postgres) groups=50(staff),70(postgres)\n",
    ),
    "user by number": (["id", "-u"], {"user": "70"}, 0, b"70\n"),
    "user and group": (["sh", "-c", "id -u; id -g"], {"user": "70:50"}, 0, b"70\n50\n"),
    "home of the user": (["sh", "-c", "echo $HOME"], {"user": "postgres"}, 0, b"/home/postgres\n"),
    "a terminal": (["sh", "-c", "test -t 1 && echo yes"], {"tty": True}, 0, b"yes\r\n"),
    "no terminal": (["sh", "-c", "test -t 1 || echo no"], {}, 0, b"no\n"),
}


@pytest.mark.parametrize(("command", "options", "code", "printed"), EXECS.values(), ids=EXECS)
def test_exec(running, command, options, code, printed):
    result = running.exec_run(command, **options)
    assert result.exit_code == code
    if printed is not None:
        assert result.output.replace(b"groups=70(postgres),50(staff)", b"groups=50(staff),70(postgres)") == printed


@pytest.mark.parametrize("command", ["no-such-command", "/etc/motd"])
def test_exec_of_what_cannot_be_executed(running, engine, command):
    result = running.exec_run([command])
    assert result.exit_code in expected(f"exec of {command}", engine)
    assert command.encode() in result.output


def test_exec_sees_the_container_not_the_host(running):
    assert running.exec_run("hostname").output.decode().strip() == running.id[:12]
    assert running.exec_run("cat /proc/1/cmdline").output == b"sleep\x00600\x00"


def test_exec_splits_the_streams(running):
    result = running.exec_run(["sh", "-c", "echo o; echo e >&2"], demux=True)
    assert result.output == (b"o\n", b"e\n")


def test_exec_streams_what_comes(running):
    result = running.exec_run(["sh", "-c", "echo one; sleep 0.3; echo two"], stream=True)
    assert list(result.output) == [b"one\n", b"two\n"]


def test_exec_reads_our_stdin_to_its_end(client, running):
    made = client.api.exec_create(running.id, ["cat"], stdin=True)
    sock = client.api.exec_start(made["Id"], socket=True)
    sock._sock.sendall(b"to the end")
    sock._sock.shutdown(1)
    assert b"".join(demux_adaptor(*frame)[0] or b"" for frame in frames_iter(sock, tty=False)) == b"to the end"
    eventually(lambda: client.api.exec_inspect(made["Id"])["ExitCode"] == 0)
    sock.close()


def test_exec_is_inspected_while_it_runs_and_after(client, running):
    made = client.api.exec_create(running.id, ["sh", "-c", "sleep 0.5; exit 3"])
    before = client.api.exec_inspect(made["Id"])
    assert (before["Running"], before["ExitCode"]) == (False, None)
    client.api.exec_start(made["Id"], detach=True)
    during = client.api.exec_inspect(made["Id"])
    assert during["Running"] is True
    assert during["Pid"] > 0
    assert during["ContainerID"] == running.id
    assert during["ProcessConfig"]["entrypoint"] == "sh"
    assert during["ProcessConfig"]["arguments"] == ["-c", "sleep 0.5; exit 3"]
    eventually(lambda: client.api.exec_inspect(made["Id"])["Running"] is False)
    assert client.api.exec_inspect(made["Id"])["ExitCode"] == 3


def test_exec_detached_leaves_its_traces(running):
    result = running.exec_run(["sh", "-c", "sleep 0.1; echo hi > /tmp/trace"], detach=True)
    assert result.exit_code is None
    eventually(lambda: running.exec_run("cat /tmp/trace").output == b"hi\n")


def test_exec_has_its_terminal_from_create_and_its_framing_from_start(client, running):
    """`Tty` stands in both bodies. Made with one and started without, the output of a terminal comes in frames."""
    made = client.api.exec_create(running.id, ["echo", "hello"], tty=True)
    assert client.api.exec_start(made["Id"], tty=False) == b"hello\r\n"


@pytest.mark.parametrize(("keys", "typed"), [("", b"\x10\x11"), ("ctrl-p", b"\x10"), ("a,ctrl-e", b"a\x05")])
def test_exec_is_left_by_its_detach_keys(client, running, keys, typed):
    body = {"AttachStdin": True, "AttachStdout": True, "Tty": True, "Cmd": ["cat"]}
    url = client.api._url("/containers/{0}/exec", running.id)
    made = client.api.post(url, json=body | ({"detachKeys": keys} if keys else {}), timeout=20).json()
    sock = client.api.exec_start(made["Id"], tty=True, socket=True)
    sock._sock.sendall(b"x\n")
    read_until(sock, b"x\r\nx\r\n")
    for key in typed:
        sock._sock.sendall(bytes([key]))
    sock._sock.settimeout(10)
    while sock._sock.recv(4096):
        pass
    sock.close()


def test_exec_is_not_logged(running):
    running.exec_run("echo from exec")
    assert output(running) == ""


def test_exec_resize(client, running):
    made = client.api.exec_create(running.id, ["sh", "-c", "read x; stty size"], stdin=True, tty=True)
    sock = client.api.exec_start(made["Id"], tty=True, socket=True)
    client.api.exec_resize(made["Id"], height=21, width=84)
    sock._sock.sendall(b"\n")
    read_until(sock, b"21 84\r\n")
    sock.close()


def test_exec_cannot_be_started_twice(client, running):
    made = client.api.exec_create(running.id, ["true"])
    client.api.exec_start(made["Id"])
    with pytest.raises(docker.errors.APIError, match=r"has already run") as refusal:
        client.api.exec_start(made["Id"], detach=True)
    assert refusal.value.status_code == 409


def test_exec_without_a_command_is_refused(client, running):
    with pytest.raises(docker.errors.APIError, match=r"(?i)no exec command") as refusal:
        client.api.exec_create(running.id, [])
    assert refusal.value.status_code == 400


@pytest.mark.parametrize("state", ["created", "exited", "paused"])
def test_exec_needs_a_running_container(client, image, state):
    container = client.containers.create(image, OBEDIENT)
    if state != "created":
        container.start()
        container.kill() if state == "exited" else container.pause()
    if state == "exited":
        container.wait(timeout=10)
    with pytest.raises(
        docker.errors.APIError, match=r"is paused" if state == "paused" else "is not running"
    ) as refusal:
        container.exec_run("true")
    assert refusal.value.status_code == 409


def test_the_end_of_the_container_ends_its_execs(client, image):
    container = client.containers.run(image, OBEDIENT, detach=True)
    made = client.api.exec_create(container.id, ["sleep", "600"])
    client.api.exec_start(made["Id"], detach=True)
    time.sleep(0.1)
    container.kill()
    container.wait(timeout=10)
    eventually(lambda: not exec_runs(client, made["Id"]))


def exec_runs(client, exec_id: str) -> bool:
    """Whether an exec runs; an engine may forget the execs of a container that ended."""
    try:
        return client.api.exec_inspect(exec_id)["Running"]
    except docker.errors.NotFound:
        return False
