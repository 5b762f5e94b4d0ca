"""`-v`, `--mount` and `--volumes-from`: what they mean, and Docker's words for what they cannot mean."""

import pytest

from labkit.engine.containers import mountspecs
from labkit.engine.errors import BadParameter

BINDS = [
    ("/here:/there", "bind", "/here", {"writable": True, "propagation": "rprivate", "mode": ""}),
    ("/here:/there:ro,rslave", "bind", "/here", {"writable": False, "propagation": "rslave", "mode": "ro,rslave"}),
    ("/a/../here/:/there:z,cached", "bind", "/here", {"mode": "z,cached"}),
    ("data:/there", "volume", "data", {"writable": True, "copies": True, "named": True, "mode": "z"}),
    ("data:/there:nocopy,ro", "volume", "data", {"copies": False, "writable": False, "mode": "nocopy,ro"}),
    ("/there", "volume", "", {"named": False, "copies": True}),
]


@pytest.mark.parametrize(("text", "kind", "what", "fields"), BINDS, ids=[text for text, *_ in BINDS])
def test_a_bind(text, kind, what, fields):
    made = mountspecs.bind(text)
    assert (made.type, made.source or made.name, made.destination) == (kind, what, "/there")
    assert {name: getattr(made, name) for name in fields} == fields


WRONG_BINDS = [
    ("/a:/b:ro:x", "invalid volume specification: '/a:/b:ro:x'"),
    (":/b", "invalid volume specification: ':/b'"),
    ("/a:ro", "invalid volume specification: '/a:ro'"),
    ("/a:/b:foo", "invalid mode: foo"),
    ("/a:/b:ro,rw", "invalid mode: ro,rw"),
    ("/a:b", "invalid mount path: 'b' mount path must be absolute"),
    ("/a:/", "destination can't be '/'"),
    ("/", "destination can't be '/'"),
    ("/a:/b:nocopy", "field VolumeOptions must not be specified"),
    ("data:/b:rshared", "field BindOptions must not be specified"),
]


@pytest.mark.parametrize(("text", "words"), WRONG_BINDS, ids=[text for text, _ in WRONG_BINDS])
def test_a_wrong_bind(text, words):
    with pytest.raises(BadParameter) as refusal:
        mountspecs.bind(text)
    assert words in refusal.value.message


def test_a_mount_of_a_volume():
    asked = {
        "Type": "volume",
        "Source": "data",
        "Target": "/there",
        "ReadOnly": True,
        "VolumeOptions": {"NoCopy": True, "Labels": {"a": "b"}, "DriverConfig": {"Name": "local"}},
    }
    made = mountspecs.mount(asked)
    assert (made.name, made.destination, made.writable, made.copies) == ("data", "/there", False, False)
    assert (made.labels, made.driver) == ({"a": "b"}, "local")


def test_a_part_of_a_volume_gets_no_copy():
    made = mountspecs.mount({"Type": "volume", "Source": "d", "Target": "/t", "VolumeOptions": {"Subpath": "a/b"}})
    assert (made.subpath, made.copies) == ("a/b", False)


def test_a_mount_of_memory():
    made = mountspecs.mount({"Type": "tmpfs", "Target": "/t/", "TmpfsOptions": {"SizeBytes": 64}})
    assert (made.type, made.destination, made.options) == ("tmpfs", "/t", "size=64")


WRONG_MOUNTS = [
    ({"Target": "/b"}, "mount type unknown"),
    ({"Type": "foo", "Target": "/b"}, 'invalid mount config for type "foo": mount type unknown'),
    ({"Type": "bind", "Source": "/a"}, "field Target must not be empty"),
    ({"Type": "bind", "Source": "/a", "Target": "/x/.."}, "destination can't be '/'"),
    ({"Type": "bind", "Target": "/b"}, "field Source must not be empty"),
    ({"Type": "bind", "Source": "a", "Target": "/b"}, "invalid mount path: 'a' mount path must be absolute"),
    (
        {"Type": "bind", "Source": "/a", "Target": "/b", "BindOptions": {"Propagation": "foo"}},
        "invalid propagation mode: foo",
    ),
    ({"Type": "bind", "Source": "/a", "Target": "/b", "VolumeOptions": {}}, "field VolumeOptions must not"),
    ({"Type": "volume", "Target": "/b", "ReadOnly": True}, "must not set ReadOnly mode when using anonymous volumes"),
    (
        {"Type": "volume", "Target": "/b", "VolumeOptions": {"Subpath": "x"}},
        "must not set Subpath when using anonymous",
    ),
    (
        {"Type": "volume", "Source": "d", "Target": "/b", "VolumeOptions": {"Subpath": "../x"}},
        "subpath must be a relative path within the volume",
    ),
    ({"Type": "tmpfs", "Source": "/a", "Target": "/b"}, "field Source must not be specified"),
]


@pytest.mark.parametrize(("asked", "words"), WRONG_MOUNTS, ids=[words for _, words in WRONG_MOUNTS])
def test_a_wrong_mount(asked, words):
    with pytest.raises(BadParameter) as refusal:
        mountspecs.mount(asked)
    assert refusal.value.message.startswith("invalid mount config for type ")
    assert words in refusal.value.message


def test_only_mount_wants_its_source_to_be_there():
    mountspecs.check_source(mountspecs.bind("/no/such:/b"))
    with pytest.raises(BadParameter, match="bind source path does not exist: /no/such"):
        mountspecs.check_source(mountspecs.mount({"Type": "bind", "Source": "/no/such", "Target": "/b"}))


@pytest.mark.parametrize(
    ("text", "expected"), [("web", ("web", True)), ("web:ro", ("web", False)), ("web:rw,z", ("web", True))]
)
def test_volumes_from(text, expected):
    assert mountspecs.volumes_from(text) == expected


@pytest.mark.parametrize("text", ["", "web:foo", "web:nocopy", "web:rslave"])
def test_wrong_volumes_from(text):
    with pytest.raises(BadParameter):
        mountspecs.volumes_from(text)


def test_a_place_of_a_tmpfs_is_absolute():
    assert mountspecs.tmpfs_place("/t//x/") == "/t/x"
    with pytest.raises(BadParameter, match="mount path must be absolute"):
        mountspecs.tmpfs_place("t")
