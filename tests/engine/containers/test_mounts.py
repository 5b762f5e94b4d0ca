"""Binds and mounts as OCI has them."""

import pytest

from labkit.engine.containers import mounts
from labkit.engine.errors import BadParameter, NotImplemented_


def test_a_bind():
    (made,) = mounts.mounts({"Binds": ["/here:/there:ro"]})
    assert (made["source"], made["destination"]) == ("/here", "/there")
    assert {"rbind", "ro", "rprivate"} <= set(made["options"])


def test_words_for_other_machines_are_dropped():
    (made,) = mounts.mounts({"Binds": ["/here:/there:z,cached"]})
    assert not {"z", "cached"} & set(made["options"])


def test_a_tmpfs_mount():
    (made,) = mounts.mounts(
        {"Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 64, "Mode": 0o700}}]}
    )
    assert made["type"] == "tmpfs"
    assert {"size=64", "mode=700"} <= set(made["options"])


def test_a_bind_mount_needs_its_source(tmp_path):
    asked = {"Type": "bind", "Source": str(tmp_path), "Target": "/t", "ReadOnly": True}
    (made,) = mounts.mounts({"Mounts": [asked]})
    assert "ro" in made["options"]
    with pytest.raises(BadParameter, match="bind source path does not exist"):
        mounts.mounts({"Mounts": [asked | {"Source": "/no/such"}]})


WRONG = [
    (["/nosuch:/b:zz"], "invalid mode: zz"),
    (["/a:/b:ro:z:y"], "invalid volume specification: '/a:/b:ro:z:y'"),
    (["/"], "invalid volume specification: '/'"),
    (["/a:/"], "destination can't be"),
    (["/a:b"], "invalid volume specification"),
    (["/tmp:/x", "/tmp:/x/"], "Duplicate mount point: /x"),
]


@pytest.mark.parametrize(("binds", "words"), WRONG)
def test_wrong(binds, words):
    with pytest.raises(BadParameter, match=words):
        mounts.mounts({"Binds": binds})


def test_volumes_are_not_served():
    with pytest.raises(NotImplemented_):
        mounts.mounts({"Mounts": [{"Type": "volume", "Target": "/t"}]})
    with pytest.raises(NotImplemented_):
        mounts.check_volumes({"/data": {}}, [], {})


def test_a_place_that_a_bind_stands_on_is_no_volume():
    mounts.check_volumes({"/there": {}, "/t": {}}, mounts.mounts({"Binds": ["/here:/there"]}), {"/t": ""})


def test_a_missing_source_is_made(tmp_path):
    mounts.make_sources(mounts.mounts({"Binds": [f"{tmp_path}/new/folder:/there"]}))
    assert (tmp_path / "new" / "folder").is_dir()
