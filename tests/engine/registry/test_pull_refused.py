"""What a pull refuses: a registry's word is taken for nothing that can be computed."""

import contextlib
import gzip

import pytest
from aiohttp import web

from labkit.engine.errors import ApiError
from labkit.engine.images.save import MANIFEST
from labkit.engine.images.store import ImageStore
from labkit.engine.registry.manifests import DOCKER_LAYER, DOCKER_MANIFEST
from tests.engine.registry.fake import FakeRegistry, digest, error, layer, sends
from tests.engine.registry.pulls import BASE, TOP, pulled, refused


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
