"""Pull from a registry that can fail: the right image comes, or no image and a sentence."""

import asyncio
import contextlib
import gzip
import json
import random
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web

from labkit.engine.errors import ApiError, NoSuchImage
from labkit.engine.images import reference
from labkit.engine.images.image import architecture
from labkit.engine.images.save import INDEX, MANIFEST
from labkit.engine.images.store import ImageStore
from labkit.engine.registry import failures, platforms
from labkit.engine.registry.auth import NOBODY, Credentials
from labkit.engine.registry.digests import Digests
from labkit.engine.registry.manifests import DOCKER_INDEX, DOCKER_LAYER, DOCKER_MANIFEST
from labkit.engine.registry.pull import pull
from tests.engine.registry.fake import FakeRegistry, cut, digest, error, layer, sends, status

BASE, TOP = layer(**{"etc.txt": "base"}), layer(**{"top.txt": "top " * 50_000})
ATTEMPTS = len(failures.DELAYS) + 1


async def lines(progress: AsyncGenerator[dict[str, Any], None]) -> list[dict[str, Any]]:
    return [line async for line in progress]


async def pulled(store: ImageStore, registry: FakeRegistry, name: str, who: Credentials = NOBODY) -> list[str]:
    """Pull, and what was said: `id: status`, without the figures."""
    said = await lines(pull(store, reference.parse(f"{registry.host}/{name}"), who))
    return [f"{line['id']}: {line['status']}" if "id" in line else line["status"] for line in said]


def is_empty(store: ImageStore) -> bool:
    """Nothing is left of what did not become an image."""
    return (store.ids(), list(store.blobs.root.iterdir()), store.driver.layers()) == ([], [], [])


# --- what comes ----------------------------------------------------------------------------------------------------


