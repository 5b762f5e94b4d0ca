"""Volumes: what outlives a container, and how it gets there."""

import contextlib
import time

import docker
import pytest

from tests.contract.conftest import SESSION
from tests.contract.helpers import eventually, open_tar, output, tar_of, unique

MINE = {"labkit.session": SESSION}


@pytest.fixture
def name(client):
    """A name for a volume, which is removed at the end."""
    name = unique("lktest")
    yield name
    remove(client, name)


@pytest.fixture
def volume(client, name):
    return client.volumes.create(name, labels=MINE)


def remove(client, name: str) -> None:
    with contextlib.suppress(docker.errors.NotFound):
        for user in client.api.containers(all=True, filters={"volume": name}):
            client.api.remove_container(user["Id"], force=True, v=True)
        client.api.remove_volume(name, force=True)


def run(client, image, command: str, **options) -> str:
    """What a container says before it ends, whatever its exit code; it is left behind for `tidy`."""
    container = client.containers.run(image, ["sh", "-c", command], detach=True, **options)
    container.wait(timeout=20)
    return output(container)


def mounts(container) -> dict[str, dict]:
    container.reload()
    return {row["Destination"]: row for row in container.attrs["Mounts"]}


def exists(client, name: str) -> bool:
    try:
        return bool(client.volumes.get(name))
    except docker.errors.NotFound:
        return False


# --- by itself ---------------------------------------------------------------------------------------------------


def test_the_answer_to_its_creation_is_what_inspect_shows(client, name):
    made = client.api.create_volume(name, labels={"a": "b", "empty": ""})
    assert made == client.api.inspect_volume(name)
    assert made["Mountpoint"].endswith(f"/{name}/_data")
    assert {key: made[key] for key in ("Name", "Driver", "Labels", "Options", "Scope")} == {
        "Name": name,
        "Driver": "local",
        "Labels": {"a": "b", "empty": ""},
        "Options": None,
        "Scope": "local",
    }


def test_creating_it_twice_is_no_error_and_changes_nothing(client, volume, name):
    assert client.volumes.create(name, labels={"other": "x"}).attrs["Labels"] == MINE


WRONG = [
    ({"name": "a"}, 400, "volume name is too short, names should be at least two alphanumeric characters"),
    ({"name": "a/b"}, 400, 'create a/b: "a/b" includes invalid characters for a local volume name, only'),
    ({"name": "lktest-x", "driver": "nosuch"}, 404, 'error looking up volume plugin nosuch: plugin "nosuch" not found'),
    ({"name": "lktest-x", "driver_opts": {"foo": "x"}}, 400, 'create lktest-x: invalid option: "foo"'),
    ({"name": "lktest-x", "driver_opts": {"type": "tmpfs"}}, 400, 'missing required option: "device"'),
]


@pytest.mark.parametrize(("asked", "status", "words"), WRONG, ids=[words for *_, words in WRONG])
def test_what_cannot_be_made(client, asked, status, words):
    with pytest.raises(docker.errors.APIError) as refusal:
        client.volumes.create(**asked)
    assert refusal.value.status_code == status and words in refusal.value.explanation
    assert not exists(client, "lktest-x")


def test_what_is_not_there(client):
    for ask in (client.api.inspect_volume, client.api.remove_volume):
        with pytest.raises(docker.errors.NotFound, match="get lktest-none: no such volume"):
            ask("lktest-none")
    # the SDK's own remove_volume(force=True) loses the word on its way
    answer = client.api.delete(f"{client.api.base_url}/volumes/lktest-none?force=1")
    assert answer.status_code == 204


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, True),
        ({"label": f"labkit.session={SESSION}"}, True),
        ({"label": ["labkit.session", "other"]}, False),
        ({"dangling": "true"}, True),
        ({"dangling": "0"}, False),
        ({"driver": "local"}, True),
        ({"driver": "foo"}, False),
        ({"name": "lktest-"}, True),
        ({"name": "ktest-nothing"}, False),
    ],
    ids=["all", "label", "two-labels", "dangling", "used", "driver", "other-driver", "name", "other-name"],
)
def test_list(client, volume, filters, found):
    assert (volume in client.volumes.list(filters=filters)) is found


