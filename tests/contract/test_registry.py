"""Push, pull, log in, ask: a registry on this machine's loopback, the same for each engine.

The rootless engine is in a network of its own and reaches the registry all the same.
"""

import contextlib

import docker
import pytest

from tests.contract.conftest import MINE, REPOSITORY
from tests.contract.helpers import unique
from tests.engine.registry import debian

NOBODY: dict = {}  # the SDK would look for a login of this machine's user otherwise
LEARNER = {"username": "learner", "password": "secret"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with debian.running(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A registry that wants name and password."""
    with debian.running(tmp_path_factory.mktemp("locked"), login=True) as address:
        yield address


@pytest.fixture
def name(client, image, registry):
    """A name in the registry that the test image has here; afterwards it has it no more."""
    made = f"{registry}/{unique('lktest')}"
    assert client.images.get(image).tag(made, tag="one")
    yield made
    for tag in {tag for found in client.images.list(filters=MINE) for tag in found.tags if tag.startswith(made)}:
        client.images.remove(tag, force=True)


def push(client, name, login=NOBODY, tag="one"):
    return list(client.api.push(name, tag=tag, auth_config=login, stream=True, decode=True))


def errors(lines) -> list[str]:
    return [line["error"] for line in lines if "error" in line]


def test_what_was_pushed_is_pulled(client, image, name):
    told = push(client, name)
    assert not errors(told)
    assert any(line.get("aux", {}).get("Tag") == "one" for line in told)
    before = client.images.get(image).id
    client.images.remove(f"{name}:one")
    pulled = client.images.pull(name, tag="one", auth_config=NOBODY)
    assert (pulled.id, f"{name}:one" in pulled.tags) == (before, True)


def test_progress_of_a_pull(client, name):
    push(client, name)
    told = list(client.api.pull(name, tag="one", auth_config=NOBODY, stream=True, decode=True))
    assert told[0] == {"status": "Pulling from " + name.partition("/")[2], "id": "one"}
    assert told[-1] == {"status": f"Status: Image is up to date for {name}:one"}
    assert [line["status"].partition(":")[0] for line in told[-2:]] == ["Digest", "Status"]


def test_an_image_that_is_not_there(client, registry, image):
    with pytest.raises(docker.errors.NotFound, match="manifest unknown"):
        client.images.pull(f"{registry}/nothing-here", tag="one", auth_config=NOBODY)
    assert errors(push(client, f"{registry}/not-here-either"))


def test_a_registry_that_is_not_there(client, image):
    where = f"127.0.0.1:{debian.free_port()}"
    with pytest.raises(docker.errors.APIError, match="connection refused"):
        client.images.pull(f"{where}/any", tag="one", auth_config=NOBODY)


def test_ask_a_registry(client, name):
    pushed = next(line["aux"] for line in push(client, name) if "aux" in line)
    said = client.api.inspect_distribution(f"{name}:one", auth_config=NOBODY)
    assert (said["Descriptor"]["digest"], said["Descriptor"]["size"]) == (pushed["Digest"], pushed["Size"])
    assert [platform["os"] for platform in said["Platforms"]] == ["linux"]


def test_log_in(client, locked):
    said = client.api.login("learner", "secret", registry=locked, reauth=True)
    assert said["Status"] == "Login Succeeded"


def test_a_wrong_password(client, locked):
    with pytest.raises(docker.errors.APIError) as refusal:
        client.api.login("learner", "wrong", registry=locked, reauth=True)
    assert "401 Unauthorized" in refusal.value.explanation


def test_push_wants_the_login(client, image, locked):
    name = f"{locked}/{REPOSITORY}"
    client.images.get(image).tag(name, tag="one")
    try:
        assert errors(push(client, name))[0].endswith("no basic auth credentials")
        assert not errors(push(client, name, LEARNER))
    finally:
        with contextlib.suppress(docker.errors.ImageNotFound):
            client.images.remove(f"{name}:one", force=True)
