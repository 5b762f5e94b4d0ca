"""The read-write layer: a container's own, kept by stop, gone with the container, never in the image."""

import hashlib

import pytest

from tests.contract.helpers import OBEDIENT


def writes(client, image, text: str):
    """A container that ran and wrote `text` over the image's file."""
    container = client.containers.run(image, ["sh", "-c", f"echo {text} > /etc/motd; touch /{text}"], detach=True)
    assert container.wait(timeout=20)["StatusCode"] == 0
    return container


def motd(container) -> str:
    return container.exec_run("cat /etc/motd").output.decode()


@pytest.mark.parametrize("move", ["stop", "kill", "restart"])
def test_the_layer_outlives_the_process(client, image, move):
    container = client.containers.run(image, OBEDIENT, detach=True)
    container.exec_run(["sh", "-c", "echo mine > /etc/motd"])
    getattr(container, move)()
    if move != "restart":
        container.wait(timeout=20)
        container.start()
    assert motd(container) == "mine\n"


def test_the_layer_does_not_outlive_the_container(client, image):
    container = writes(client, image, "mine")
    name = container.name
    container.remove()
    again = client.containers.run(image, OBEDIENT, detach=True, name=name)
    assert motd(again) == "hello from the image\n"
    assert not again.diff()


def test_two_containers_do_not_see_each_others_changes(client, image):
    one, two = writes(client, image, "one"), writes(client, image, "two")
    fresh = client.containers.run(image, OBEDIENT, detach=True)
    assert {change["Path"] for change in one.diff()} == {"/etc", "/etc/motd", "/one"}
    assert {change["Path"] for change in two.diff()} == {"/etc", "/etc/motd", "/two"}
    assert motd(fresh) == "hello from the image\n"
    assert fresh.exec_run("ls /one /two").exit_code != 0


def test_two_running_containers_change_the_same_path(client, image):
    pair = [client.containers.run(image, OBEDIENT, detach=True) for _ in range(2)]
    for number, container in enumerate(pair):
        container.exec_run(["sh", "-c", f"echo {number} > /etc/motd"])
    assert [motd(container) for container in pair] == ["0\n", "1\n"]


def test_the_image_keeps_its_digest(client, image):
    before = client.images.get(image)
    writes(client, image, "mine")
    after = client.images.get(image)
    assert (before.id, before.attrs["RootFS"]) == (after.id, after.attrs["RootFS"])
    assert digest_of(client, image, "/bin/busybox") == digest_of(client, image, "/bin/busybox")


def digest_of(client, image, path: str) -> str:
    content = client.containers.run(image, ["cat", path], remove=True)
    return hashlib.sha256(content).hexdigest()


def test_a_read_only_container_refuses_to_write(client, image):
    container = client.containers.run(image, ["touch", "/x"], read_only=True, detach=True)
    assert container.wait(timeout=20)["StatusCode"] == 1
    assert b"Read-only file system" in container.logs()
    assert not container.diff()


def test_the_size_of_the_layer_is_what_was_written(client, image):
    container = client.containers.run(image, ["sh", "-c", "head -c 100000 /dev/zero > /big"], detach=True)
    container.wait(timeout=20)
    url = client.api._url("/containers/{0}/json", container.id)
    sizes = client.api.get(url, params={"size": 1}).json()
    assert sizes["SizeRw"] == 100_000
    assert sizes["SizeRootFs"] > sizes["SizeRw"]


def test_many_containers_share_one_image(client, image):
    containers = [client.containers.create(image, ["cat", "/etc/motd"]) for _ in range(5)]
    for container in containers:
        container.start()
    for container in containers:
        assert container.wait(timeout=20)["StatusCode"] == 0
        assert container.logs() == b"hello from the image\n"
    assert len({container.attrs["Image"] for container in containers}) == 1