async def test_an_image_comes_with_all_that_is_told_meanwhile(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("course/app", "v1", [BASE, TOP])
    name = f"{registry.host}/course/app"
    said = await pulled(store, registry, "course/app:v1")
    found = store.get(f"{name}:v1")
    assert found.id == image_id
    assert found.diff_ids == (digest(BASE), digest(TOP))
    assert (store.driver.root / found.layers[1] / "diff" / "top.txt").read_text() == "top " * 50_000

    base, top = (digest(gzip.compress(tar, mtime=0))[7:19] for tar in (BASE, TOP))
    of_base = [line.partition(": ")[2] for line in said if line.startswith(base)]
    assert list(dict.fromkeys(of_base)) == [
        "Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete",
    ]  # fmt: skip
    manifest = digest(registry.manifests["course/app/v1"][1])
    assert said[:3] == ["v1: Pulling from course/app", f"{base}: Pulling fs layer", f"{top}: Pulling fs layer"]
    assert said[-4:] == [
        f"{base}: Pull complete",
        f"{top}: Pull complete",
        f"Digest: {manifest}",
        f"Status: Downloaded newer image for {name}:v1",
    ]
    assert Digests.of(store).names(found) == [f"{name}@{manifest}"]


async def test_a_second_pull_moves_no_blob(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    await pulled(store, registry, "app:v1")
    before = registry.count("GET", "/blobs/")
    said = await pulled(store, registry, "app:v1")
    assert said[-1] == f"Status: Image is up to date for {registry.host}/app:v1"
    assert len(said) == 3 and registry.count("GET", "/blobs/") == before


async def test_a_layer_that_is_here_does_not_come_again(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    registry.add_image("app", "v2", [BASE, TOP])
    await pulled(store, registry, "app:v1")
    said = await pulled(store, registry, "app:v2")
    packed = digest(gzip.compress(BASE, mtime=0))
    assert f"{packed[7:19]}: Already exists" in said and f"{packed[7:19]}: Pull complete" not in said
    assert registry.count("GET", packed) == 1


async def test_a_moved_tag_gives_the_newer_image(store: ImageStore, registry: FakeRegistry) -> None:
    old = registry.add_image("app", "v1", [BASE])
    await pulled(store, registry, "app:v1")
    new = registry.add_image("app", "v1", [TOP])
    assert (await pulled(store, registry, "app:v1"))[-1].startswith("Status: Downloaded newer image")
    assert store.get(f"{registry.host}/app:v1").id == new and old in store.ids()


async def test_by_digest(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [BASE])
    name = f"app@{digest(registry.manifests['app/v1'][1])}"
    said = await pulled(store, registry, name)
    assert said[-1] == f"Status: Downloaded newer image for {registry.host}/{name}"
    assert store.get(image_id).tags == ()
    assert Digests.of(store).image(f"{registry.host}/{name}") == image_id
    assert (await pulled(store, registry, name))[-1].startswith("Status: Image is up to date")


async def test_all_tags(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    registry.add_image("app", "v2", [BASE, TOP])
    await pulled(store, registry, "app")
    assert sorted(store.tags()) == [f"{registry.host}/app:v1", f"{registry.host}/app:v2"]


async def test_the_same_layer_twice_in_one_image(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [BASE, TOP, BASE])
    await pulled(store, registry, "app:v1")
    assert store.get(image_id).diff_ids == (digest(BASE), digest(TOP), digest(BASE))
    assert registry.count("GET", digest(gzip.compress(BASE, mtime=0))) == 1


async def test_an_image_without_layers(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [])
    await pulled(store, registry, "app:v1")
    assert store.get(image_id).layers == ()


# --- several platforms ---------------------------------------------------------------------------------------------


def add_index(registry: FakeRegistry, *architectures: str, media_type: str = DOCKER_INDEX) -> dict[str, str]:
    """An index under app:v1; the image of each architecture has a file that names it. Gives the images' ids."""
    entries, ids = [], {}
    for name in architectures:
        ids[name] = registry.add_image("app", f"for-{name}", [layer(arch=name)])
        raw = registry.manifests[f"app/for-{name}"][1]
        platform = {"os": "linux", "architecture": name}
        entries.append({"mediaType": DOCKER_MANIFEST, "size": len(raw), "digest": digest(raw), "platform": platform})
    index = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    registry.add_manifest("app", "v1", index, media_type)
    return ids


@pytest.mark.parametrize("media_type", [DOCKER_INDEX, INDEX])
async def test_the_image_for_this_machine(store: ImageStore, registry: FakeRegistry, media_type: str) -> None:
    ids = add_index(registry, "s390x", architecture(), "riscv64", media_type=media_type)
    said = await pulled(store, registry, "app:v1")
    assert store.get(f"{registry.host}/app:v1").id == ids[architecture()]
    assert said[-2] == f"Digest: {digest(registry.manifests['app/v1'][1])}", "the index's digest is the image's name"


async def test_the_image_for_another_machine_if_asked_for(store: ImageStore, registry: FakeRegistry) -> None:
    ids = add_index(registry, "s390x", architecture())
    await lines(pull(store, reference.parse(f"{registry.host}/app:v1"), NOBODY, platforms.parse("linux/s390x")))
    assert store.ids() == [ids["s390x"]]


async def test_no_image_for_this_machine(store: ImageStore, registry: FakeRegistry) -> None:
    add_index(registry, "s390x")
    with pytest.raises(ApiError, match=f"no matching manifest for linux/{architecture()} in the manifest list") as told:
        await pulled(store, registry, "app:v1")
    assert told.value.status == 404 and is_empty(store)


async def test_an_index_may_not_lead_to_another(store: ImageStore, registry: FakeRegistry) -> None:
    add_index(registry, architecture())
    raw = registry.manifests["app/v1"][1]
    entry = json.loads(raw)["manifests"][0] | {"digest": digest(raw), "size": len(raw)}
    registry.add_manifest("app", "v2", {**json.loads(raw), "manifests": [entry]}, DOCKER_INDEX)
    with pytest.raises(ApiError, match="should be the manifest"):
        await pulled(store, registry, "app:v2")


# --- what is refused -----------------------------------------------------------------------------------------------


async def refused(store: ImageStore, registry: FakeRegistry, words: str, code: int = 500) -> None:
    """The pull of app:v1 fails with these words, and nothing of it stays."""
    with pytest.raises(ApiError, match=words) as told:
        await pulled(store, registry, "app:v1")
    assert told.value.status == code
    assert is_empty(store)


async def test_a_layer_with_another_digest(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE, TOP])
    packed = gzip.compress(TOP, mtime=0)
    registry.blobs[digest(packed)] = packed[:-1] + b"x"
    await refused(store, registry, "verification failed for digest")
    assert registry.count("GET", digest(packed)) == 1, "a wrong blob is not worth another try"


@pytest.mark.parametrize("change", [-1, 1])
async def test_a_layer_of_another_size(store: ImageStore, registry: FakeRegistry, change: int) -> None:
    packed = gzip.compress(BASE, mtime=0)
    wrong = {"mediaType": DOCKER_LAYER, "size": len(packed) + change, "digest": digest(packed)}
    registry.add_image("app", "v1", [BASE], layers=[wrong])
    await refused(store, registry, "were promised")


async def test_more_bytes_than_promised_without_a_length(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                await response.write(bytes(1 << 16))
        return response

    registry.fail("GET", digest(gzip.compress(BASE, mtime=0)), endless)
    await refused(store, registry, "larger than")


async def test_a_layer_that_is_not_what_the_config_says(store: ImageStore, registry: FakeRegistry) -> None:
    other = gzip.compress(TOP, mtime=0)
    told = {"mediaType": DOCKER_LAYER, "size": len(other), "digest": registry.add_blob(other)}
    registry.add_image("app", "v1", [BASE], layers=[told])
    await refused(store, registry, "but its image's config promises")


async def test_fewer_layers_than_the_config_says(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE], layers=[])
    await refused(store, registry, "has 0 layers, the image's config 1")


async def test_a_manifest_that_is_an_index_too(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE], manifests=[])
    await refused(store, registry, "both `manifests` and `layers`")


async def test_a_manifest_of_another_type_than_announced(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    registry.manifests["app/v1"] = (MANIFEST, registry.manifests["app/v1"][1])
    await refused(store, registry, "the registry sent it as")


async def test_a_manifest_with_another_digest(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    wrong = "sha256:" + "0" * 64
    registry.manifests[f"app/{wrong}"] = registry.manifests["app/v1"]
    with pytest.raises(ApiError, match="manifest verification failed"):
        await pulled(store, registry, f"app@{wrong}")


async def test_a_manifest_without_end(store: ImageStore, registry: FakeRegistry) -> None:
    registry.fail("GET", "/manifests/", sends(b" " * (5 << 20), **{"Content-Type": DOCKER_MANIFEST}))
    await refused(store, registry, "no document is that long")


async def test_a_layer_compressed_with_zstd(store: ImageStore, registry: FakeRegistry) -> None:
    packed = b"\x28\xb5\x2f\xfd" + bytes(20)
    told = {"mediaType": DOCKER_LAYER, "size": len(packed), "digest": registry.add_blob(packed)}
    registry.add_image("app", "v1", [BASE], layers=[told])
    await refused(store, registry, "recompress it with gzip")


async def test_a_config_with_another_digest(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [BASE])
    registry.blobs[image_id] = registry.blobs[image_id].replace(b"sh", b"hs")
    await refused(store, registry, "the config sha256")


async def test_a_layer_that_reaches_outside(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [layer(**{"../../escaped": "x"})])
    await refused(store, registry, "failed to register layer")


# --- Docker's words ------------------------------------------------------------------------------------------------


async def test_no_such_tag(store: ImageStore, registry: FakeRegistry) -> None:
    words = f"^manifest for {registry.host}/app:v1 not found: manifest unknown: manifest unknown$"
    await refused(store, registry, words, 404)


async def test_no_such_repository_or_no_right_to_it(store: ImageStore, registry: FakeRegistry) -> None:
    async def denied(request: web.Request) -> web.StreamResponse:
        return error(403, "DENIED", "requested access to the resource is denied")

    registry.fail("GET", "/manifests/", denied)
    words = (
        f"^pull access denied for {registry.host}/app, repository does not exist or may require 'docker login': "
        "denied: requested access to the resource is denied$"
    )
    await refused(store, registry, words, 404)


async def test_nobody_there(store: ImageStore, registry: FakeRegistry) -> None:
    registry.port = 1
    await refused(store, registry, r'^Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused$')


# --- what passes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [status(429, **{"Retry-After": "0"}), status(500), status(503)])
@pytest.mark.parametrize("what", ["/manifests/", "/blobs/"])
async def test_a_busy_registry_is_asked_again(
    store: ImageStore, registry: FakeRegistry, what: str, answer: Any
) -> None:
    image_id = registry.add_image("app", "v1", [BASE])
    registry.fail("GET", what, answer, times=ATTEMPTS - 1)
    await pulled(store, registry, "app:v1")
    assert store.ids() == [image_id]


async def test_but_not_for_ever(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    registry.fail("GET", "/manifests/", status(503), times=100)
    await refused(store, registry, "received unexpected HTTP status: 503 Service Unavailable")
    assert registry.count("GET", "/manifests/") == ATTEMPTS


async def test_a_cut_download_goes_on_where_it_stopped(store: ImageStore, registry: FakeRegistry) -> None:
    noise = random.Random(0).randbytes(150_000).hex()  # gzip halves it
    image_id = registry.add_image("app", "v1", [layer(noise=noise)])
    packed = json.loads(registry.manifests["app/v1"][1])["layers"][0]["digest"]
    registry.fail("GET", packed, cut(registry, 50_000), times=2)
    await pulled(store, registry, "app:v1")
    assert store.ids() == [image_id]
    ranges = [headers.get("Range") for _, path, headers in registry.seen if packed in path]
    assert ranges == [None, "bytes=50000-", "bytes=100000-"]


async def test_a_server_without_ranges_sends_all_of_it_again(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [TOP])
    packed = gzip.compress(TOP, mtime=0)
    registry.fail("GET", digest(packed), cut(registry, 50))
    registry.fail("GET", digest(packed), sends(packed))
    await pulled(store, registry, "app:v1")
    assert store.ids() == [image_id]


async def test_a_connection_that_always_breaks(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [TOP])
    packed = digest(gzip.compress(TOP, mtime=0))
    registry.fail("GET", packed, cut(registry, 10), times=100)
    await refused(store, registry, "unexpected EOF")
    assert registry.count("GET", packed) == ATTEMPTS


async def test_a_pull_that_is_given_up_leaves_nothing(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE, TOP])
    asked = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(60)
        return web.Response()

    registry.fail("GET", digest(gzip.compress(TOP, mtime=0)), silent)
    progress = pull(store, reference.parse(f"{registry.host}/app:v1"))
    await anext(progress)
    await asyncio.wait_for(asked.wait(), 10)
    await progress.aclose()
    assert is_empty(store)


# --- login ---------------------------------------------------------------------------------------------------------

LEARNER = Credentials("learner", "secret")


async def test_a_token_is_fetched_for_the_repository(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [BASE])
    registry.login = ("learner", "secret")
    await pulled(store, registry, "app:v1", LEARNER)
    assert store.ids() == [image_id]
    assert registry.count("GET", "/token") == 1


async def test_a_token_that_ran_out_is_renewed(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [BASE])
    registry.login = ("learner", "secret")

    async def expire(request: web.Request) -> web.StreamResponse:
        registry.token = "another"
        return await registry.usual(request)

    registry.fail("GET", "/blobs/", expire)
    await pulled(store, registry, "app:v1", LEARNER)
    assert store.ids() == [image_id] and registry.count("GET", "/token") == 2


async def test_a_wrong_password(store: ImageStore, registry: FakeRegistry) -> None:
    registry.login = ("learner", "secret")
    with pytest.raises(ApiError, match="unauthorized: incorrect username or password"):
        await pulled(store, registry, "app:v1", Credentials("learner", "wrong"))


async def test_a_token_stays_with_its_registry(store: ImageStore, registry: FakeRegistry) -> None:
    """Blobs often lie elsewhere, and the registry redirects there; that server gets no token."""
    image_id = registry.add_image("app", "v1", [BASE])
    registry.login = ("learner", "secret")
    packed = digest(gzip.compress(BASE, mtime=0))
    elsewhere = f"http://localhost:{registry.port}/storage/{packed}"
    registry.fail("GET", f"/app/blobs/{packed}", status(307, Location=elsewhere))
    registry.fail("GET", "/storage/", sends(gzip.compress(BASE, mtime=0)))
    await pulled(store, registry, "app:v1", LEARNER)
    assert store.ids() == [image_id]
    assert [h.get("Authorization") for _, path, h in registry.seen if path.startswith("/storage/")] == [None]


async def test_an_unknown_image_is_still_unknown(store: ImageStore) -> None:
    with pytest.raises(NoSuchImage):
        store.get("nosuch@sha256:" + "0" * 64)


async def test_a_registry_that_wants_a_password_each_time(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [BASE])
    registry.fail("GET", "/v2/", status(401, **{"WWW-Authenticate": 'Basic realm="course"'}))
    await pulled(store, registry, "app:v1", LEARNER)
    assert store.ids() == [image_id]
    assert {headers.get("Authorization") for _, path, headers in registry.seen[1:]} == {LEARNER.basic}
