"""Every move in every state: what the engine answers, and where the container then is."""

import time

import docker
import pytest

from tests.contract.helpers import OBEDIENT, STUBBORN, eventually, output, unique

STATES = ["created", "running", "paused", "exited"]

# move: (method, path after /containers/ID)
MOVES = {
    "start": ("POST", "/start"),
    "stop": ("POST", "/stop?t=5"),
    "restart": ("POST", "/restart?t=5"),
    "kill": ("POST", "/kill"),
    "pause": ("POST", "/pause"),
    "unpause": ("POST", "/unpause"),
    "rename": ("POST", "/rename?name={name}"),
    "remove": ("DELETE", ""),
    "remove by force": ("DELETE", "?force=1"),
}

# (state, move): (statuses of which one is answered, state afterwards). 304 is "it is so already".
OUTCOMES = {
    ("created", "start"): ({204}, "running"),
    ("created", "stop"): ({304}, "created"),
    ("created", "restart"): ({204}, "running"),
    ("created", "kill"): ({409}, "created"),
    ("created", "pause"): ({409}, "created"),
    ("created", "unpause"): ({409, 500}, "created"),
    ("created", "rename"): ({204}, "created"),
    ("created", "remove"): ({204}, "gone"),
    ("created", "remove by force"): ({204}, "gone"),
    ("running", "start"): ({304}, "running"),
    ("running", "stop"): ({204}, "exited"),
    ("running", "restart"): ({204}, "running"),
    ("running", "kill"): ({204}, "exited"),
    ("running", "pause"): ({204}, "paused"),
    ("running", "unpause"): ({409, 500}, "running"),
    ("running", "rename"): ({204}, "running"),
    ("running", "remove"): ({409}, "running"),
    ("running", "remove by force"): ({204}, "gone"),
    ("paused", "start"): ({409}, "paused"),
    ("paused", "stop"): ({204}, "exited"),
    ("paused", "restart"): ({204}, "running"),
    ("paused", "kill"): ({204}, "exited"),
    ("paused", "pause"): ({409}, "paused"),
    ("paused", "unpause"): ({204}, "running"),
    ("paused", "rename"): ({204}, "paused"),
    ("paused", "remove"): ({409}, "paused"),
    ("paused", "remove by force"): ({204}, "gone"),
    ("exited", "start"): ({204}, "running"),
    ("exited", "stop"): ({304}, "exited"),
    ("exited", "restart"): ({204}, "running"),
    ("exited", "kill"): ({409}, "exited"),
    ("exited", "pause"): ({409}, "exited"),
    ("exited", "unpause"): ({409, 500}, "exited"),
    ("exited", "rename"): ({204}, "exited"),
    ("exited", "remove"): ({204}, "gone"),
    ("exited", "remove by force"): ({204}, "gone"),
}

# What the message of a refusal must say, for the learner and for programs that look for it.
REFUSALS = {
    ("created", "kill"): "is not running",
    ("created", "pause"): "is not running",
    ("created", "unpause"): "is not paused",
    ("running", "unpause"): "is not paused",
    ("running", "remove"): "(?i)stop the container before",
    ("paused", "start"): "unpause",
    ("paused", "pause"): "already paused",
    ("paused", "remove"): "(?i)unpause and then stop",
    ("exited", "kill"): "is not running",
    ("exited", "pause"): "is not running",
    ("exited", "unpause"): "is not paused",
}


def container_in(state: str, client, image: str, command=OBEDIENT):
    container = client.containers.create(image, command)
    if state != "created":
        container.start()
    if state == "paused":
        container.pause()
    if state == "exited":
        container.kill()
        container.wait(timeout=20)
    container.reload()
    assert container.status == state
    return container


def state_of(container) -> str:
    try:
        container.reload()
    except docker.errors.NotFound:
        return "gone"
    return container.status


def test_the_table_is_whole():
    assert OUTCOMES.keys() == {(state, move) for state in STATES for move in MOVES}


@pytest.mark.parametrize(("state", "move"), OUTCOMES, ids=lambda value: value)
def test_move(client, image, state, move):
    container = container_in(state, client, image)
    method, path = MOVES[move]
    url = f"{client.api.base_url}/containers/{container.id}{path.format(name=unique())}"
    answer = client.api.request(method, url, timeout=30)
    statuses, afterwards = OUTCOMES[state, move]
    assert answer.status_code in statuses
    eventually(lambda: state_of(container) == afterwards, seconds=5)
    if answer.status_code < 400:
        assert answer.content == b""
    else:
        assert (state, move) in REFUSALS
        with pytest.raises(docker.errors.APIError, match=REFUSALS[state, move]):
            client.api._raise_for_status(answer)


# --- what a state looks like -------------------------------------------------------------------------------------

FLAGS = {  # state: (Running, Paused, has a pid)
    "created": (False, False, False),
    "running": (True, False, True),
    "paused": (True, True, True),
    "exited": (False, False, False),
}


