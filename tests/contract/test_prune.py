"""`docker ... prune`, always with a filter by which nothing but this session's own can go: the engine may be shared.

Networks and volumes have theirs in test_networks.py and test_volumes.py.
"""

import json

import docker
import pytest

from tests.contract.conftest import MINE
from tests.contract.helpers import eventually, tar_of, unique


def test_containers(client, image):
    stopped = client.containers.run(image, ["true"], detach=True)
    stopped.wait(timeout=20)
    created = client.containers.create(image)
    running = client.containers.run(image, ["sleep", "600"], detach=True)
    said = client.containers.prune(filters=MINE)
    assert set(said["ContainersDeleted"]) == {stopped.id, created.id}
    assert isinstance(said["SpaceReclaimed"], int)
    assert client.containers.list(all=True, filters=MINE) == [running]


def test_nothing_to_remove_is_null(client, image):
    assert client.containers.prune(filters=MINE) == {"ContainersDeleted": None, "SpaceReclaimed": 0}


def test_containers_by_age_and_by_another_label(client, image):
    container = client.containers.create(image, labels={"keep": "yes"})
    for filters in (MINE | {"until": "10m"}, MINE | {"label!": ["keep"]}):
        assert not client.containers.prune(filters=filters)["ContainersDeleted"]
    # dockerd compares whole seconds
    assert eventually(lambda: client.containers.prune(filters=MINE | {"until": "0s"})["ContainersDeleted"]) == [
        container.id
    ]


def test_images(client, image):
    """Without a name it goes; with one it stays, as long as dangling=false does not say otherwise."""
    named, word = unique("lktest"), unique("word")
    label = MINE | {"label": [*MINE["label"], f"lktest.prune={word}"]}
    for text in ("one", "two"):  # the second takes the name from the first
        recipe = f"FROM {image}\nLABEL lktest.prune={word} text={text}\n".encode()
        context = tar_of({"Dockerfile": recipe})
        client.api.post(client.api._url("/build"), params={"t": named}, data=context).raise_for_status()
    assert len(client.images.list(filters=label)) == 2
    said = client.images.prune(filters=label | {"dangling": True})
    assert len([one for one in said["ImagesDeleted"] if "Deleted" in one]) >= 1
    assert [made.tags for made in client.images.list(filters=label)] == [[f"{named}:latest"]]


def test_the_builders_cache(client):
    """The filter matches nothing. The classic builder keeps its cache as images, so here there is never any."""
    filters = json.dumps({"id": ["labkit-nosuch"]})
    said = client.api.post(client.api._url("/build/prune"), params={"filters": filters}).json()
    assert said["SpaceReclaimed"] == 0


@pytest.mark.parametrize("noun", ["containers", "images"])
def test_a_filter_that_docker_does_not_have(client, noun):
    with pytest.raises(docker.errors.APIError, match=r"(?i)invalid filter") as refusal:
        getattr(client, noun).prune(filters={"colour": "blue"})
    assert refusal.value.status_code in (400, 500)
