"""Import and commit, judged by dockerd, and the instructions of `--change`."""

import gzip
import io
import os
import time

import pytest

from labkit.engine.errors import BadParameter
from labkit.engine.images import instructions
from labkit.engine.images.archive import BadArchive, extract
from labkit.engine.images.image import digest, unix_time
from tests.engine.images.trees import file, folder, tar

NAME = f"labkit-test-images-make-{os.getpid()}"  # several runs may share one dockerd
CONTAINER = "c" * 64
CHANGES = [
    "ENV A=1 B=\"two words\"",
    "ENV PATH=/x:$A",
    "ENV OLD the rest",
    'CMD ["sh", "-c", "true"]',
    "EXPOSE 80 443/tcp 53/udp",
    "LABEL a.b=c d='e f'",
    "ONBUILD RUN true",
    "USER 1:2",
    'VOLUME ["/data"]',
    "VOLUME /more /stuff",
    "WORKDIR /a",
    "WORKDIR b",
    "HEALTHCHECK --interval=5s --timeout=1m --retries=2 CMD wget localhost",
    "entrypoint /bin/sh",
]  # fmt: skip


@pytest.fixture
def store(plain_store):
    return plain_store


def test_import(store):
    archive = tar(folder("d"), file("d/a", b"12345"))
    image = store.import_tar(io.BytesIO(archive), "app", ["CMD sh"], "by hand")
    assert image.diff_ids == (digest(archive),) and image.size == 5 and image.tags == ("app:latest",)
    assert image.config["config"] == {"Cmd": ["/bin/sh", "-c", "sh"]}
    assert image.config["history"][0]["comment"] == "by hand" and abs(unix_time(image.created) - time.time()) < 60
    packed = store.import_tar(io.BytesIO(gzip.compress(archive)), None, [], "")
    assert packed.layers == image.layers


@pytest.mark.parametrize("ref", ["App", "a:b:c"])
def test_a_bad_name_costs_nothing(store, ref):
    with pytest.raises(BadParameter):
        store.import_tar(io.BytesIO(tar(file("a"))), ref, [], "")
    assert list(store.blobs.root.iterdir()) == []


def test_a_bad_archive_leaves_nothing(store):
    for archive in (b"garbage " * 100, tar(file("a"), file("../b")), gzip.compress(tar(file("a", b"x" * 999)))[:-9]):
        with pytest.raises(BadArchive):
            store.import_tar(io.BytesIO(archive), "app", [], "")
    assert store.list() == [] and store.driver.layers() == [] and list(store.blobs.root.iterdir()) == []


def commit(store, base, config=None, **fields):
    words = {"ref": None, "author": "", "comment": "", "changes": [], "created_by": "", **fields}
    return store.commit(CONTAINER, base, config or {}, **words)


def test_commit_adds_one_layer(store):
    base = store.import_tar(io.BytesIO(tar(file("a", b"1"))), "base", ["LABEL x=y"], "")
    store.driver.create(CONTAINER, base)
    with store.driver.opened(CONTAINER) as fd:
        extract(io.BytesIO(tar(file("b", b"22"))), fd)
    config = {"Labels": {"x": "y"}, "Cmd": ["sh"], "Hostname": "h", "Tty": True, "Env": None}
    image = commit(
        store, base, config, ref="made", author="me", comment="why", created_by="sh -c x", changes=["USER 1"]
    )
    assert image.config["config"] == {"Labels": {"x": "y"}, "Cmd": ["sh"], "User": "1"}  # nothing of one container
    assert image.diff_ids[:-1] == base.diff_ids and image.size == 3 and image.parent == base.id
    assert image.config["author"] == "me" and image.config["comment"] == "why"
    rows = store.history(image)
    assert [row["Id"] for row in rows] == [image.id, base.id] and [row["Size"] for row in rows] == [2, 1]
    assert rows[0]["Tags"] == ["made:latest"] and rows[0]["CreatedBy"] == "sh -c x" and rows[0]["Comment"] == "why"


def test_commit_without_a_change(store):
    base = store.import_tar(io.BytesIO(tar(file("a", b"1"))), "base", [], "")
    store.driver.create(CONTAINER, base)
    image = commit(store, base)
    assert image.diff_ids == base.diff_ids and image.id != base.id
    assert image.config["history"][-1]["empty_layer"] is True and store.history(image)[0]["Size"] == 0


