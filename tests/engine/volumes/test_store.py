"""The volumes of an engine: made, found again by a new engine, removed, pruned."""

import os
from pathlib import Path

import pytest

from labkit.engine.errors import BadParameter, Conflict, NotFound, NotImplemented_
from labkit.engine.volumes.store import ANONYMOUS
from tests.engine.containers.fakes import make_engine, new


@pytest.fixture
async def fake(tmp_path):
    fake = make_engine(tmp_path)
    await fake.containers.reconcile()
    return fake


async def test_a_volume_as_docker_shows_it(fake):
    made = fake.volumes.create("data", labels={"a": "b"})
    shown = made.shown()
    assert shown.pop("CreatedAt").endswith("Z")
    assert shown == {
        "Driver": "local",
        "Labels": {"a": "b"},
        "Mountpoint": f"{fake.state.root}/volumes/data/_data",
        "Name": "data",
        "Options": None,
        "Scope": "local",
    }


async def test_twice_is_the_same_volume(fake):
    assert fake.volumes.create("data") is fake.volumes.create("data", labels={"other": ""})


async def test_one_without_a_name_says_so(fake):
    made = fake.volumes.create()
    assert len(made.name) == 64 and made.labels == {ANONYMOUS: ""}


async def test_a_new_engine_finds_them(fake, tmp_path):
    made = fake.volumes.create("data", labels={"a": "b"})
    assert make_engine(tmp_path).volumes.get("data") == made


async def test_what_an_interrupted_removal_left_is_swept(fake, tmp_path):
    (fake.state.root / "volumes" / ".gone.1" / "_data").mkdir(parents=True)
    make_engine(tmp_path)
    assert os.listdir(fake.state.root / "volumes") == []


async def test_a_damaged_record_is_left_alone(fake, tmp_path):
    fake.volumes.create("data")
    (fake.state.root / "volumes" / "data" / "volume.json").write_text("{")
    again = make_engine(tmp_path)
    assert list(again.volumes) == [] and (fake.state.root / "volumes" / "data").is_dir()


WRONG = [
    ({"name": "a"}, BadParameter, "create a: volume name is too short"),
    ({"name": "a/b"}, BadParameter, 'create a/b: "a/b" includes invalid characters for a local volume name'),
    ({"name": "..", "driver": ""}, BadParameter, "includes invalid characters"),
    (
        {"name": "ab", "driver": "foo"},
        NotFound,
        'create ab: error looking up volume plugin foo: plugin "foo" not found',
    ),
    ({"name": "ab", "options": {"foo": "x"}}, BadParameter, 'create ab: invalid option: "foo"'),
    ({"name": "ab", "options": {"type": "tmpfs"}}, BadParameter, 'create ab: missing required option: "device"'),
    ({"name": "ab", "options": {"type": "tmpfs", "device": "tmpfs"}}, NotImplemented_, "type=none,o=bind"),
]


@pytest.mark.parametrize(("asked", "kind", "words"), WRONG, ids=[words for *_, words in WRONG])
async def test_wrong(fake, asked, kind, words):
    with pytest.raises(kind) as refusal:
        fake.volumes.create(**asked)
    assert words in refusal.value.message
    assert list(fake.volumes) == []


async def test_a_volume_may_show_a_folder_of_the_hosts(fake, tmp_path):
    made = fake.volumes.create("data", options={"type": "none", "o": "bind", "device": str(tmp_path)})
    assert made.source == str(tmp_path) and made.shown()["Mountpoint"].endswith("/data/_data")


async def test_removal(fake):
    volume = fake.volumes.create("data")
    Path(volume.path, "file").touch()
    await fake.volumes.remove(volume)
    assert os.listdir(fake.state.root / "volumes") == []
    with pytest.raises(NotFound, match="get data: no such volume"):
        fake.volumes.get("data")


async def test_not_while_a_container_has_it(fake):
    container = new(fake, HostConfig={"Binds": ["data:/data"]})
    with pytest.raises(Conflict) as refusal:
        await fake.volumes.remove(fake.volumes.get("data"))
    assert refusal.value.message == f"remove data: volume is in use - [{container.id}]"


async def test_prune_takes_what_nobody_has(fake):
    new(fake, HostConfig={"Binds": ["used:/data"]})
    named, anonymous = fake.volumes.create("named"), fake.volumes.create()
    Path(anonymous.path, "file").write_text("12345")
    assert await fake.volumes.prune({}, named_too=False) == {"VolumesDeleted": [anonymous.name], "SpaceReclaimed": 5}
    assert (await fake.volumes.prune({}, named_too=True))["VolumesDeleted"] == [named.name]
    assert [volume.name for volume in fake.volumes] == ["used"]


async def test_disk_usage(fake):
    new(fake, HostConfig={"Binds": ["data:/data"]})
    Path(fake.volumes.get("data").path, "file").write_text("12345")
    (row,) = await fake.volumes.disk_usage()
    assert row["Name"] == "data" and row["UsageData"] == {"RefCount": 1, "Size": 5}