@pytest.mark.parametrize("filters", [{"foo": ["x"]}, {"dangling": ["foo"]}], ids=str)
def test_filters_that_docker_does_not_have(client, filters):
    with pytest.raises(docker.errors.APIError, match=r"(?i)invalid filter") as refusal:
        client.api.volumes(filters=filters)
    assert refusal.value.status_code == 400


def test_one_that_a_container_has_stays(client, image, volume):
    container = client.containers.create(image, volumes=[f"{volume.name}:/data"])
    for force in (0, 1):
        refusal = client.api.delete(f"{client.api.base_url}/volumes/{volume.name}?force={force}")
        assert refusal.status_code == 409
        assert refusal.json()["message"] == f"remove {volume.name}: volume is in use - [{container.id}]"
    assert volume not in client.volumes.list(filters={"dangling": True})
    container.remove()
    volume.remove()
    assert not exists(client, volume.name)


def test_prune(client, image, volume):
    kept = client.containers.create(image, volumes=["/anon"])
    (anonymous,) = [row["Name"] for row in mounts(kept).values()]
    wanted = {"label": [f"labkit.session={SESSION}"], "all": ["true"]}
    if client.api._version in ("1.41",):  # an engine of that time knows no `all`: it takes all
        del wanted["all"]
    answer = client.volumes.prune(filters=wanted)
    assert answer["VolumesDeleted"] == [volume.name]
    assert answer["SpaceReclaimed"] == 0
    assert exists(client, anonymous)


def test_disk_usage(client, image, volume):
    run(client, image, "echo 12345 > /d/file", volumes=[f"{volume.name}:/d"])
    (row,) = [row for row in client.df()["Volumes"] if row["Name"] == volume.name]
    assert row["UsageData"]["RefCount"] == 1
    assert row["UsageData"]["Size"] >= 6


# --- in containers -----------------------------------------------------------------------------------------------


def test_it_outlives_its_container(client, image, volume):
    run(client, image, "echo kept > /data/file", volumes=[f"{volume.name}:/data"], remove=False)
    assert run(client, image, "cat /elsewhere/file", volumes=[f"{volume.name}:/elsewhere"]) == "kept\n"


def test_two_containers_see_the_same(client, image, volume):
    reader = client.containers.run(
        image, ["sh", "-c", "while ! cat /d/file; do sleep 0.05; done 2>/dev/null"],
        volumes=[f"{volume.name}:/d"], detach=True,
    )  # fmt: skip
    run(client, image, "echo hello > /d/file", volumes=[f"{volume.name}:/d"])
    assert reader.wait(timeout=20)["StatusCode"] == 0
    assert output(reader) == "hello\n"


def test_a_read_only_one_is_not_written_to(client, image, volume):
    said = run(client, image, "touch /d/x", volumes=[f"{volume.name}:/d:ro"])
    assert "Read-only file system" in said


def test_the_rows_of_inspect(client, image, name):
    container = client.containers.create(
        image, volumes=[f"{name}:/a", f"{name}:/b:ro", "/tmp:/c:ro,rslave", "/d"],
    )  # fmt: skip
    rows = mounts(container)
    source = client.volumes.get(name).attrs["Mountpoint"]
    common = {"Type": "volume", "Name": name, "Source": source, "Driver": "local", "Propagation": ""}
    assert rows["/a"] == {**common, "Destination": "/a", "Mode": "z", "RW": True}
    assert rows["/b"] == {**common, "Destination": "/b", "Mode": "ro", "RW": False}
    assert rows["/c"] == {
        "Type": "bind",
        "Source": "/tmp",
        "Destination": "/c",
        "Mode": "ro,rslave",
        "RW": False,
        "Propagation": "rslave",
    }
    assert rows["/d"]["Type"] == "volume" and len(rows["/d"]["Name"]) == 64


