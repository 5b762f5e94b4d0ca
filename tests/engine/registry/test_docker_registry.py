"""A real registry between a dockerd and us: images cross both ways with the same id, and both tell the same."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from labkit.engine.errors import ApiError
from labkit.engine.images import reference
from labkit.engine.images.store import ImageStore
from labkit.engine.registry import client, distribution
from labkit.engine.registry.auth import NOBODY, Credentials
from labkit.engine.registry.pull import pull
from labkit.engine.registry.push import push
from tests import busybox, engines
from tests.engine.registry import debian
from tests.engine.registry.conftest import new_store
from tests.engine.registry.fake import layer
from tests.engine.registry.pulls import lines

LEARNER = Credentials("learner", "secret")
LAST = {"Pull complete", "Already exists", "Pushed", "Layer already exists"}
"""The last word about a layer. Of the steps on the way dockerd leaves out what a newer one overtakes."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with debian.running(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="module")
def dockerd() -> Iterator[docker.DockerClient]:
    with contextlib.closing(engines.dockerd().client()) as dockerd:
        yield dockerd


@pytest.fixture
def theirs(dockerd: docker.DockerClient, host: str) -> Iterator[str]:
    """An image of two layers that no other image has, in dockerd and pushed to the registry: its name."""
    name, unique = f"{host}/labkit-test/theirs", uuid.uuid4().hex
    dockerd.api.import_image_from_data(layer(base=unique), repository=name, tag="v1")
    container = dockerd.containers.create(f"{name}:v1", ["sh"])
    container.put_archive("/", layer(top=unique * 10_000))
    container.commit(name, "v1")
    container.remove()
    dockerd.images.push(name, "v1", auth_config={})
    yield f"{name}:v1"
    for image in dockerd.images.list(name):
        dockerd.images.remove(image.id, force=True)


@pytest.fixture
def ours(store: ImageStore, host: str, tmp_path: Path) -> str:
    """An image in our store."""
    (tmp_path / "tree.tar").write_bytes(busybox.archive())
    with (tmp_path / "tree.tar").open("rb") as file:
        store.import_tar(file, f"{host}/labkit-test/ours:v1", ["CMD sh"], "")
    return f"{host}/labkit-test/ours:v1"


def told(lines: list[dict[str, Any]]) -> list[str]:
    """What was said about the image, and last about each layer; which layer was faster is chance."""
    last = [line for line in lines if line.get("status") in LAST or "progressDetail" not in line or "aux" in line]
    return sorted(f"{line.get('id', '')} {line.get('status', '')} {line.get('aux', '')}" for line in last)


# --- both ways -----------------------------------------------------------------------------------------------------


async def test_from_dockerd_to_us(store: ImageStore, dockerd: docker.DockerClient, theirs: str) -> None:
    original = dockerd.images.get(theirs)
    await lines(pull(store, reference.parse(theirs)))
    found = store.get(theirs)
    assert found.id == original.id
    assert list(found.diff_ids) == original.attrs["RootFS"]["Layers"]


async def test_from_us_to_dockerd(store: ImageStore, dockerd: docker.DockerClient, ours: str) -> None:
    await lines(push(store, reference.parse(ours)))
    image = dockerd.images.pull(ours)
    try:
        assert image.id == store.get(ours).id
        assert dockerd.containers.run(ours, ["cat", "/etc/motd"], remove=True) == b"hello from the image\n"
    finally:
        dockerd.images.remove(ours)


async def test_there_and_back_is_the_same_manifest(store: ImageStore, theirs: str) -> None:
    pulled = await lines(pull(store, reference.parse(theirs)))
    back = await lines(push(store, reference.parse(theirs)))
    assert [line.get("status") for line in back].count("Layer already exists") == 2
    assert f"Digest: {back[-1]['aux']['Digest']}" in [line["status"] for line in pulled]


# --- the same words ------------------------------------------------------------------------------------------------


async def test_a_pull_tells_the_same(store: ImageStore, dockerd: docker.DockerClient, theirs: str, host: str) -> None:
    dockerd.images.remove(theirs)
    for _ in ("all of it", "up to date"):
        expected = list(dockerd.api.pull(theirs, stream=True, decode=True))
        assert told(await lines(pull(store, reference.parse(theirs)))) == told(expected)


async def test_a_push_tells_the_same(
    store: ImageStore, dockerd: docker.DockerClient, theirs: str, host: str, tmp_path: Path
) -> None:
    await lines(pull(store, reference.parse(theirs)))
    expected = list(dockerd.api.push(theirs, stream=True, decode=True, auth_config={}))
    assert told(await lines(push(store, reference.parse(theirs)))) == told(expected)


@pytest.mark.parametrize("name", ["{host}/labkit-test/none:v1", "{host}/labkit-test/theirs:none", "127.0.0.1:1/x:v1"])
async def test_a_failed_pull_says_the_same(
    store: ImageStore, dockerd: docker.DockerClient, theirs: str, host: str, name: str
) -> None:
    name = name.format(host=host)
    with pytest.raises(docker.errors.APIError) as expected:
        dockerd.api.pull(name)
    with pytest.raises(ApiError) as found:
        await lines(pull(store, reference.parse(name)))
    assert (found.value.status, found.value.message) == (expected.value.status_code, expected.value.explanation)


async def test_what_the_registry_has(dockerd: docker.DockerClient, theirs: str) -> None:
    expected = dockerd.images.get_registry_data(theirs, auth_config={}).attrs
    assert await distribution.inspect(reference.parse(theirs)) == expected


# --- login ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with debian.running(tmp_path_factory.mktemp("locked"), login=True) as host:
        yield host


async def test_with_the_right_password(store: ImageStore, ours: str, locked: str, tmp_path: Path) -> None:
    name = f"{locked}/labkit-test/ours:v1"
    store.tag(store.get(ours), name)
    await lines(push(store, reference.parse(name), LEARNER))
    other = new_store(tmp_path / "other")
    await lines(pull(other, reference.parse(name), LEARNER))
    assert other.ids() == store.ids()


@pytest.mark.parametrize(
    ("who", "words"),
    [(NOBODY, "no basic auth credentials"), (Credentials("learner", "wrong"), "unauthorized: authentication required")],
)
async def test_with_another(store: ImageStore, ours: str, locked: str, who: Credentials, words: str) -> None:
    name = f"{locked}/labkit-test/ours:v1"
    store.tag(store.get(ours), name)
    for verb in (pull, push):
        with pytest.raises(ApiError, match=words):
            await lines(verb(store, reference.parse(name), who))


async def test_docker_login(locked: str, host: str) -> None:
    assert await client.check_login(Credentials("learner", "secret", server=locked)) == ""
    assert await client.check_login(Credentials("anybody", "anything", server=f"http://{host}/v2/")) == ""
    with pytest.raises(ApiError, match="failed with status: 401 Unauthorized"):
        await client.check_login(Credentials("learner", "wrong", server=locked))
