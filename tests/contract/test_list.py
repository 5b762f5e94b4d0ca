"""Which containers there are: the list, its filters and its shape."""

import time

import docker
import pytest

from tests.contract.conftest import MINE, SESSION
from tests.contract.helpers import OBEDIENT, unique


@pytest.fixture(scope="module")
def zoo(client, image):
    """One container of each kind, oldest first: their names by kind."""
    names = {kind: unique(f"lk-{kind}") for kind in ("created", "running", "paused", "failed", "labelled")}
    client.containers.create(image, ["true"], name=names["created"])
    client.containers.run(image, OBEDIENT, name=names["running"], detach=True)
    client.containers.run(image, OBEDIENT, name=names["paused"], detach=True).pause()
    client.containers.run(image, ["sh", "-c", "exit 3"], name=names["failed"], detach=True).wait(timeout=20)
    client.containers.create(image, ["true"], name=names["labelled"], labels={"colour": "blue", "empty": ""})
    return names


@pytest.fixture(scope="module", autouse=True)
def keep(zoo, client):
    from tests.contract import conftest

    conftest.KEPT.update(found["Id"] for found in client.api.containers(all=True, filters=MINE))


FILTERS = {  # filters beside our own label: the kinds that are found
    "nothing": ({}, {"created", "running", "paused", "failed", "labelled"}),
    "status running": ({"status": "running"}, {"running"}),
    "status paused": ({"status": "paused"}, {"paused"}),
    "status created": ({"status": "created"}, {"created", "labelled"}),
    "status exited": ({"status": "exited"}, {"failed"}),
    "two statuses": ({"status": ["exited", "paused"]}, {"failed", "paused"}),
    "exit code": ({"exited": "3"}, {"failed"}),
    "another exit code": ({"exited": "4"}, set()),
    "label": ({"label": "colour"}, {"labelled"}),
    "label with its value": ({"label": "colour=blue"}, {"labelled"}),
    "label with another value": ({"label": "colour=red"}, set()),
    "two labels": ({"label": ["colour=blue", "empty"]}, {"labelled"}),
    "part of a name": ({"name": "lk-failed"}, {"failed"}),
    "two names": ({"name": ["lk-failed", "lk-paused"]}, {"failed", "paused"}),
    "name as a pattern": ({"name": "^/?lk-(run|pau)"}, {"running", "paused"}),
    "image": ({"ancestor": f"labkit-test/busybox-{SESSION}"}, {"created", "running", "paused", "failed", "labelled"}),
    "another image": ({"ancestor": "labkit-test/no-such"}, set()),
    "volume": ({"volume": "no-such"}, set()),
}


@pytest.mark.parametrize(("filters", "wanted"), FILTERS.values(), ids=FILTERS)
def test_filters(client, zoo, filters, wanted):
    labels = [
        *MINE["label"],
        *([filters["label"]] if isinstance(filters.get("label"), str) else filters.get("label", [])),
    ]
    found = client.containers.list(all=True, filters=filters | {"label": labels})
    assert {one.name for one in found} == {zoo[kind] for kind in wanted}


def test_without_all_only_what_runs(client, zoo):
    assert {one.name for one in client.containers.list(filters=MINE)} == {zoo["running"], zoo["paused"]}


def test_newest_first(client, zoo):
    listed = [one.name for one in client.containers.list(all=True, filters=MINE)]
    assert listed == list(reversed(zoo.values()))


def test_limit(client, zoo):
    assert [one.name for one in client.containers.list(limit=2, filters=MINE)] == [zoo["labelled"], zoo["failed"]]


def test_since_and_before(client, zoo):
    since = client.containers.list(all=True, filters=MINE | {"since": zoo["paused"]})
    assert [one.name for one in since] == [zoo["labelled"], zoo["failed"]]
    before = client.containers.list(all=True, filters=MINE | {"before": zoo["paused"]})
    assert [one.name for one in before] == [zoo["running"], zoo["created"]]


def test_filter_by_id(client, zoo):
    wanted = client.containers.get(zoo["paused"])
    for reference in (wanted.id, wanted.id[:12]):
        assert [one.id for one in client.containers.list(all=True, filters={"id": reference})] == [wanted.id]


def test_the_form_of_filters_that_the_docker_command_sends(client, zoo):
    filters = f'{{"label": {{"labkit.session={SESSION}": true}}, "status": {{"exited": true}}}}'
    url = f"{client.api.base_url}/containers/json"
    answer = client.api.get(url, params={"all": 1, "filters": filters}, timeout=20).json()
    assert [one["Names"] for one in answer] == [[f"/{zoo['failed']}"]]


SUMMARIES = {  # kind: (State, the start of Status, Command)
    "created": ("created", "Created", "true"),
    "running": ("running", "Up ", None),
    "paused": ("paused", "Up ", None),
    "failed": ("exited", "Exited (3) ", "sh -c 'exit 3'"),
    "labelled": ("created", "Created", "true"),
}


@pytest.mark.parametrize(("kind", "wanted"), SUMMARIES.items(), ids=SUMMARIES)
def test_summary(client, image, zoo, kind, wanted):
    (seen,) = client.api.containers(all=True, filters={"name": zoo[kind]})
    state, status, command = wanted
    assert seen["State"] == state
    assert seen["Status"].startswith(status)
    assert seen["Status"].endswith("(Paused)") == (kind == "paused")
    assert command in (None, seen["Command"])
    assert seen["Image"] == image
    assert seen["ImageID"] == client.images.get(image).id
    assert seen["Names"] == [f"/{zoo[kind]}"]
    assert abs(seen["Created"] - time.time()) < 600
    assert seen["Labels"].get("colour") == ("blue" if kind == "labelled" else None)


def test_size_only_when_asked(client, zoo):
    (plain,) = client.api.containers(all=True, filters={"name": zoo["failed"]})
    (sized,) = client.api.containers(all=True, size=True, filters={"name": zoo["failed"]})
    assert "SizeRootFs" not in plain
    assert sized["SizeRootFs"] > 500_000
    assert (
        client.api.get(client.api._url("/containers/{0}/json", zoo["failed"]), params={"size": 1}).json()["SizeRw"] >= 0
    )


def test_the_image_keeps_the_name_that_was_given(client, image, zoo):
    short = image.removesuffix(":latest")
    container = client.containers.create(short, ["true"])
    assert container.attrs["Config"]["Image"] == short
    assert container.attrs["Image"] == client.images.get(image).id
    container.remove()


def test_a_removed_container_is_not_listed(client, image, zoo):
    container = client.containers.create(image)
    container.remove()
    assert container.id not in {one.id for one in client.containers.list(all=True, ignore_removed=True)}
    with pytest.raises(docker.errors.NotFound):
        container.reload()
