"""Fixtures of the contract: the test image on each engine, a container that runs, and the guest's tidiness.

All that a test makes bears the label of this session and is removed after it, whether it passed or not. Images
hand their labels down to containers and to images committed from them, so no test has to think of it.
"""

import contextlib
import secrets
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from tests import busybox
from tests.contract import described

SESSION = secrets.token_hex(3)
REPOSITORY = f"labkit-test/busybox-{SESSION}"
LABELS = {"labkit": "test", "labkit.session": SESSION}
MINE = {"label": [f"labkit.session={SESSION}"]}


@pytest.fixture(scope="package", autouse=True)
def listening() -> Iterator[None]:
    """Hold every answer of an engine against Docker's description of its API."""
    with described.listening():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    yield from passing_only_as_described()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    yield from passing_only_as_described()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    yield from passing_only_as_described()


def passing_only_as_described() -> Iterator[None]:
    """Fail this part of a test when it passed, but an answer in it was not as described."""
    described.complaints()
    yield
    if wrong := described.complaints():
        pytest.fail("not as the API's description has it:\n" + "\n".join(wrong), pytrace=False)


@pytest.fixture(scope="session")
def image(client: docker.DockerClient) -> Iterator[str]:
    """The name of the test image, imported into this engine and removed at the end."""
    changes = [f"LABEL {key}={value}" for key, value in LABELS.items()]
    name = busybox.import_image(client, REPOSITORY, changes=[*changes, 'CMD ["sh"]'])
    yield name
    remove_containers(client)
    client.images.remove(name, force=True)


@pytest.fixture(autouse=True)
def tidy(client: docker.DockerClient, image: str) -> Iterator[None]:
    """Remove what the test made."""
    yield
    remove_containers(client, but=KEPT)
    for made in client.images.list(filters=MINE):
        if made.tags != [image]:
            with contextlib.suppress(docker.errors.ImageNotFound):
                untag_or_remove(client, made, keep=image)


@pytest.fixture(scope="module", autouse=True)
def no_leak(client: docker.DockerClient, image: str) -> Iterator[None]:
    """After each module no container of ours is left, and of the images only the one that all tests share."""
    yield
    remove_containers(client, but=set())
    KEPT.clear()
    assert client.containers.list(all=True, filters=MINE) == []
    assert [made.tags for made in client.images.list(filters=MINE)] == [[image]]


KEPT: set[str] = set()  # ids of the containers that a whole module shares


@pytest.fixture(scope="module")
def running(client: docker.DockerClient, image: str) -> Container:
    """A container that runs, shared by the tests of a module that only look or exec."""
    container = client.containers.run(image, ["sleep", "600"], detach=True, name=f"lk-{secrets.token_hex(4)}")
    KEPT.add(container.id)
    return container


def remove_containers(client: docker.DockerClient, but: set[str] = frozenset()) -> None:
    for found in client.api.containers(all=True, filters=MINE):
        if found["Id"] not in but:
            with contextlib.suppress(docker.errors.NotFound):
                client.api.remove_container(found["Id"], force=True, v=True)


def untag_or_remove(client: docker.DockerClient, made: docker.models.images.Image, keep: str) -> None:
    for name in [tag for tag in made.tags if tag != keep]:
        client.images.remove(name, force=True)
    if not made.tags:
        client.images.remove(made.id, force=True)
