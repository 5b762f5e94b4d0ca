"""Which images there are and what they are called."""

import io
import json
import threading

import pytest

from labkit.engine.errors import BadParameter, NoSuchImage
from labkit.engine.images.image import short_id
from labkit.engine.images.store import ImageStore
from tests.engine.images.trees import file, tar


@pytest.fixture
def store(plain_store):
    return plain_store


def add(store: ImageStore, content: bytes, ref: str | None = None, **fields):
    return store.import_tar(io.BytesIO(tar(file("content", content))), ref, **{"changes": [], "message": "", **fields})


def test_found_by_name_and_by_id(store):
    image = add(store, b"1", "app:1")
    bare = image.id.removeprefix("sha256:")
    shortened = bare[:12], bare[:6], f"sha256:{bare[:9]}"
    for ref in ("app:1", "docker.io/library/app:1", image.id, bare, f"app@{image.id}", *shortened):
        assert store.get(ref) == image
    assert image.tags == ("app:1",) and image.config["architecture"] and image.created.endswith("Z")


@pytest.mark.parametrize(
    ("ref", "shown"),
    [("app", "app:latest"), ("app:2", "app:2"), ("f" * 64, "f" * 64), ("sha256:" + "f" * 64, "sha256:" + "f" * 64)],
)
def test_not_found_says_what_was_looked_for(store, ref, shown):
    add(store, b"1", "app:1")
    with pytest.raises(NoSuchImage, match=f"^No such image: {shown}$"):
        store.get(ref)


def test_an_ambiguous_beginning_is_not_found(store):
    ids = [add(store, str(n).encode()).id for n in range(17)]  # seventeen ids, sixteen letters to begin with
    first = sorted(letter for letter in "0123456789abcdef" if sum(i[7] == letter for i in ids) > 1)[0]
    with pytest.raises(NoSuchImage):
        store.get(first)


def test_a_name_moves_to_the_newest(store):
    old, new = add(store, b"1", "app"), add(store, b"2", "app")
    assert store.get("app").id == new.id and store.get(old.id).tags == ()
    assert [image.id for image in store.list()] == [new.id, old.id]


def test_several_names(store):
    image = add(store, b"1", "app")
    store.tag(image, "localhost:5000/other:x")
    assert store.get(image.id).tags == ("app:latest", "localhost:5000/other:x")
    with pytest.raises(BadParameter, match="digest reference"):
        store.tag(image, f"app@{image.id}")
    with pytest.raises(BadParameter, match="invalid reference format"):
        store.tag(image, "App")


def test_everything_is_still_there_after_a_restart(store, tmp_path):
    add(store, b"1", "app")
    again = ImageStore(tmp_path, store.driver)
    again.sweep()
    assert again.list() == store.list()


def test_sweep_forgets_what_is_not_whole(store, tmp_path):
    """Killed at any moment, an engine leaves an image whole or not there."""
    whole, broken = add(store, b"1", "whole"), add(store, b"2", "broken")
    store.driver.remove_layer(broken.layers[0])
    (store.blobs.root / ".new.1").write_bytes(b"half a layer")
    (store.blobs.root / ("0" * 64)).write_bytes(b"a layer whose image was never written")
    again = ImageStore(tmp_path, store.driver)
    again.sweep()
    assert again.list() == [whole] and again.tags() == {"whole:latest": whole.id}
    assert len(list(store.blobs.root.iterdir())) == 2  # its config and its layer


def test_a_layer_is_shared_and_counted(store):
    one, two = add(store, b"same", "one", changes=["LABEL n=1"]), add(store, b"same", "two", changes=["LABEL n=2"])
    assert one.id != two.id and one.layers == two.layers and store.driver.layers() == list(one.layers)
    store.remove("one", force=False, in_use={})
    assert store.driver.layers() == list(two.layers)
    store.remove("two", force=False, in_use={})
    assert store.driver.layers() == [] and list(store.blobs.root.iterdir()) == []


def test_many_threads(store):
    """Every image has the shared layer and is removed by its own thread; none may miss it meanwhile."""

    def work(number: int) -> None:
        for round_ in range(3):
            name = f"app:{number}.{round_}"
            add(store, b"same", name, changes=[f"LABEL n={name}"])
            assert store.get(name).size == 4
            store.remove(name, force=False, in_use={})

    failures: list[object] = []
    hook, threading.excepthook = threading.excepthook, failures.append
    try:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = hook
    assert failures == [] and store.list() == [] and store.driver.layers() == []


def test_the_id_is_the_digest_of_the_config(store):
    image = add(store, b"1")
    raw = store.blobs.path(image.id).read_bytes()
    assert json.loads(raw) == image.config and short_id(image.id) == image.id[7:19]