def test_history_of_an_image_whose_steps_are_elsewhere(store):
    base = store.import_tar(io.BytesIO(tar(file("a", b"1"))), None, [], "")
    store.driver.create(CONTAINER, base)
    image = commit(store, base, ref="made")
    store.driver.remove(CONTAINER)
    archive = b"".join(store.save(["made"]))
    store.remove("made", force=True, in_use={})
    list(store.load(io.BytesIO(archive)))
    assert [row["Id"] for row in store.history(store.get("made"))] == [image.id, "<missing>"]


def test_the_same_config_as_dockerd(store, dockerd):
    archive = tar(file("a", b"1"))
    ours = store.import_tar(io.BytesIO(archive), NAME, CHANGES, "")
    dockerd.api.import_image_from_data(archive, repository=NAME, changes=CHANGES)
    try:
        theirs = dockerd.images.get(NAME)
        assert {key: value for key, value in theirs.attrs["Config"].items() if key in ours.config["config"]} == (
            ours.config["config"]
        )
        assert theirs.attrs["Size"] == ours.size and tuple(theirs.attrs["RootFS"]["Layers"]) == ours.diff_ids
        assert [row["Comment"] for row in theirs.history()] == [row["Comment"] for row in store.history(ours)]
    finally:
        dockerd.images.remove(NAME)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["ENV A=1", "ENV A=2 B=$A"], {"Env": ["A=2", "B=1"]}),
        (["ENV A=${A}x\\$A"], {"Env": ["A=x$A"]}),
        (["CMD echo $HOME"], {"Cmd": ["/bin/sh", "-c", "echo $HOME"]}),
        (["CMD []"], {"Cmd": []}),
        (["CMD [not json"], {"Cmd": ["/bin/sh", "-c", "[not json"]}),
        (["CMD a", 'ENTRYPOINT ["b"]'], {"Cmd": ["/bin/sh", "-c", "a"], "Entrypoint": ["b"]}),
        (["EXPOSE 8000-8002"], {"ExposedPorts": {"8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {}}}),
        (["WORKDIR /a", "WORKDIR b", "WORKDIR ../c"], {"WorkingDir": "/a/c"}),
        (["HEALTHCHECK NONE"], {"Healthcheck": {"Test": ["NONE"]}}),
        (['HEALTHCHECK --interval=1m30s CMD ["x"]'], {"Healthcheck": {"Test": ["CMD", "x"], "Interval": 90 * 10**9}}),
        (["# a comment\nUSER a \\\n"], {"User": "a"}),
        (["STOPSIGNAL SIGINT"], {"StopSignal": "SIGINT"}),  # dockerd before 23 did not take it here
        ([], {}),
    ],
)
def test_instructions(changes, expected):
    assert instructions.apply({}, changes) == expected


def test_an_entry_point_resets_the_command():
    assert instructions.apply({"Cmd": ["old"]}, ['ENTRYPOINT ["new"]']) == {"Entrypoint": ["new"]}


def test_the_given_config_is_not_changed():
    config = {"Env": ["A=1"], "Labels": {"a": "b"}}
    instructions.apply(config, ["ENV A=2", "LABEL a=c"])
    assert config == {"Env": ["A=1"], "Labels": {"a": "b"}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("RUN x", "run is not a valid change command"),
        ("FROM x", "from is not a valid change command"),
        ("ENV", "ENV requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", "can't find = in"),
        ("LABEL 'a", "LABEL must have two arguments"),
        ("LABEL 'a=b", "looking for matching single-quote"),
        ("SHELL ['a']", "shell is not a valid change command"),
        ("EXPOSE x", "Invalid containerPort: x"),
        ("ONBUILD FROM x", "isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK wget", "in HEALTHCHECK"),
        ("HEALTHCHECK --interval=x CMD y", "invalid duration"),
        ("HEALTHCHECK --often=1 CMD y", "Unknown flag"),
    ],
)
def test_bad_instructions(change, words):
    with pytest.raises(BadParameter, match=words.replace("(", "\\(")):
        instructions.apply({}, [change])
