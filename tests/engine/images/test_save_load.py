"""Images out of one store and into another, or into dockerd and back."""

import gzip
import io
import json
import os
import tarfile

import pytest

from labkit.engine.errors import NoSuchImage
from labkit.engine.images.archive import BadArchive, extract
from labkit.engine.images.image import architecture, digest
from labkit.engine.images.store import ImageStore
from labkit.engine.images.vfs import VfsDriver
from tests.engine.images.trees import file, folder, link, names, tar

NAME = f"labkit-test-images-saved-{os.getpid()}"  # several runs may share one dockerd
CONTAINER = "c" * 64


@pytest.fixture
def store(plain_store):
    return plain_store


@pytest.fixture
def other(tmp_path):
    return ImageStore(tmp_path / "other", VfsDriver(tmp_path / "other" / "overlay"))


@pytest.fixture
def image(store):
    """Two layers, and a config with something in it."""
    base = store.import_tar(io.BytesIO(tar(folder("d"), file("d/a", b"1"), link("l", "d"))), None, ["ENV A=1"], "")
    store.driver.create(CONTAINER, base)
    with store.driver.opened(CONTAINER) as fd:
        extract(io.BytesIO(tar(file("d/b", b"2"))), fd)
    words = {"author": "me", "comment": "two", "changes": ["CMD x"], "created_by": "cp"}
    made = store.commit(CONTAINER, base, {"Env": ["A=1"]}, ref=f"{NAME}:1", **words)
    store.driver.remove(CONTAINER)
    return made


def saved(store: ImageStore, *refs: str) -> bytes:
    return b"".join(store.save(refs))


def loaded(store: ImageStore, archive: bytes) -> list[str]:
    """What `docker load` prints."""
    return [item["stream"].strip() for item in store.load(io.BytesIO(archive)) if "stream" in item]


def test_there_and_back_again(store, other, image):
    archive = saved(store, f"{NAME}:1")
    assert loaded(other, archive) == [f"Loaded image: {NAME}:1"]
    there = other.get(NAME + ":1")
    assert (there.id, there.config, there.layers, there.size) == (image.id, image.config, image.layers, image.size)
    assert saved(other, f"{NAME}:1") == archive  # every byte
    assert loaded(other, archive) == [f"Loaded image: {NAME}:1"]  # twice is once
    assert loaded(other, gzip.compress(archive)) == [f"Loaded image: {NAME}:1"]


def test_progress_names_each_new_layer(store, other, image):
    archive = saved(store, f"{NAME}:1")
    told = [item["id"] for item in other.load(io.BytesIO(archive)) if item.get("status") == "Loading layer"]
    assert told == [diff_id[7:19] for diff_id in image.diff_ids]
    assert not any("status" in item for item in other.load(io.BytesIO(archive)))


def test_an_id_is_saved_without_a_name(store, other, image):
    assert loaded(other, saved(store, image.id)) == [f"Loaded image ID: {image.id}"]
    assert other.get(image.id).tags == ()


def test_a_bare_name_is_all_its_tags(store, other, image):
    store.tag(image, NAME)
    assert loaded(other, saved(store, NAME)) == [f"Loaded image: {NAME}:1", f"Loaded image: {NAME}:latest"]


def test_a_layer_is_written_once(store, image):
    store.import_tar(io.BytesIO(tar(file("z"))), "z", [], "")
    archive = saved(store, f"{NAME}:1", "z", image.id, f"{NAME}:1")
    assert len(names(archive)) == len(set(names(archive)))


def test_an_unknown_name_is_told_before_the_first_byte(store):
    with pytest.raises(NoSuchImage):
        store.save(["nobody"])


def test_a_name_that_was_somebody_elses(store, other, image):
    old = other.import_tar(io.BytesIO(tar(file("x"))), f"{NAME}:1", [], "")
    assert loaded(other, saved(store, f"{NAME}:1")) == [
        f"The image {NAME}:1 already exists, renaming the old one with ID {old.id} to empty string",
        f"Loaded image: {NAME}:1",
    ]


