"""A pull over a bad line, from a busy registry, with a login: what passes is waited for, but not for ever."""

import asyncio
import gzip
import json
import random
from typing import Any

import pytest
from aiohttp import web

from labkit.engine.errors import ApiError
from labkit.engine.images import reference
from labkit.engine.images.store import ImageStore
from labkit.engine.registry.auth import Credentials
from labkit.engine.registry.pull import pull
from tests.engine.registry.fake import FakeRegistry, cut, digest, layer, sends, status
from tests.engine.registry.pulls import ATTEMPTS, BASE, TOP, is_empty, pulled, refused


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


async def test_a_registry_that_wants_a_password_each_time(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [BASE])
    registry.fail("GET", "/v2/", status(401, **{"WWW-Authenticate": 'Basic realm="course"'}))
    await pulled(store, registry, "app:v1", LEARNER)
    assert store.ids() == [image_id]
    assert {headers.get("Authorization") for _, path, headers in registry.seen[1:]} == {LEARNER.basic}
