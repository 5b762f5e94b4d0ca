"""What the engine says while it happens: the events of a whole life, their order, attributes and filters."""

import time

import docker
import pytest

from tests.contract.conftest import LABELS
from tests.contract.helpers import OBEDIENT, Background, unique

# What is done: the actions that are told. An attached or resized terminal would be told too.
LIFE = {
    "create": ["create"],
    "start": ["start"],
    "pause": ["pause"],
    "unpause": ["unpause"],
    "rename": ["rename"],
    "restart": ["kill", "die", "stop", "start", "restart"],
    "stop": ["kill", "die", "stop"],
    "again": ["start"],
    "kill": ["kill", "die"],
    "remove": ["destroy"],
}


@pytest.fixture(scope="module")
def life(client, image) -> list[dict]:
    """The events of one container through every state, as /events told them afterwards."""
    since, name = int(time.time()), unique()
    container = client.containers.create(image, OBEDIENT, name=name, labels={"colour": "blue"})
    container.start()
    container.pause()
    time.sleep(0.3)  # dockerd hears of a pause twice, and tells it twice when an unpause comes in between
    container.unpause()
    time.sleep(0.3)
    container.rename(f"{name}-2")
    container.restart(timeout=5)
    container.stop(timeout=5)
    container.start()
    container.kill()
    container.wait(timeout=20)
    container.remove()
    return told(client, since, container=container.id, type="container")


def told(client, since: int, **filters) -> list[dict]:
    until = int(time.time()) + 1
    return list(client.events(since=since, until=until, filters=filters, decode=True))


def test_the_order_of_a_life(life):
    assert [event["Action"] for event in life] == [action for actions in LIFE.values() for action in actions]


def test_times_rise(life):
    times = [event["timeNano"] for event in life]
    assert times == sorted(times)
    assert all(event["time"] == event["timeNano"] // 10**9 for event in life)


def test_each_event_names_its_container(life, image):
    for event in life:
        assert event["Type"] == "container"
        assert event["scope"] == "local"
        assert len(event["Actor"]["ID"]) == 64
        attributes = event["Actor"]["Attributes"]
        assert attributes["image"] == image
        assert attributes["name"].startswith("lk-")
        assert attributes.items() >= (LABELS | {"colour": "blue"}).items()


def test_the_old_keys_are_still_there(life, image):
    for event in life:
        assert (event["status"], event["id"], event["from"]) == (event["Action"], event["Actor"]["ID"], image)


def test_what_an_event_adds(life):
    added = {event["Action"]: event["Actor"]["Attributes"] for event in reversed(life)}
    assert added["kill"]["signal"] == "15"
    assert added["die"]["exitCode"] == "0"
    assert added["rename"]["oldName"].startswith("/lk-")
    assert life[-2]["Actor"]["Attributes"]["exitCode"] == "137"


def test_exec_events(client, image):
    since = int(time.time())
    container = client.containers.run(image, OBEDIENT, detach=True)
    container.exec_run(["sh", "-c", "exit 4"])
    events = told(client, since, container=container.id)
    actions = [event["Action"] for event in events if event["Action"].startswith("exec")]
    assert actions[:2] == ["exec_create: sh -c exit 4", "exec_start: sh -c exit 4"]
    (died,) = [event for event in events if event["Action"] == "exec_die"]
    assert died["Actor"]["Attributes"]["exitCode"] == "4"
    assert len(died["Actor"]["Attributes"]["execID"]) == 64


def test_image_events(client, image):
    since, names = int(time.time()), [unique("labkit-test/told") for _ in range(2)]
    made = client.containers.create(image).commit(repository=names[0])
    made.tag(names[1])
    client.images.load(b"".join(made.save()))
    for name in names:
        client.images.remove(name)
    events = [event for event in told(client, since, type="image") if event["Actor"]["ID"] == made.id]
    actions = " ".join(event["Action"] for event in events)
    assert actions == "tag tag save load untag untag delete"
    assert events[1]["Actor"]["Attributes"]["name"].startswith(names[1])


def test_commit_and_copy_are_told(client, image):
    since = int(time.time())
    container = client.containers.create(image)
    b"".join(container.get_archive("/etc/motd")[0])
    container.commit()
    assert [event["Action"] for event in told(client, since, container=container.id)][:3] == [
        "create",
        "archive-path",
        "commit",
    ]


def test_live_events_arrive_at_once(client, image):
    stream = client.events(decode=True, filters={"event": "create", "label": "colour=red"})
    first = Background(lambda: next(stream))
    time.sleep(0.3)
    container = client.containers.create(image, labels={"colour": "red"})
    assert first.result(5)["Actor"]["ID"] == container.id
    stream.close()


FILTERS = {  # filters: how many of [create, start, kill, die] of one container
    "one event": ({"event": "die"}, ["die"]),
    "two events": ({"event": ["create", "die"]}, ["create", "die"]),
    "its label": ({"label": "lk-filter=yes", "type": "container"}, ["create", "start", "kill", "die"]),
    "another label": ({"label": "lk-filter=no"}, []),
    "another type": ({"type": "image"}, []),
    "another container": ({"container": "labkit-no-such"}, []),
}


@pytest.mark.parametrize(("filters", "wanted"), FILTERS.values(), ids=FILTERS)
def test_filters(client, image, filters, wanted):
    since = int(time.time())
    container = client.containers.run(image, OBEDIENT, detach=True, labels={"lk-filter": "yes"})
    container.kill()
    container.wait(timeout=20)
    events = [event for event in told(client, since, **filters) if event["Actor"]["ID"] == container.id]
    assert [event["Action"] for event in events] == wanted


def test_bad_filters_are_refused(client):
    url = f"{client.api.base_url}/events"
    answer = client.api.get(url, params={"filters": "{"}, timeout=10)
    assert answer.status_code in (400, 500)
    with pytest.raises(docker.errors.APIError):
        client.api._raise_for_status(answer)