def test_ours_into_dockerd(store, image, dockerd):
    [theirs] = dockerd.images.load(saved(store, f"{NAME}:1"))
    try:
        assert theirs.id == image.id and theirs.tags == [f"{NAME}:1"]
        assert tuple(theirs.attrs["RootFS"]["Layers"]) == image.diff_ids
        assert theirs.attrs["Size"] == image.size and theirs.attrs["Config"]["Env"] == ["A=1"]
        ours = [(row["CreatedBy"], row["Comment"], row["Size"], row["Created"]) for row in store.history(image)]
        assert [(row["CreatedBy"], row["Comment"], row["Size"], row["Created"]) for row in theirs.history()] == ours
    finally:
        dockerd.images.remove(f"{NAME}:1")


def test_dockerds_into_ours_and_back(store, dockerd):
    dockerd.api.import_image_from_data(tar(file("a", b"1")), repository=NAME, tag="theirs")
    container = dockerd.containers.create(f"{NAME}:theirs", "x", name=f"{NAME}-1")
    try:
        container.put_archive("/", tar(file("b", b"22")))
        container.commit(NAME, "two", changes=["ENV A=1", 'CMD ["sh"]'])
        theirs = dockerd.images.get(f"{NAME}:two")
        assert loaded(store, b"".join(theirs.save(named=True))) == [f"Loaded image: {NAME}:two"]
        ours = store.get(f"{NAME}:two")
        assert ours.id == theirs.id and ours.size == theirs.attrs["Size"]
        assert list(ours.diff_ids) == theirs.attrs["RootFS"]["Layers"]
        dockerd.images.remove(f"{NAME}:two")
        assert dockerd.images.load(saved(store, f"{NAME}:two"))[0].id == ours.id
    finally:
        container.remove()
        for tag in ("two", "theirs"):
            dockerd.images.remove(f"{NAME}:{tag}")


# --- OCI layouts, made by hand ---------------------------------------------------------------------------------------
LAYER = tar(file("a", b"content"))
CONFIG = {
    "architecture": architecture(),
    "os": "linux",
    "config": {},
    "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)]},
}
TYPES = {
    "config": "application/vnd.oci.image.config.v1+json",
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "index": "application/vnd.oci.image.index.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar",
}


