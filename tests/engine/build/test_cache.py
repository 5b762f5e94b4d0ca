"""The build cache: steps found among the images, by parents or by history."""

import io

import pytest

from labkit.engine.build.bases import NOTHING
from labkit.engine.build.cache import Cache, Step, commit
from labkit.engine.images.archive import extract
from labkit.engine.images.image import Image
from labkit.engine.images.store import ImageStore
from labkit.engine.images.vfs import VfsDriver
from tests.engine.images.trees import file, tar

LAYER = "c" * 64
RUN = ["/bin/sh", "-c", "touch /new"]
ENV = ["/bin/sh", "-c", "#(nop) ", "ENV A=1"]


@pytest.fixture
def store(tmp_path) -> ImageStore:
    return ImageStore(tmp_path, VfsDriver(tmp_path / "overlay"))


def base(store) -> Image:
    return store.import_tar(io.BytesIO(tar(file("a", b"1"))), "base", ["CMD sh"], "")


def done(store, step: Step, *items) -> Image:
    """Carry a step out: a layer with the items on its parent, committed."""
    store.driver.create(LAYER, step.parent)
    with store.driver.opened(LAYER) as root:
        extract(io.BytesIO(tar(*items)), root)
    image = commit(store, LAYER, step, author="me")
    store.driver.remove(LAYER)
    return image


def test_commit(store):
    below = base(store)
    image = done(store, Step(below, RUN, {"Cmd": ["x"], "Env": [], "Hostname": "h"}), file("new", b"22"))
    assert image.parent == below.id and image.size == 3 and image.config["config"] == {"Cmd": ["x"]}
    last = image.config["history"][-1]
    assert last["created_by"] == "/bin/sh -c touch /new" and last["author"] == "me" and "empty_layer" not in last
    assert image.config["container_config"] == {"Cmd": RUN}
    empty = done(store, Step(image, ENV, {"Env": ["A=1"]}))
    assert empty.layers == image.layers and empty.config["history"][-1]["empty_layer"] is True


def test_from_nothing(store):
    image = done(store, Step(NOTHING, ENV, {"Env": ["A=1"]}), file("a"))
    assert image.parent == "" and len(image.layers) == 1 and image.config["os"] == "linux"
    assert Cache(store).find(Step(NOTHING, ENV, {"Env": ["A=1"]})) == image


def test_the_same_step_is_found(store):
    below = base(store)
    step = Step(below, RUN, {"Cmd": ["x"]})
    image = done(store, step, file("new"))
    assert Cache(store).find(step) == image
    assert Cache(store, off=True).find(step) is None
    others = [
        Step(below, [*RUN, "x"], {"Cmd": ["x"]}),
        Step(below, ["/bin/sh", "-c touch /new"], {"Cmd": ["x"]}),  # the same text, other words
        Step(below, RUN, {"Cmd": ["y"]}),
        Step(image, RUN, {"Cmd": ["x"]}),
        Step(NOTHING, RUN, {"Cmd": ["x"]}),
    ]
    assert [Cache(store).find(other) for other in others] == [None] * 5


def test_the_newest_is_taken(store):
    step = Step(base(store), RUN, {})
    first, second = done(store, step, file("new", b"1")), done(store, step, file("new", b"2"))
    assert first.id != second.id and Cache(store).find(step) in (first, second)


def test_only_named_images_serve(store):
    below = base(store)
    one = Step(below, RUN, {})
    image = done(store, one, file("new"))
    two = Step(image, ENV, {"Env": ["A=1"]})
    top = done(store, two)
    store.tag(top, "top")
    assert Cache(store, ["no-such"]).find(one) is None
    cache = Cache(store, ["no-such", "top"])
    assert cache.find(one).id == image.id and cache.find(two).id == top.id
    assert cache.find(Step(below, ENV, {"Env": ["A=1"]})) is None


def test_an_image_that_came_from_elsewhere_serves_by_its_history(store):
    below = base(store)
    one = Step(below, RUN, {"Cmd": ["x"]})
    image = done(store, one, file("new"))
    top = done(store, Step(image, ENV, {"Env": ["A=1"]}))
    store.tag(top, "top")
    archive = b"".join(store.save(["top"]))
    store.remove("top", force=True, in_use={})
    assert image.id not in store.ids()
    list(store.load(io.BytesIO(archive)))
    cache = Cache(store, ["top"])
    found = cache.find(one)
    assert found is not None and found.parent == below.id and found.diff_ids == image.diff_ids
    assert found.config["config"] == {"Cmd": ["x"]} and found.config["history"] == image.config["history"]
    assert cache.find(Step(found, ENV, {"Env": ["A=1"]})) == store.get("top")
