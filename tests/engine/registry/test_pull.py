"""Pull: the right image comes, under the right names, and no byte more than is needed."""

import gzip
import json

import pytest

from labkit.engine.errors import ApiError, NoSuchImage
from labkit.engine.images import reference
from labkit.engine.images.image import architecture
from labkit.engine.images.save import INDEX
from labkit.engine.images.store import ImageStore
from labkit.engine.registry import platforms
from labkit.engine.registry.auth import NOBODY
from labkit.engine.registry.manifests import DOCKER_INDEX, DOCKER_MANIFEST
from labkit.engine.registry.pull import pull
from tests.engine.registry.fake import FakeRegistry, digest, layer, sends
from tests.engine.registry.pulls import BASE, TOP, is_empty, lines, pulled

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
    assert found.digests == (f"{name}@{manifest}",)


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
    assert store.get(f"{registry.host}/{name}").id == image_id
    assert (await pulled(store, registry, name))[-1].startswith("Status: Image is up to date")


async def test_all_tags(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    registry.add_image("app", "v2", [BASE, TOP])
    await pulled(store, registry, "app")
    assert sorted(store.tags()) == [f"{registry.host}/app:v1", f"{registry.host}/app:v2"]


async def test_a_tag_that_is_none_is_no_path(store: ImageStore, registry: FakeRegistry) -> None:
    registry.fail("GET", "/tags/list", sends(b'{"tags": ["../../other/manifests/v1"]}'))
    with pytest.raises(ApiError, match="invalid reference format"):
        await pulled(store, registry, "app")
    assert registry.count("GET", "/manifests/") == 0


async def test_the_same_layer_twice_in_one_image(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [BASE, TOP, BASE])
    await pulled(store, registry, "app:v1")
    assert store.get(image_id).diff_ids == (digest(BASE), digest(TOP), digest(BASE))
    assert registry.count("GET", digest(gzip.compress(BASE, mtime=0))) == 1


async def test_an_image_without_layers(store: ImageStore, registry: FakeRegistry) -> None:
    image_id = registry.add_image("app", "v1", [])
    await pulled(store, registry, "app:v1")
    assert store.get(image_id).layers == ()


async def test_a_digest_goes_with_the_last_tag_of_its_repository(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    await pulled(store, registry, "app:v1")
    name = f"{registry.host}/app:v1"
    known = store.get(name).digests[0]
    store.tag(store.get(name), "mine:1")
    assert store.remove(name, force=False, in_use={}) == [{"Untagged": name}, {"Untagged": known}]
    assert store.get("mine:1").digests == ()
    with pytest.raises(NoSuchImage):
        store.get(known)


async def test_a_digest_can_be_removed_alone(store: ImageStore, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    await pulled(store, registry, "app:v1")
    found = store.get(f"{registry.host}/app:v1")
    assert store.remove(found.digests[0], force=False, in_use={}) == [{"Untagged": found.digests[0]}]
    assert store.get(found.id).tags == found.tags


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