def test_list_containers_by_volume(client, image, volume):
    container = client.containers.create(image, volumes=[f"{volume.name}:/some/place"])
    for wanted in (volume.name, "/some/place"):
        assert container in client.containers.list(all=True, filters={"volume": wanted})
    assert container not in client.containers.list(all=True, filters={"volume": volume.name[:-1]})


def test_copy_up_takes_the_images_files_with_owner_and_mode(client, image, name):
    said = run(client, image, "cat /etc/motd; stat -c '%u %a' /etc/passwd", volumes=[f"{name}:/etc"])
    assert said == "hello from the image\n0 644\n"
    said = run(client, image, "cat /d/motd; ls -d /d/hostname", volumes=[f"{name}:/d"])
    assert said == "hello from the image\n/d/hostname\n", "they are in the volume now"


def test_copy_up_happens_when_the_container_is_created(client, image, name):
    container = client.containers.create(image, volumes=[f"{name}:/home/postgres"])
    container.remove()
    assert run(client, image, "stat -c '%u %g %a' /d", volumes=[f"{name}:/d"]) == "70 70 755\n"


def test_copy_up_only_into_an_empty_volume_and_only_if_wanted(client, image, volume):
    run(client, image, "touch /d/mine", volumes=[f"{volume.name}:/d"])
    assert run(client, image, "ls /etc/motd /etc/mine 2>/dev/null", volumes=[f"{volume.name}:/etc"]) == "/etc/mine\n"


def test_nocopy(client, image, name):
    assert run(client, image, "ls /etc/motd", volumes=[f"{name}:/etc:nocopy"]).startswith("ls: /etc/motd: No such")


def test_a_volume_cannot_stand_on_a_file(client, image, name):
    with pytest.raises(docker.errors.APIError, match="is not directory") as refusal:
        client.containers.create(image, volumes=[f"{name}:/etc/passwd"])
    assert refusal.value.status_code == 500


# --- anonymous ones ----------------------------------------------------------------------------------------------


def anonymous(container) -> str:
    (row,) = [row for row in mounts(container).values() if len(row.get("Name", "")) == 64]
    return row["Name"]


def test_an_anonymous_one_goes_with_its_container_if_asked(client, image, volume):
    container = client.containers.create(image, volumes=["/anon", f"{volume.name}:/named"])
    name = anonymous(container)
    container.remove(v=True)
    assert not exists(client, name)
    assert exists(client, volume.name)


def test_else_it_stays(client, image):
    container = client.containers.create(image, volumes=["/anon"])
    name = anonymous(container)
    try:
        container.remove()
        assert exists(client, name)
    finally:
        remove(client, name)


def test_auto_remove_takes_it_along(client, image):
    container = client.containers.create(image, ["true"], volumes=["/anon"], auto_remove=True)
    name = anonymous(container)
    container.start()
    eventually(lambda: not exists(client, name))


def test_volumes_of_the_image(client, image):
    base = client.containers.create(image)
    tag = unique("labkit-test/volume")
    base.commit(tag, changes="VOLUME /srv/data")
    container = client.containers.run(tag, ["sh", "-c", "echo x > /srv/data/file; sleep 600"], detach=True)
    name = anonymous(container)
    assert list(mounts(container)) == ["/srv/data"]
    assert {"Path": "/srv/data/file", "Kind": 1} not in (container.diff() or []), "it is in no layer"
    container.remove(force=True, v=True)
    assert not exists(client, name)


