"""Binds and mounts: what of the host's, of the engine's and of memory a container sees."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import docker
import pytest
from docker.types import Mount

from tests.backends import not_for_this_engine
from tests.contract.helpers import open_tar, output, unique


@pytest.fixture
def folder():
    """A folder of the host's that every engine may write to, whoever it runs as."""
    folder = Path(tempfile.mkdtemp(prefix="lktest-", dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def run(client, image, command: str, **options) -> str:
    container = client.containers.run(image, ["sh", "-c", command], detach=True, **options)
    container.wait(timeout=20)
    return output(container)


def test_a_bind_shows_the_folder_itself(client, image, folder):
    (folder / "file").write_text("from the host\n")
    said = run(client, image, "cat /m/file; echo back > /m/other", volumes=[f"{folder}:/m"])
    assert said == "from the host\n"
    assert (folder / "other").read_text() == "back\n"


def test_a_read_only_bind(client, image, folder):
    assert "Read-only file system" in run(client, image, "touch /m/x", volumes=[f"{folder}:/m:ro"])
    assert os.listdir(folder) == []


def test_a_single_file(client, image, folder):
    (folder / "motd").write_text("mine\n")
    assert run(client, image, "cat /etc/motd", volumes=[f"{folder}/motd:/etc/motd:ro"]) == "mine\n"


def test_a_bind_makes_the_folder_that_is_missing(client, image, folder):
    run(client, image, "true", volumes=[f"{folder}/new/one:/m"])
    assert (folder / "new" / "one").is_dir()


def test_a_mount_does_not(client, image, folder):
    with pytest.raises(docker.errors.APIError) as refusal:
        client.containers.create(image, mounts=[Mount("/m", f"{folder}/new", type="bind")])
    assert refusal.value.status_code == 400
    assert refusal.value.explanation == (
        f'invalid mount config for type "bind": bind source path does not exist: {folder}/new'
    )


def test_the_deeper_mount_is_not_hidden(client, image, folder):
    for name in ("outer", "inner"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    (folder / "inner" / "file").touch()
    binds = [f"{folder}/inner:/m/n", f"{folder}/outer:/m"]
    assert run(client, image, "ls /m/n", volumes=binds) == "file\n"


def test_the_engines_own_files_can_be_replaced(client, image, folder):
    (folder / "hosts").write_text("1.2.3.4 mine\n")
    assert run(client, image, "cat /etc/hosts", volumes=[f"{folder}/hosts:/etc/hosts"]) == "1.2.3.4 mine\n"


def test_a_tmpfs_mount(client, image):
    mount = Mount("/m", None, type="tmpfs", tmpfs_size=1 << 20, tmpfs_mode=0o700)
    command = "stat -c %a /m; df -k /m | tail -1 | awk '{print $2}'; grep ' /m ' /proc/mounts"
    mode, size, line = run(client, image, command, mounts=[mount]).splitlines()
    assert (mode, size) == ("700", "1024")
    assert line.startswith("tmpfs /m tmpfs rw,nosuid,nodev,noexec")


def test_a_tmpfs_is_empty_at_each_start(client, image):
    container = client.containers.create(image, ["sh", "-c", "ls /m; touch /m/x"], tmpfs={"/m": ""})
    for _ in range(2):
        container.start()
        container.wait(timeout=20)
    assert output(container) == ""


def test_tmpfs_options_that_are_none(client, image):
    container = client.containers.create(image, ["true"], tmpfs={"/m": "foo"})
    with pytest.raises(docker.errors.APIError) as refusal:
        container.start()
    assert (refusal.value.status_code, refusal.value.explanation) == (500, 'invalid tmpfs option ["foo"]')


def test_a_read_only_root_with_a_place_to_write(client, image):
    said = run(client, image, "touch /x; touch /m/x && echo there", read_only=True, tmpfs={"/m": ""})
    assert "Read-only file system" in said and "there" in said.splitlines()


def test_a_volume_mount_with_labels(client, image):
    name = unique("lktest")
    mount = Mount("/m", name, type="volume", labels={"a": "b"}, no_copy=True, read_only=True)
    try:
        container = client.containers.create(image, mounts=[mount])
        assert client.volumes.get(name).attrs["Labels"] == {"a": "b"}
        (row,) = container.attrs["Mounts"]
        assert (row["Name"], row["RW"], row["Mode"]) == (name, False, "z")
        assert container.attrs["HostConfig"]["Mounts"][0]["VolumeOptions"] == {"NoCopy": True, "Labels": {"a": "b"}}
        container.remove()
    finally:
        client.api.remove_volume(name, force=True)


def test_a_part_of_a_volume(client, image):
    if docker.utils.version_lt(client.version()["ApiVersion"], "1.45"):
        not_for_this_engine("VolumeOptions.Subpath came with API 1.45")
    name = unique("lktest")
    try:
        run(client, image, "mkdir -p /v/a/b; echo deep > /v/a/b/file; ln -s /etc /v/out", volumes=[f"{name}:/v"])
        assert run(client, image, "cat /m/file", mounts=[Mount("/m", name, subpath="a/b")]) == "deep\n"
        for missing in ("none", "out"):
            container = client.containers.create(image, mounts=[Mount("/m", name, subpath=missing)])
            with pytest.raises(docker.errors.APIError):
                container.start()
    finally:
        for container in client.containers.list(all=True, filters={"volume": name}):
            container.remove(force=True)
        with contextlib.suppress(docker.errors.NotFound):
            client.api.remove_volume(name)


# text of HostConfig.Binds -> Docker's words
WRONG_BINDS = [
    ("/a:/b:ro:x", "invalid volume specification: '/a:/b:ro:x'"),
    ("/a:b", "invalid mount path: 'b' mount path must be absolute"),
    ("/a:/", "invalid specification: destination can't be '/'"),
    ("/a:/b:foo", "invalid mode: foo"),
    ("/a:/b:ro,rw", "invalid mode: ro,rw"),
    (":/b", "invalid volume specification: ':/b'"),
    ("/a:/b:nocopy", 'invalid mount config for type "bind": field VolumeOptions must not be specified'),
    ("lktest:/b:rshared", 'invalid mount config for type "volume": field BindOptions must not be specified'),
    ("a/b:/b", "If you intended to pass a host directory, use absolute path"),
    ("a:/b", "volume name is too short"),
]

WRONG_MOUNTS = [
    ({"Target": "/b", "Source": "/tmp"}, 'invalid mount config for type "": mount type unknown'),
    ({"Type": "bind", "Source": "/tmp"}, "field Target must not be empty"),
    ({"Type": "bind", "Source": "/tmp", "Target": "/"}, "invalid specification: destination can't be '/'"),
    ({"Type": "bind", "Target": "/b"}, "field Source must not be empty"),
    ({"Type": "bind", "Source": "tmp", "Target": "/b"}, "invalid mount path: 'tmp' mount path must be absolute"),
    (
        {"Type": "bind", "Source": "/tmp", "Target": "/b", "BindOptions": {"Propagation": "foo"}},
        "invalid propagation mode: foo",
    ),
    ({"Type": "volume", "Target": "/b", "ReadOnly": True}, "must not set ReadOnly mode when using anonymous volumes"),
    ({"Type": "tmpfs", "Source": "/tmp", "Target": "/b"}, "field Source must not be specified"),
]


def refused(client, image, host: dict, words: str, statuses: tuple[int, ...] = (400,)) -> None:
    with pytest.raises(docker.errors.APIError) as refusal:
        client.api.create_container_from_config({"Image": image, "HostConfig": host})
    assert words in refusal.value.explanation
    assert refusal.value.status_code in statuses


@pytest.mark.parametrize(("text", "words"), WRONG_BINDS, ids=[text for text, _ in WRONG_BINDS])
def test_wrong_binds(client, image, text, words):
    refused(client, image, {"Binds": [text]}, words, statuses=(400, 500))  # dockerd up to 20.10 answers 500


@pytest.mark.parametrize(("asked", "words"), WRONG_MOUNTS, ids=[words for _, words in WRONG_MOUNTS])
def test_wrong_mounts(client, image, asked, words):
    refused(client, image, {"Mounts": [asked]}, words)


TWICE = [
    {"Binds": ["/tmp:/b", "/var:/b"]},
    {"Binds": ["/tmp:/b"], "Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/b"}]},
    {"Binds": ["/tmp:/b"], "Tmpfs": {"/b": ""}},
]


@pytest.mark.parametrize("host", TWICE, ids=[", ".join(host) for host in TWICE])
def test_a_place_is_taken_once(client, image, host):
    refused(client, image, host, "Duplicate mount point: /b")


def test_nothing_of_the_hosts_is_in_an_export(client, image, folder):
    (folder / "file").write_text("x")
    container = client.containers.run(image, ["sleep", "600"], volumes=[f"{folder}:/m"], detach=True)
    names = open_tar(container.export()).getnames()
    assert "m/file" not in names and "proc/1" not in names
    assert "etc/motd" in names
