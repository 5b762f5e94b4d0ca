"""Mount points as rows of `docker inspect`, and as mounts of OCI's."""

import pytest

from labkit.engine.containers import mounts
from labkit.engine.containers.mounts import MountPoint
from labkit.engine.errors import ServerError

VOLUME = MountPoint("volume", "/data", "/state/volumes/v/_data", name="v", mode="z", named=True)
BIND = MountPoint("bind", "/there", "/here", mode="ro", writable=False, propagation="rprivate")


def test_the_row_of_a_volume_has_its_name_and_driver():
    assert VOLUME.row() == {
        "Type": "volume",
        "Name": "v",
        "Source": "/state/volumes/v/_data",
        "Destination": "/data",
        "Driver": "local",
        "Mode": "z",
        "RW": True,
        "Propagation": "",
    }


def test_the_row_of_a_bind_has_neither():
    assert BIND.row().keys() == {"Type", "Source", "Destination", "Mode", "RW", "Propagation"}
    assert BIND.row()["RW"] is False


def test_a_record_keeps_it_whole():
    assert mounts.of([VOLUME.to_json(), BIND.to_json()]) == [VOLUME, BIND]


@pytest.mark.parametrize(
    ("point", "options"),
    [
        (BIND, ["rbind", "ro", "rprivate"]),
        (VOLUME, ["rbind", "rprivate"]),
        (MountPoint("bind", "/b", "/a", propagation="rslave", recursive=False), ["bind", "rslave"]),
    ],
)
def test_the_mount_is_a_bind_of_the_source(point, options):
    made = point.to_oci()
    assert (made["type"], made["source"], made["destination"]) == ("bind", point.source, point.destination)
    assert made["options"] == options


def test_a_part_of_a_volume():
    assert MountPoint("volume", "/d", "/v", subpath="a/b").to_oci()["subpath"] == "a/b"
    assert "subpath" not in VOLUME.to_oci()


def test_a_tmpfs_has_dockers_defaults_first():
    made = MountPoint("tmpfs", "/t", options="size=64,exec").to_oci()
    assert made["options"] == ["noexec", "nosuid", "nodev", "size=64", "exec"]


def test_what_lies_deeper_comes_later():
    places = ["/a/b/c", "/a", "/x/y", "/a/b"]
    made = mounts.in_order({"destination": place} for place in places)
    assert [one["destination"] for one in made] == ["/a", "/x/y", "/a/b", "/a/b/c"]


@pytest.mark.parametrize(
    ("path", "held"),
    [("/there", True), ("/there/x", True), ("there/x", True), ("/therefore", False), ("/there/../x", False)],
)
def test_which_paths_lie_in_it(path, held):
    assert BIND.holds(path) is held


def test_a_missing_source_is_made(tmp_path):
    mounts.make_sources([MountPoint("bind", "/b", f"{tmp_path}/new/folder", makes_source=True)])
    assert (tmp_path / "new" / "folder").is_dir()


def test_or_is_an_error_where_it_had_to_be_there(tmp_path):
    with pytest.raises(ServerError, match="bind source path does not exist"):
        mounts.make_sources([MountPoint("bind", "/b", f"{tmp_path}/none")])


@pytest.mark.parametrize("options", ["", "ro", "size=1m,mode=700", "exec,noatime,uid=1", "defaults"])
def test_words_that_a_tmpfs_knows(options):
    mounts.check_tmpfs(options)


@pytest.mark.parametrize("options", ["foo", "size", "ro,bar=1"])
def test_words_that_it_does_not(options):
    with pytest.raises(ServerError, match="invalid tmpfs option"):
        mounts.check_tmpfs(options)


def test_the_options_of_a_tmpfs_mount():
    made = mounts.tmpfs_options({"SizeBytes": 64, "Mode": 0o700}, writable=False)
    assert made == "ro,size=64,mode=700"
