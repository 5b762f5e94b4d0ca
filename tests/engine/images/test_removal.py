"""`docker rmi`: rows and refusals, in Docker's words."""

import io
import os
import re

import pytest

from labkit.engine.errors import Conflict, NoSuchImage
from tests.engine.images.trees import file, tar

CONTAINER = "c" * 64


@pytest.fixture
def store(plain_store):
    return plain_store


@pytest.fixture
def image(store):
    return store.import_tar(io.BytesIO(tar(file("a"))), "app:1", [], "")


def remove(store, ref, *, force=False, users=(), running=False, **options):
    in_use = {store.get(ref).id: list(users)} if users else {}
    return store.remove(ref, force=force, in_use=in_use, running=users if running else (), **options)


def child_of(store, image, ref):
    """An image committed from an unchanged container."""
    store.driver.create(CONTAINER, image)
    words = {"author": "", "comment": "", "changes": [], "created_by": ""}
    made = store.commit(CONTAINER, image, {}, ref=ref, **words)
    store.driver.remove(CONTAINER)
    return made


def refused(text):
    return pytest.raises(Conflict, match="^" + re.escape(text) + "$")


def test_the_last_name_takes_the_image(store, image):
    layer = image.diff_ids[0]  # of a single layer, chain id and diff id are the same
    assert remove(store, "app:1") == [{"Untagged": "app:1"}, {"Deleted": image.id}, {"Deleted": layer}]
    with pytest.raises(NoSuchImage):
        store.get(image.id)


def test_one_name_of_two_is_only_a_name(store, image):
    store.tag(image, "other")
    assert remove(store, "app:1") == [{"Untagged": "app:1"}]
    assert store.get("other").id == image.id


def test_by_id_with_one_name(store, image):
    assert [*remove(store, image.id)[0]] == ["Untagged"] and store.list() == []


def test_by_id_with_several_names(store, image):
    store.tag(image, "other")
    with refused(
        f"conflict: unable to delete {image.id[7:19]} (must be forced) - image is referenced in multiple repositories"
    ):
        remove(store, image.id)
    assert len(remove(store, image.id, force=True)) == 4 and store.list() == []


def test_a_stopped_container_keeps_it(store, image):
    with refused(
        f'conflict: unable to remove repository reference "app:1" (must force) - '
        f"container {CONTAINER[:12]} is using its referenced image {image.id[7:19]}"
    ):
        remove(store, "app:1", users=[CONTAINER])
    with refused(
        f"conflict: unable to delete {image.id[7:19]} (must be forced) - "
        f"image is being used by stopped container {CONTAINER[:12]}"
    ):
        remove(store, image.id, users=[CONTAINER])
    remove(store, "app:1", users=[CONTAINER], force=True)
    assert store.list() == []


def test_a_running_container_keeps_it_by_force(store, image):
    with refused(
        f"conflict: unable to delete {image.id[7:19]} (cannot be forced) - "
        f"image is being used by running container {CONTAINER[:12]}"
    ):
        remove(store, image.id, users=[CONTAINER], running=True, force=True)
    assert remove(store, "app:1", users=[CONTAINER], running=True, force=True) == [{"Untagged": "app:1"}]
    assert store.get(image.id).tags == ()


def test_layers_stay_for_a_container_whose_image_was_forced_away(store, image):
    store.driver.create(CONTAINER, image)
    remove(store, "app:1", users=[CONTAINER], force=True)
    assert store.list() == [] and store.driver.layers() == list(image.layers)
    with store.driver.opened(CONTAINER):
        pass
    store.driver.remove(CONTAINER)
    assert store.collect() == [image.diff_ids[0]] and store.driver.layers() == []


def test_a_parent_stays_for_its_child(store, image):
    child = child_of(store, image, "child")
    with refused(f"conflict: unable to delete {image.id[7:19]} (cannot be forced) - image has dependent child images"):
        remove(store, image.id, force=True)
    assert remove(store, "app:1") == [{"Untagged": "app:1"}]
    assert {i.id for i in store.list()} == {child.id, image.id}


@pytest.mark.parametrize("prune", [True, False])
def test_an_unnamed_parent_goes_with_its_child(store, image, prune):
    child = child_of(store, image, "child")
    remove(store, "app:1")
    rows = remove(store, "child", prune=prune)
    assert rows[:2] == [{"Untagged": "child:latest"}, {"Deleted": child.id}]
    assert ({"Deleted": image.id} in rows) is prune and (store.list() == []) is prune


def test_the_same_words_as_dockerd(store, image, dockerd):
    """The texts above are what dockerd says: one that matters, asked of the real thing."""
    name = f"labkit-test-images-removal-{os.getpid()}"
    dockerd.api.import_image_from_data(tar(file("a")), repository=name, tag="1")
    container = dockerd.containers.create(f"{name}:1", "x", name=name)
    try:
        theirs = dockerd.api.delete(dockerd.api._url("/images/{0}", f"{name}:1"), timeout=30).json()["message"]
    finally:
        container.remove()
        dockerd.images.remove(f"{name}:1")
    with pytest.raises(Conflict) as ours:
        remove(store, "app:1", users=[CONTAINER])
    ids = re.compile("[0-9a-f]{12}|c{12}")
    assert ids.sub("ID", theirs).replace(name, "app") == ids.sub("ID", ours.value.message)
