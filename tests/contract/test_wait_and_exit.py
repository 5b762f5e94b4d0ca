"""Waiting for the end, and the number that tells how it ended."""

import time

import docker
import pytest

from tests.contract.differences import expected
from tests.contract.helpers import OBEDIENT, Background, eventually, read_frames

# command: exit status. The shell's own convention for a signal is 128 + its number, and Docker's is the same.
EXIT_CODES = {
    "success": (["true"], 0),
    "failure": (["false"], 1),
    "a number": (["sh", "-c", "exit 42"], 42),
    "the largest": (["sh", "-c", "exit 255"], 255),
    "shell finds no command": (["sh", "-c", "no-such-command"], 127),
    "shell may not execute": (["sh", "-c", "/etc/motd"], 126),
    "a child was terminated": (["sh", "-c", "sleep 60 & kill $!; wait $!"], 143),
    "a child was killed": (["sh", "-c", "sleep 60 & kill -9 $!; wait $!"], 137),
}


@pytest.mark.parametrize(("command", "status"), EXIT_CODES.values(), ids=EXIT_CODES)
def test_exit_code(client, image, command, status):
    container = client.containers.run(image, command, detach=True)
    assert container.wait(timeout=20)["StatusCode"] == status
    container.reload()
    assert container.attrs["State"]["ExitCode"] == status
    assert container.attrs["State"]["Error"] == ""


def test_a_killed_container_exits_with_137(client, image):
    container = client.containers.run(image, OBEDIENT, detach=True)
    container.kill()
    assert container.wait(timeout=20)["StatusCode"] == 137


# What cannot be executed is an error of start, and the container keeps the shell's number for it.
NOT_STARTED = {
    "not there": (["no-such-command"], 127, "no-such-command.*not found|no such file"),
    "not there, with a path": (["/no/such"], 127, "no such file"),
    "not executable": (["/etc/motd"], 126, "permission denied"),
    "a folder": (["/etc"], 126, "permission denied|is a directory"),
}


@pytest.mark.parametrize(("command", "status", "message"), NOT_STARTED.values(), ids=NOT_STARTED)
def test_what_cannot_be_executed(client, image, command, status, message):
    container = client.containers.create(image, command)
    with pytest.raises(docker.errors.APIError, match=f"(?i){message}") as refusal:
        container.start()
    assert refusal.value.status_code in (400, 404)
    container.reload()
    assert container.attrs["State"]["ExitCode"] == status
    assert container.status == "created"
    assert container.attrs["State"]["Error"]


def test_a_start_that_fails_ends_what_was_attached(client, image):
    """Otherwise `docker run` of a misspelt command would wait for ever."""
    container = client.containers.create(image, ["no-such-command"])
    sock = container.attach_socket(params={"stdout": 1, "stderr": 1, "stream": 1})
    with pytest.raises(docker.errors.APIError):
        container.start()
    assert read_frames(sock, seconds=5) == {}
    sock.close()


def test_a_start_that_fails_removes_an_auto_remove_container(client, image):
    container = client.containers.create(image, ["no-such-command"], auto_remove=True)
    waiting = Background(lambda: container.wait(timeout=30, condition="removed"))
    time.sleep(0.3)
    with pytest.raises(docker.errors.APIError):
        container.start()
    assert waiting.result(10)["StatusCode"] == 127
    with pytest.raises(docker.errors.NotFound):
        container.reload()


def test_run_raises_when_the_command_fails(client, image):
    with pytest.raises(docker.errors.ContainerError) as failure:
        client.containers.run(image, ["sh", "-c", "echo why >&2; exit 3"], remove=True)
    assert failure.value.exit_status == 3
    assert failure.value.stderr == b"why\n"


def test_run_returns_what_was_printed(client, image):
    assert client.containers.run(image, ["echo", "hello"], remove=True) == b"hello\n"


# --- the three conditions ----------------------------------------------------------------------------------------


def test_wait_not_running_returns_at_once_for_a_created_one(client, image):
    assert client.containers.create(image, ["false"]).wait(timeout=10)["StatusCode"] == 0


def test_wait_not_running_waits_for_a_running_one(client, image):
    container = client.containers.run(image, ["sh", "-c", "sleep 0.3; exit 5"], detach=True)
    assert container.wait(timeout=10, condition="not-running")["StatusCode"] == 5


def test_wait_next_exit_waits_for_one_that_was_not_started(client, image):
    container = client.containers.create(image, ["sh", "-c", "exit 6"])
    waiting = Background(lambda: container.wait(timeout=30, condition="next-exit"))
    time.sleep(0.3)
    container.start()
    assert waiting.result()["StatusCode"] == 6


def test_wait_next_exit_ignores_an_exit_of_the_past(client, image):
    container = client.containers.run(image, ["sh", "-c", "sleep 0.2; exit 4"], detach=True)
    container.wait(timeout=10)
    waiting = Background(lambda: container.wait(timeout=30, condition="next-exit"))
    time.sleep(0.3)
    container.start()
    assert waiting.result()["StatusCode"] == 4


def test_wait_removed(client, image):
    container = client.containers.run(image, ["sh", "-c", "exit 8"], detach=True)
    waiting = Background(lambda: container.wait(timeout=30, condition="removed"))
    eventually(lambda: client.containers.get(container.id).status == "exited")
    time.sleep(0.3)
    container.remove()
    assert waiting.result()["StatusCode"] == 8


def test_wait_answers_its_head_before_the_end(client, image):
    """The docker command starts a container only when it has the head of the answer to its wait."""
    container = client.containers.create(image, ["true"])
    url = f"{client.api.base_url}/containers/{container.id}/wait"
    answer = client.api.post(url, params={"condition": "next-exit"}, stream=True, timeout=10)
    assert answer.status_code == 200
    container.start()
    assert answer.json()["StatusCode"] == 0


def test_wait_refuses_an_unknown_condition(client, engine, image):
    container = client.containers.create(image)
    url = f"{client.api.base_url}/containers/{container.id}/wait"
    answer = client.api.post(url, params={"condition": "tomorrow"}, timeout=10)
    assert answer.status_code in expected("unknown wait condition", engine)


def test_two_can_wait_for_one(client, image):
    container = client.containers.create(image, ["sh", "-c", "exit 2"])
    waiting = [Background(lambda: container.wait(timeout=30, condition="next-exit")) for _ in range(2)]
    time.sleep(0.3)
    container.start()
    assert [one.result()["StatusCode"] for one in waiting] == [2, 2]
