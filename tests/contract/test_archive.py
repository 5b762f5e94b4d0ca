"""Files in and out of a container (docker cp): running or stopped, with their modes, and never past its root."""

import base64
import json

import docker
import pytest

from tests.contract.differences import expected
from tests.contract.helpers import OBEDIENT, open_tar, tar_of


@pytest.fixture(params=["created", "running", "exited"])
def container(request, client, image):
    made = client.containers.create(image, OBEDIENT)
    if request.param != "created":
        made.start()
    if request.param == "exited":
        made.kill()
        made.wait(timeout=20)
    return made


def test_get_a_file(container):
    chunks, stat = container.get_archive("/etc/motd")
    tar = open_tar(chunks)
    assert tar.getnames() == ["motd"]
    assert tar.extractfile("motd").read() == b"hello from the image\n"
    assert (stat["name"], stat["size"], stat["linkTarget"]) == ("motd", 21, "")
    assert stat["mode"] & 0o777 == 0o644
    assert stat["mtime"].startswith("1970-01-01T")


def head(client, container, path):
    where = {"params": {"path": path}, "timeout": 30}
    return client.api.head(client.api._url("/containers/{0}/archive", container.id), **where)


@pytest.mark.parametrize("path", ["/etc/motd", "/etc", "/bin/ls"])
def test_look_at_a_path(client, container, path):
    """HEAD tells of a path what GET tells beside its tar: the docker command asks before it copies."""
    answer = head(client, container, path)
    told = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
    assert (answer.status_code, answer.content) == (200, b"")
    assert told == container.get_archive(path)[1]


def test_look_at_a_path_that_is_not_there(client, container):
    assert head(client, container, "/no/such/file").status_code == 404


def test_get_a_folder(container):
    chunks, stat = container.get_archive("/etc")
    names = open_tar(chunks).getnames()
    assert {"etc/passwd", "etc/group", "etc/motd"} <= set(names)
    assert names[0].rstrip("/") == "etc"
    assert stat["mode"] >> 31 == 1  # the bit of Go's os.FileMode for a folder


def test_get_the_content_of_a_folder(container):
    chunks, _ = container.get_archive("/etc/.")
    assert "./passwd" in [f"./{name.removeprefix('./')}" for name in open_tar(chunks).getnames()]


def test_a_link_is_described_and_not_followed(container):
    chunks, stat = container.get_archive("/bin/ls")
    (member,) = open_tar(chunks).getmembers()
    assert member.issym()
    assert member.linkname == "busybox"
    assert stat["linkTarget"] == "/bin/busybox"
    assert stat["mode"] >> 27 & 1 == 1  # the bit of Go's os.FileMode for a symbolic link


def test_put_then_get(container):
    container.put_archive("/var/opt", tar_of({"one": b"1", "two": b"22"}, mode=0o750, uid=70))
    tar = open_tar(container.get_archive("/var/opt/two")[0])
    (member,) = tar.getmembers()
    assert (member.mode & 0o777, member.uid, member.size, member.mtime) == (0o750, 70, 2, 1_000_000_000)
    assert tar.extractfile(member).read() == b"22"


def test_put_is_seen_by_a_process(client, image):
    container = client.containers.create(image, ["cat", "/root/letter"])
    container.put_archive("/root", tar_of({"letter": b"dear process\n"}))
    container.start()
    container.wait(timeout=20)
    assert container.logs() == b"dear process\n"


def test_put_overwrites(container):
    container.put_archive("/etc", tar_of({"motd": b"other"}))
    assert open_tar(container.get_archive("/etc/motd")[0]).extractfile("motd").read() == b"other"


def test_get_from_a_mount_of_the_engine(client, image):
    container = client.containers.run(image, OBEDIENT, detach=True)
    content = open_tar(container.get_archive("/etc/hostname")[0]).extractfile("hostname").read()
    assert content.decode().strip() == container.id[:12]


def test_get_what_is_not_there(container):
    with pytest.raises(docker.errors.NotFound):
        container.get_archive("/no/such/file")


def test_get_from_below_a_file(container, engine):
    with pytest.raises(docker.errors.APIError) as refusal:
        container.get_archive("/etc/motd/below")
    assert refusal.value.status_code in expected("path through a file", engine)


def test_put_into_what_is_not_there(container):
    with pytest.raises(docker.errors.NotFound):
        container.put_archive("/no/such/folder", tar_of({"x": b""}))


def test_put_into_a_file(container, engine):
    with pytest.raises(docker.errors.APIError) as refusal:
        container.put_archive("/etc/motd", tar_of({"x": b""}))
    assert refusal.value.status_code in expected("path through a file", engine)


def test_put_of_something_that_is_not_a_tar(container):
    with pytest.raises(docker.errors.APIError):
        container.put_archive("/root", b"no tar at all" * 100)
    assert open_tar(container.get_archive("/root/.")[0]).getnames()[1:] == []


def test_a_path_is_needed(client, container):
    answer = client.api.get(f"{client.api.base_url}/containers/{container.id}/archive", timeout=10)
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/../../../etc/motd", "etc/motd", "/etc/../etc/./motd"])
def test_a_path_starts_at_the_root_of_the_container(container, path):
    tar = open_tar(container.get_archive(path)[0])
    assert tar.extractfile("motd").read() == b"hello from the image\n"


def test_a_link_to_the_outside_leads_to_the_inside(client, image):
    """The container's /out points at a folder that both have: what is put there is the container's own."""
    container = client.containers.run(image, ["sh", "-c", "ln -s /../../../../root /out"], detach=True)
    container.wait(timeout=20)
    container.put_archive("/out", tar_of({"labkit-contract-letter": b"hi"}))
    assert open_tar(container.get_archive("/root/labkit-contract-letter")[0]).getnames() == ["labkit-contract-letter"]


def test_an_entry_with_dots_stays_inside(client, image):
    container = client.containers.create(image)
    with pytest.raises(docker.errors.APIError):
        container.put_archive("/root", tar_of({"../../../../../../labkit-contract-escaped": b"hi"}))
