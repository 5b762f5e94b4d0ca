"""Push to a registry that can fail: what it has already stays there, and the manifest goes last."""

import json
from pathlib import Path

import pytest

from labkit.engine.errors import ApiError
from labkit.engine.images import reference
from labkit.engine.images.store import ImageStore
from labkit.engine.registry.auth import NOBODY, Credentials
from labkit.engine.registry.manifests import DOCKER_MANIFEST
from labkit.engine.registry.push import pack, push
from tests.engine.registry.conftest import new_store
from tests.engine.registry.fake import FakeRegistry, cut, digest, error, layer, status
from tests.engine.registry.pulls import ATTEMPTS, BASE, TOP, lines, pulled


@pytest.fixture
async def name(store: ImageStore, registry: FakeRegistry) -> str:
    """The image app:v1, in the store and on no registry."""
    registry.add_image("app", "v1", [BASE, TOP])
    await pulled(store, registry, "app:v1")
    registry.blobs.clear()
    registry.manifests.clear()
    registry.seen.clear()
    return f"{registry.host}/app:v1"


async def pushed(store: ImageStore, name: str, who: Credentials = NOBODY) -> list[dict]:
    return await lines(push(store, reference.parse(name), who))


async def test_what_is_pushed_can_be_pulled(
    store: ImageStore, registry: FakeRegistry, name: str, tmp_path: Path
) -> None:
    said = await pushed(store, name)
    media_type, raw = registry.manifests["app/v1"]
    assert media_type == DOCKER_MANIFEST and json.loads(raw)["config"]["digest"] == store.get(name).id
    assert said[-1] == {"progressDetail": {}, "aux": {"Tag": "v1", "Digest": digest(raw), "Size": len(raw)}}
    other = new_store(tmp_path / "other")
    await pulled(other, registry, "app:v1")
    assert other.ids() == store.ids()


async def test_what_is_told(store: ImageStore, registry: FakeRegistry, name: str) -> None:
    said = [(line.get("id"), line.get("status")) for line in await pushed(store, name)]
    base, top = digest(BASE)[7:19], digest(TOP)[7:19]
    assert said[:3] == [
        (None, f"The push refers to repository [{registry.host}/app]"),
        (top, "Preparing"),
        (base, "Preparing"),
    ]
    assert (top, "Pushed") in said and (base, "Pushed") in said
    raw = registry.manifests["app/v1"][1]
    assert said[-2] == (None, f"v1: digest: {digest(raw)} size: {len(raw)}")


async def test_what_the_registry_has_is_not_sent(store: ImageStore, registry: FakeRegistry, name: str) -> None:
    await pushed(store, name)
    uploads = registry.count("PUT", "/upload/")
    said = [line.get("status") for line in await pushed(store, name)]
    assert said.count("Layer already exists") == 2
    assert (uploads, registry.count("PUT", "/upload/")) == (3, 3), "two layers and a config, once"


async def test_the_manifest_comes_last(store: ImageStore, registry: FakeRegistry, name: str) -> None:
    await pushed(store, name)
    assert [method for method, _, _ in registry.seen].index("PUT") > 0
    assert registry.seen[-1][:2] == ("PUT", "/v2/app/manifests/v1")


async def test_all_tags(store: ImageStore, registry: FakeRegistry, name: str) -> None:
    store.tag(store.get(name), f"{registry.host}/app:v2")
    await pushed(store, f"{registry.host}/app")
    assert sorted(registry.manifests) == ["app/v1", "app/v2"]


async def test_the_digest_is_kept(store: ImageStore, registry: FakeRegistry, name: str) -> None:
    await pushed(store, name)
    assert f"{registry.host}/app@{digest(registry.manifests['app/v1'][1])}" in store.get(name).digests


async def test_the_same_layer_packs_to_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "tar").write_bytes(layer(a="a" * 10_000_000))
    assert pack(tmp_path / "tar", tmp_path / "one") == pack(tmp_path / "tar", tmp_path / "two")


# --- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "text"), [("POST", "/uploads/"), ("PUT", "/upload/"), ("PUT", "/manifests/"), ("HEAD", "/blobs/")]
)
async def test_a_busy_registry_is_asked_again(
    store: ImageStore, registry: FakeRegistry, name: str, method: str, text: str
) -> None:
    registry.fail(method, text, status(503), times=ATTEMPTS - 1)
    await pushed(store, name)
    assert "app/v1" in registry.manifests


async def test_but_not_for_ever(store: ImageStore, registry: FakeRegistry, name: str) -> None:
    registry.fail("PUT", "/manifests/", status(502), times=100)
    with pytest.raises(ApiError, match="received unexpected HTTP status: 502 Bad Gateway"):
        await pushed(store, name)
    assert registry.count("PUT", "/manifests/") == ATTEMPTS


async def test_a_broken_answer_begins_the_upload_anew(store: ImageStore, registry: FakeRegistry, name: str) -> None:
    async def half(request):
        await request.content.read(10)
        request.transport.close()
        return await cut(registry, 0)(request)

    registry.fail("PUT", "/upload/", half)
    await pushed(store, name)
    assert len(registry.blobs) == 3


async def test_no_right_to_push(store: ImageStore, registry: FakeRegistry, name: str) -> None:
    async def denied(request):
        return error(401, "DENIED", "requested access to the resource is denied")

    registry.fail("POST", "/uploads/", denied)
    with pytest.raises(ApiError, match=r"^denied: requested access to the resource is denied$"):
        await pushed(store, name)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("app:nosuch", "tag does not exist: {}"), ("nosuch", "An image does not exist locally with the tag: {}")],
)
async def test_nothing_to_push(store: ImageStore, registry: FakeRegistry, name: str, wanted: str, words: str) -> None:
    with pytest.raises(ApiError, match=words.format(f"{registry.host}/{wanted}")):
        await pushed(store, f"{registry.host}/{wanted}")


async def test_a_token_to_push_with(store: ImageStore, registry: FakeRegistry, name: str) -> None:
    registry.login = ("learner", "secret")
    await pushed(store, name, Credentials("learner", "secret"))
    assert "app/v1" in registry.manifests


async def test_an_upload_that_goes_elsewhere_gets_no_token(
    store: ImageStore, registry: FakeRegistry, name: str
) -> None:
    registry.login = ("learner", "secret")
    elsewhere = f"http://localhost:{registry.port}/upload/here"
    registry.fail("POST", "/uploads/", status(202, Location=elsewhere), times=3)
    with pytest.raises(ApiError, match="unauthorized"):
        await pushed(store, name, Credentials("learner", "secret"))
    sent = [headers for method, path, headers in registry.seen if path == "/upload/here"]
    assert sent and not any("Authorization" in headers for headers in sent)
