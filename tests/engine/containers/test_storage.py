"""Which mount points a container gets, the volumes made for them, copy-up, and what goes with the container."""

import os
from pathlib import Path

import pytest

from labkit.engine.containers import create, mounts, remove, storage
from labkit.engine.errors import BadParameter, NotFound, ServerError
from tests.engine.containers.fakes import make_engine, new


@pytest.fixture
async def fake(tmp_path):
    fake = make_engine(tmp_path)
    await fake.containers.reconcile()
    return fake


def places(container) -> dict[str, mounts.MountPoint]:
    return {point.destination: point for point in mounts.of(container.mounts)}


def events(fake) -> list[tuple[str, str]]:
    return [(e["Action"], e["Actor"]["ID"]) for e in fake.events.past({"type": ["volume"]}, 0)]


def content(fake, container, path: str, text: str, mode: int = 0o750) -> None:
    """Give the container's image a folder with a file in it."""
    folder = fake.state.overlay / container.id / "diff" / path
    folder.mkdir(parents=True)
    folder.chmod(mode)
    (folder / "file").write_text(text)


# --- which -------------------------------------------------------------------------------------------------------


async def test_a_named_volume_is_made_with_its_container(fake):
    container = new(fake, HostConfig={"Binds": ["data:/data"]})
    point = places(container)["/data"]
    assert (point.name, point.named) == ("data", True)
    assert point.source == fake.volumes.get("data").path and os.path.isdir(point.source)
    assert events(fake) == [("create", "data")]


async def test_an_anonymous_volume_for_each_place_that_nothing_else_stands_on(fake):
    host = {"Binds": ["data:/a"], "Tmpfs": {"/b": ""}}
    container = new(fake, Volumes={"/a": {}, "/b": {}, "/c/./d": {}}, HostConfig=host)
    assert places(container).keys() == {"/a", "/c/d"}
    point = places(container)["/c/d"]
    assert len(point.name) == 64 and not point.named
    assert fake.volumes.get(point.name).anonymous


async def test_a_driver_that_is_not_there(fake):
    for host in ({"Binds": ["data:/a"], "VolumeDriver": "foo"}, {"VolumeDriver": "foo"}):
        with pytest.raises(NotFound, match='error looking up volume plugin foo: plugin "foo" not found'):
            new(fake, Volumes={"/v": {}}, HostConfig=host)
    assert list(fake.volumes) == []


TWICE = [
    {"Binds": ["/x:/b", "data:/b"]},
    {"Binds": ["/x:/b"], "Mounts": [{"Type": "tmpfs", "Target": "/b"}]},
    {"Binds": ["/x:/b"], "Tmpfs": {"/b": ""}},
]


@pytest.mark.parametrize("host", TWICE, ids=str)
async def test_a_place_is_taken_once(fake, host):
    with pytest.raises(BadParameter, match="Duplicate mount point: /b"):
        new(fake, HostConfig=host)
    assert list(fake.volumes) == []


async def test_the_mounts_of_another_container(fake):
    new(fake, "first", Volumes={"/anon": {}}, HostConfig={"Binds": ["data:/data", "/tmp:/tmp2:ro"]})
    second = new(fake, "second", HostConfig={"VolumesFrom": ["first"], "Binds": ["/srv:/tmp2"]})
    assert places(second)["/data"].name == "data" and places(second)["/data"].writable
    assert places(second)["/tmp2"].source == "/srv", "what the request names itself wins"
    third = new(fake, "third", HostConfig={"VolumesFrom": ["second:ro"]})
    assert {point.writable for point in places(third).values()} == {False}
    assert fake.volumes.users("data") == [fake.containers.get(n).id for n in ("first", "second", "third")]


async def test_the_mounts_of_nobody(fake):
    with pytest.raises(BadParameter, match="No such container: nobody"):
        new(fake, HostConfig={"VolumesFrom": ["nobody"]})


# --- copy-up -----------------------------------------------------------------------------------------------------


async def test_an_empty_volume_gets_what_the_image_has_there(fake):
    container = new(fake, HostConfig={"Binds": ["data:/srv/pages"]})
    content(fake, container, "srv/pages", "hello")
    await create.furnish(fake, container)
    path = fake.volumes.get("data").path
    assert Path(path, "file").read_text() == "hello"
    assert os.stat(path).st_mode & 0o777 == 0o750
    assert not places(container)["/srv/pages"].copies, "once is enough"


async def test_one_that_holds_something_is_left_alone(fake):
    volume = fake.volumes.create("data")
    Path(volume.path, "mine").touch()
    container = new(fake, HostConfig={"Binds": ["data:/d"]})
    content(fake, container, "d", "hello")
    await create.furnish(fake, container)
    assert os.listdir(volume.path) == ["mine"]


@pytest.mark.parametrize("host", [{"Binds": ["data:/d:nocopy"]}, {"VolumesFrom": ["other"]}], ids=str)
async def test_where_nobody_wants_a_copy(fake, host):
    new(fake, "other", HostConfig={"Binds": ["data:/d"]})
    container = new(fake, HostConfig=host)
    content(fake, container, "d", "hello")
    await create.furnish(fake, container)
    assert os.listdir(fake.volumes.get("data").path) == []


async def test_a_link_in_the_image_leads_nowhere_outside(fake, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("x")
    container = new(fake, HostConfig={"Binds": ["data:/d"]})
    os.symlink(tmp_path / "secret", fake.state.overlay / container.id / "diff" / "d")
    await create.furnish(fake, container)
    assert os.listdir(fake.volumes.get("data").path) == []


async def test_a_file_cannot_be_a_volume_and_nothing_is_left(fake):
    container = new(fake, "web", Volumes={"/f": {}})
    (fake.state.overlay / container.id / "diff" / "f").write_text("x")
    with pytest.raises(ServerError, match="is not directory"):
        await create.furnish(fake, container)
    assert fake.containers.find("web") is None
    assert list(fake.volumes) == []


# --- end ---------------------------------------------------------------------------------------------------------


async def test_anonymous_volumes_go_with_their_container_named_ones_stay(fake):
    container = new(fake, Volumes={"/anon": {}}, HostConfig={"Binds": ["data:/data"]})
    anonymous = places(container)["/anon"].name
    await remove.remove(fake, container, volumes=True)
    assert [volume.name for volume in fake.volumes] == ["data"]
    assert events(fake)[-1] == ("destroy", anonymous)


async def test_not_unless_it_is_asked_for(fake):
    await remove.remove(fake, new(fake, Volumes={"/anon": {}}))
    assert len(list(fake.volumes)) == 1


async def test_not_while_another_container_has_it(fake):
    first = new(fake, "first", Volumes={"/anon": {}})
    second = new(fake, "second", HostConfig={"VolumesFrom": ["first"]})
    await remove.remove(fake, first, volumes=True)
    assert len(list(fake.volumes)) == 1
    await remove.remove(fake, second, volumes=True)
    assert list(fake.volumes) == []


async def test_mounting_is_told(fake):
    container = new(fake, HostConfig={"Binds": ["data:/data:ro"]})
    storage.tell_mounted(fake, container)
    storage.tell_unmounted(fake, container)
    mount, unmount = fake.events.past({"event": ["mount", "unmount"]}, 0)
    assert mount["Actor"]["Attributes"] == {
        "container": container.id,
        "destination": "/data",
        "driver": "local",
        "propagation": "",
        "read/write": "false",
    }
    assert unmount["Actor"]["Attributes"] == {"container": container.id, "driver": "local"}
