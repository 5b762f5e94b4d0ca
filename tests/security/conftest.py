"""Fixtures of the attacks: the image, the guest's tidiness, and what an engine is known not to hold."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests import busybox
from tests.backends import not_for_this_engine
from tests.contract.conftest import untag_or_remove
from tests.engines import Engine

SESSION = secrets.token_hex(3)
REPOSITORY = f"labkit-test/security-{SESSION}"
LABELS = {"labkit": "test", "labkit.session": SESSION}
MINE = {"label": [f"labkit.session={SESSION}"]}


@pytest.fixture(scope="session")
def image(client: docker.DockerClient) -> Iterator[str]:
    """The test image on each engine, removed at the end."""
    name = busybox.import_image(client, REPOSITORY, changes=[*labels(), 'CMD ["sh"]'])
    yield name
    remove_mine(client, keep="")


def labels() -> list[str]:
    """The lines that make an image ours, to be removed with all that is made from it."""
    return [f"LABEL {key}={value}" for key, value in LABELS.items()]


@pytest.fixture(autouse=True)
def tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Remove what the test made."""
    yield
    if "client" in request.fixturenames:
        remove_mine(request.getfixturevalue("client"), keep=f"{REPOSITORY}:latest")


def remove_mine(client: docker.DockerClient, keep: str) -> None:
    for found in client.api.containers(all=True, filters=MINE):
        remove_containers_of(client, found["Id"])
    for made in client.images.list(filters=MINE):
        if made.tags != [keep]:
            untag_or_remove(client, made, keep=keep)


def remove_containers_of(client: docker.DockerClient, container_id: str) -> None:
    try:
        client.api.remove_container(container_id, force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):  # removed itself just now
            raise


@pytest.fixture
def weaker(request: pytest.FixtureRequest, engine: Engine):
    """`weaker("dockerd", why)`: on this engine the attack is known to get through; it is run all the same."""

    def note(name: str, why: str) -> None:
        if engine.name == name:
            request.node.add_marker(pytest.mark.xfail(reason=why, strict=False))

    return note


@pytest.fixture
def limited(client: docker.DockerClient):
    """`limited("PidsLimit")`: skip where the engine says in `info` that it can't enforce a limit."""

    def need(kind: str) -> None:
        if not client.info().get(kind):
            not_for_this_engine(
                f"{kind} is false in info: without a delegated cgroup there are no limits, and the engine says so"
            )

    return need


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the host with a secret in it, which the rootless engine's user could reach and write to."""
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        if str(folder).startswith("/tmp/pytest-of"):
            folder.chmod(0o755)
    place = tmp_path / "outside"
    place.mkdir()
    place.chmod(0o777)
    (place / "secret").write_text("secret")
    (place / "secret").chmod(0o666)
    return place


def untouched(place: Path) -> bool:
    """Is the folder as it was made: one file, its content, one name for it?"""
    secret = place / "secret"
    return os.listdir(place) == ["secret"] and secret.read_text() == "secret" and secret.stat().st_nlink == 1