class Layout:
    """An OCI image layout in which every detail can be made wrong."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def blob(self, kind: str, content: object, **fields: object) -> dict[str, object]:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.blobs[f"blobs/sha256/{digest(raw)[7:]}"] = raw
        return {"mediaType": TYPES[kind], "digest": digest(raw), "size": len(raw), **fields}

    def manifest(self, layer: bytes = LAYER, config: object = CONFIG, **fields: object) -> dict[str, object]:
        layers, described = [self.blob("layer", layer)], self.blob("config", config)
        return {"schemaVersion": 2, "mediaType": TYPES["manifest"], "config": described, "layers": layers, **fields}

    def archive(self, *descriptors: object, **fields: object) -> bytes:
        index = {"schemaVersion": 2, "mediaType": TYPES["index"], "manifests": list(descriptors), **fields}
        files = {**self.blobs, "index.json": json.dumps(index).encode()}
        return tar(*(file(name, content) for name, content in files.items()))


def named(name: str) -> dict[str, object]:
    return {"annotations": {"io.containerd.image.name": name}}


def test_an_oci_layout(store):
    layout = Layout()
    archive = layout.archive(layout.blob("manifest", layout.manifest(), **named("docker.io/library/app:1")))
    assert loaded(store, archive) == ["Loaded image: app:1"]
    assert store.get("app:1").id == digest(json.dumps(CONFIG).encode())


def test_a_compressed_layer(store):
    layout = Layout()
    archive = layout.archive(layout.blob("manifest", layout.manifest(gzip.compress(LAYER))))
    [line] = loaded(store, archive)
    assert line.startswith("Loaded image ID: ") and store.list()[0].size == 7


def test_of_several_platforms_this_machines(store):
    layout = Layout()
    foreign = layout.blob("manifest", layout.manifest(config={**CONFIG, "os": "plan9"}))
    mine = layout.blob("manifest", layout.manifest())
    foreign["platform"] = {"os": "plan9", "architecture": "mips"}
    mine["platform"] = {"os": "linux", "architecture": architecture()}
    index = layout.blob("index", {"mediaType": TYPES["index"], "manifests": [foreign, mine]}, **named("app"))
    assert loaded(store, layout.archive(index)) == ["Loaded image: app:latest"]
    assert store.get("app").config["os"] == "linux"
    with pytest.raises(BadArchive, match="no image for linux"):
        loaded(store, layout.archive(layout.blob("index", {"manifests": [foreign]})))


def test_what_docker_before_25_wrote(store):
    """A folder a layer, and a symbolic link where an image has the same layer twice."""
    two = {**CONFIG, "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)] * 2}}
    raw = json.dumps(two).encode()
    config = f"{digest(raw)[7:]}.json"
    manifest = [{"Config": config, "RepoTags": ["app:1"], "Layers": ["x/layer.tar", "y/layer.tar"]}]
    items = [folder("x"), file("x/layer.tar", LAYER), link("y/layer.tar", "../x/layer.tar"), file(config, raw)]
    assert loaded(store, tar(*items, file("manifest.json", json.dumps(manifest).encode()))) == ["Loaded image: app:1"]
    assert len(store.get("app:1").layers) == 2


def wrong_layer(layout: Layout) -> bytes:
    return layout.archive(layout.blob("manifest", layout.manifest(layer=tar(file("other")))))


def both(layout: Layout) -> bytes:
    return layout.archive(layout.blob("manifest", layout.manifest(manifests=[])))


def both_on_top(layout: Layout) -> bytes:
    return layout.archive(layout.blob("manifest", layout.manifest()), layers=[])


def wrong_size(layout: Layout) -> bytes:
    return layout.archive({**layout.blob("manifest", layout.manifest()), "size": 1})


def wrong_type(layout: Layout) -> bytes:
    return layout.archive({**layout.blob("manifest", layout.manifest()), "mediaType": TYPES["index"]})


def other_type_inside(layout: Layout) -> bytes:
    return layout.archive(layout.blob("manifest", layout.manifest(mediaType=TYPES["index"])))


def changed_blob(layout: Layout) -> bytes:
    descriptor = layout.blob("manifest", layout.manifest())
    layout.blobs = {name: raw.replace(b"linux", b"linuy") for name, raw in layout.blobs.items()}
    return layout.archive(descriptor)


def missing_blob(layout: Layout) -> bytes:
    return layout.archive({"mediaType": TYPES["manifest"], "digest": "sha256:" + "0" * 64, "size": 2})


def path_as_digest(layout: Layout) -> bytes:
    return layout.archive({"mediaType": TYPES["manifest"], "digest": "sha256:../../index.json", "size": 2})


def deep_index(layout: Layout) -> bytes:
    inner = layout.blob("manifest", layout.manifest())
    for _ in range(200):
        inner = layout.blob("index", {"mediaType": TYPES["index"], "manifests": [inner]})
    return layout.archive(inner)


def too_many_layers(layout: Layout) -> bytes:
    manifest = layout.manifest()
    return layout.archive(layout.blob("manifest", {**manifest, "layers": [*manifest["layers"]] * 2}))


WRONG = (
    wrong_layer, both, both_on_top, wrong_size, wrong_type, other_type_inside, changed_blob, missing_blob,
    path_as_digest, deep_index, too_many_layers,
)  # fmt: skip


@pytest.mark.parametrize("make", WRONG, ids=lambda make: make.__name__)
def test_an_archive_that_lies_changes_nothing(store, make):
    with pytest.raises(BadArchive):
        loaded(store, make(Layout()))
    assert store.list() == [] and store.driver.layers() == [] and list(store.blobs.root.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"[", b"{}", b"[1]", b'[{"Config": 1}]', b'[{"Config": "x", "Layers": "y"}]', b"[" * 100_000]
)
def test_a_manifest_that_is_none(store, content):
    with pytest.raises(BadArchive):
        loaded(store, tar(file("manifest.json", content), file("x", b"[]")))


def test_a_config_whose_name_is_another_digest(store):
    manifest = [{"Config": "0" * 64 + ".json", "RepoTags": [], "Layers": []}]
    items = file("0" * 64 + ".json", json.dumps(CONFIG).encode()), file("manifest.json", json.dumps(manifest).encode())
    with pytest.raises(BadArchive, match="has the digest"):
        loaded(store, tar(*items))


def test_a_file_tree_is_no_image(store):
    with pytest.raises(BadArchive, match="import it"):
        loaded(store, tar(file("etc/passwd")))


def test_names_in_the_archive_become_no_paths(store, tmp_path):
    with pytest.raises(BadArchive):
        loaded(store, tar(file("../../evil", b"x")))
    with pytest.raises(BadArchive):
        loaded(store, tar(("dev", {"type": tarfile.CHRTYPE})))
    assert not list(tmp_path.rglob("evil"))