@pytest.mark.parametrize("state", STATES)
def test_state_in_inspect(client, image, state):
    seen = container_in(state, client, image).attrs["State"]
    assert seen["Status"] == state
    assert (seen["Running"], seen["Paused"], seen["Pid"] > 0) == FLAGS[state]
    assert seen["Dead"] is seen["Restarting"] is seen["OOMKilled"] is False
    assert seen["StartedAt"].startswith("0001-01-01") == (state == "created")
    assert seen["FinishedAt"].startswith("0001-01-01") == (state != "exited")


def test_a_paused_process_stands_still(client, image):
    container = client.containers.run(
        image, ["sh", "-c", "while :; do echo tick; sleep 0.05; done"], detach=True, stop_signal="SIGKILL"
    )
    eventually(lambda: "tick" in output(container))
    container.pause()
    frozen = output(container)
    time.sleep(0.4)
    assert output(container) == frozen
    container.unpause()
    eventually(lambda: len(output(container)) > len(frozen))


# --- stop: the signal, the grace period, the kill ----------------------------------------------------------------


def test_stop_waits_for_an_obedient_process(client, image):
    container = container_in("running", client, image, ["sh", "-c", "trap 'echo bye; exit 3' TERM; sleep 600 & wait"])
    container.stop(timeout=10)
    assert state_of(container) == "exited"
    assert container.attrs["State"]["ExitCode"] == 3
    assert output(container) == "bye\n"


def test_stop_kills_a_stubborn_process_after_the_grace_period(client, image):
    container = container_in("running", client, image, STUBBORN)
    began = time.monotonic()
    container.stop(timeout=1)
    assert 0.9 <= time.monotonic() - began < 8
    container.reload()
    assert container.attrs["State"]["ExitCode"] == 137


def test_stop_sends_the_stop_signal_of_the_container(client, image):
    command = ["sh", "-c", "trap 'exit 7' USR1; echo ready; sleep 600 & wait"]
    container = client.containers.run(image, command, detach=True, stop_signal="SIGUSR1")
    eventually(lambda: b"ready" in container.logs())
    container.stop(timeout=10)
    assert container.wait(timeout=10)["StatusCode"] == 7


@pytest.mark.parametrize("signal", ["SIGUSR1", "USR1", "10"])
def test_kill_sends_any_signal(client, image, signal):
    command = ["sh", "-c", "trap 'exit 9' USR1; echo ready; sleep 600 & wait"]
    container = container_in("running", client, image, command)
    eventually(lambda: b"ready" in container.logs())
    container.kill(signal=signal)
    assert container.wait(timeout=10)["StatusCode"] == 9


def test_kill_refuses_a_signal_that_does_not_exist(client, image):
    container = container_in("running", client, image)
    with pytest.raises(docker.errors.APIError, match=r"(?i)invalid signal"):
        container.kill(signal="NOSUCH")


def test_a_killed_main_process_takes_all_others_along(client, image):
    container = container_in("running", client, image, ["sh", "-c", "sleep 601 & sleep 602 & wait"])
    eventually(lambda: len(container.top()["Processes"]) == 3)
    container.kill()
    container.wait(timeout=20)
    with pytest.raises(docker.errors.APIError, match=r"is not running"):
        container.top()


def test_restart_gives_a_new_process_and_a_new_start_time(client, image):
    container = container_in("running", client, image)
    first = container.attrs["State"]
    container.restart(timeout=5)
    container.reload()
    assert container.attrs["State"]["Pid"] != first["Pid"]
    assert container.attrs["State"]["StartedAt"] > first["StartedAt"]
    assert container.attrs["RestartCount"] == 0  # counts the engine's own restarts, not ours


# --- names -------------------------------------------------------------------------------------------------------


def test_rename(client, image):
    old, new = unique(), unique()
    container = client.containers.create(image, name=old)
    container.rename(new)
    assert client.containers.get(new).id == container.id
    with pytest.raises(docker.errors.NotFound):
        client.containers.get(old)


def test_a_name_is_taken_once(client, image):
    name = unique()
    client.containers.create(image, name=name)
    with pytest.raises(docker.errors.APIError, match=f"/{name}.*already in use") as refusal:
        client.containers.create(image, name=name)
    assert refusal.value.status_code == 409


def test_rename_to_a_name_that_is_taken(client, image):
    name = unique()
    client.containers.create(image, name=name)
    with pytest.raises(docker.errors.APIError, match=r"already in use") as refusal:
        client.containers.create(image).rename(name)
    assert refusal.value.status_code == 409


def test_a_removed_name_is_free_again(client, image):
    name = unique()
    client.containers.create(image, name=name).remove()
    assert client.containers.create(image, name=name).name == name


def test_a_container_without_a_name_gets_one_of_two_words(client, image):
    assert client.containers.create(image).name.count("_") == 1


def test_a_container_is_found_by_name_id_and_the_start_of_its_id(client, image):
    container = client.containers.create(image, name=unique())
    assert len(container.id) == 64
    found = [
        client.containers.get(by).id for by in (container.name, f"/{container.name}", container.id, container.id[:12])
    ]
    assert set(found) == {container.id}


def test_auto_remove(client, image):
    container = client.containers.create(image, ["true"], auto_remove=True)
    container.start()
    eventually(lambda: state_of(container) == "gone")