def test_a_place_of_the_images_that_the_request_fills(client, image, volume):
    body = {"Image": image, "Volumes": {"/d": {}, "/t": {}}, "HostConfig": {"Binds": [f"{volume.name}:/d"]}}
    body["HostConfig"]["Tmpfs"] = {"/t": ""}
    made = client.api.create_container_from_config(body)
    assert list(mounts(client.containers.get(made["Id"]))) == ["/d"]


# --- of other containers -----------------------------------------------------------------------------------------


def test_volumes_from(client, image, volume):
    # not by volumes=["/anon"], which the SDK sends as a bind too: dockerd 20.10 then forgets who else has the volume
    body = {"Image": image, "Volumes": {"/anon": {}}, "HostConfig": {"Binds": [f"{volume.name}:/named"]}}
    first = client.containers.get(client.api.create_container_from_config(body, unique("lktest"))["Id"])
    second = client.containers.create(image, volumes_from=[first.name])
    third = client.containers.create(image, volumes_from=[f"{first.id}:ro"], volumes=["/tmp:/named"])
    assert mounts(second)["/anon"]["Name"] == anonymous(first)
    assert mounts(second)["/named"]["RW"] is True
    assert (mounts(third)["/anon"]["RW"], mounts(third)["/named"]["Source"]) == (False, "/tmp")
    kept = anonymous(first)
    first.remove(v=True)
    assert exists(client, kept), "the others still have it"
    second.remove(v=True)
    third.remove(v=True)
    assert not exists(client, kept)


@pytest.mark.parametrize(
    ("text", "words"),
    [("lktest-nobody", "No such container: lktest-nobody"), ("lktest-nobody:foo", "invalid mode: foo")],
)
def test_volumes_from_nobody(client, image, text, words):
    with pytest.raises(docker.errors.APIError) as refusal:
        client.containers.create(image, volumes_from=[text])
    assert refusal.value.explanation == words


# --- files in and out --------------------------------------------------------------------------------------------


def test_copying_into_a_container_that_never_ran(client, image, volume):
    container = client.containers.create(image, ["cat", "/data/file"], volumes=[f"{volume.name}:/data"])
    assert container.put_archive("/data", tar_of({"file": b"hello\n"}))
    tar = open_tar(container.get_archive("/data/file")[0])
    assert tar.extractfile("file").read() == b"hello\n"
    assert run(client, image, "cat /d/file", volumes=[f"{volume.name}:/d"]) == "hello\n"


def test_not_into_a_read_only_one(client, image, volume):
    container = client.containers.create(image, volumes=[f"{volume.name}:/data:ro"])
    with pytest.raises(docker.errors.APIError, match="marked read-only"):
        container.put_archive("/data", tar_of({"file": b"x"}))


def test_an_image_made_of_the_container_holds_nothing_of_it(client, image, volume):
    container = client.containers.create(image, ["touch", "/data/file"], volumes=[f"{volume.name}:/data"])
    container.start()
    container.wait(timeout=20)
    made = container.commit(unique("labkit-test/volume"))
    assert run(client, made.id, "ls /data") == ""


# --- events ------------------------------------------------------------------------------------------------------


def test_events(client, image, name):
    since = int(time.time())
    container = client.containers.run(image, ["true"], volumes=[f"{name}:/data:ro"], detach=True)
    container.wait(timeout=20)
    container.remove()
    client.volumes.get(name).remove()
    wanted = {"type": ["volume"], "volume": [name]}
    told = list(client.events(since=since, until=int(time.time()) + 1, decode=True, filters=wanted))
    assert [event["Action"] for event in told] == ["create", "mount", "unmount", "destroy"]
    attributes = [event["Actor"]["Attributes"] for event in told]
    assert attributes[0] == attributes[3] == {"driver": "local"}
    assert attributes[2] == {"container": container.id, "driver": "local"}
    assert attributes[1] == {
        "container": container.id,
        "destination": "/data",
        "driver": "local",
        "propagation": "",
        "read/write": "false",
    }
    assert told[0]["Actor"]["ID"] == name
