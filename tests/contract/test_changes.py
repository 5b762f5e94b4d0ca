"""What a container changed of its image's files (docker diff): added, changed and deleted paths."""

import pytest

from tests.contract.helpers import OBEDIENT, tar_of

CHANGED, ADDED, DELETED = 0, 1, 2

# script: the changes that it makes. A folder is changed when an entry of it is.
SCRIPTS = {
    "nothing": ("true", {}),
    "read": ("cat /etc/motd; ls -R /bin", {}),
    "add": ("echo hi > /new", {"/new": ADDED}),
    "add in a folder": ("echo hi > /etc/new", {"/etc": CHANGED, "/etc/new": ADDED}),
    "add a folder": ("mkdir -p /srv/a; touch /srv/a/b", {"/srv": ADDED, "/srv/a": ADDED, "/srv/a/b": ADDED}),
    "change": ("echo more >> /etc/motd", {"/etc": CHANGED, "/etc/motd": CHANGED}),
    "change the mode": ("chmod 600 /etc/motd", {"/etc": CHANGED, "/etc/motd": CHANGED}),
    "change the owner": ("chown 70 /etc/motd", {"/etc": CHANGED, "/etc/motd": CHANGED}),
    "delete": ("rm /etc/motd", {"/etc": CHANGED, "/etc/motd": DELETED}),
    "delete a folder": ("rm -r /home/postgres", {"/home": CHANGED, "/home/postgres": DELETED}),
    "delete and make again": (
        "rm /etc/motd; echo new > /etc/motd",
        {"/etc": CHANGED, "/etc/motd": CHANGED},
    ),
    "make and delete": ("touch /new; rm /new", {}),
    "rename": ("mv /etc/motd /etc/hello", {"/etc": CHANGED, "/etc/motd": DELETED, "/etc/hello": ADDED}),
    "a link": ("ln -s /etc/motd /link", {"/link": ADDED}),
    "a link in the place of a file": (
        "rm /etc/motd; ln -s passwd /etc/motd",
        {"/etc": CHANGED, "/etc/motd": CHANGED},
    ),
    "a fifo": ("mkfifo /pipe", {"/pipe": ADDED}),
    "a name with spaces": ("touch '/a b'", {"/a b": ADDED}),
    "folder made again": (
        "rm -r /var/opt; mkdir /var/opt; touch /var/opt/x",
        {"/var": CHANGED, "/var/opt": CHANGED, "/var/opt/x": ADDED},
    ),
    "full folder made again": (
        "rm -r /home; mkdir /home; touch /home/x",
        {"/home": CHANGED, "/home/x": ADDED, "/home/postgres": DELETED},
    ),
    "in mounts of the engine": ("echo x > /dev/shm/x; echo x > /dev/x", {}),
}


def changes(container) -> dict[str, int]:
    """The changes, without the files that the engine itself mounts: dockerd makes empty ones for them to lie on."""
    return {change["Path"]: change["Kind"] for change in container.diff() or []}


@pytest.mark.parametrize(("script", "wanted"), SCRIPTS.values(), ids=SCRIPTS)
def test_changes(client, image, script, wanted):
    container = client.containers.run(image, ["sh", "-c", script], detach=True)
    assert container.wait(timeout=20)["StatusCode"] == 0, container.logs()
    assert changes(container) == wanted


def test_a_folder_comes_before_its_entries(client, image):
    container = client.containers.run(image, ["sh", "-c", "mkdir /new; touch /new/x /etc/z; rm /etc/motd"], detach=True)
    container.wait(timeout=20)
    paths = [change["Path"] for change in container.diff()]
    assert set(paths) == {"/etc", "/etc/motd", "/etc/z", "/new", "/new/x"}
    assert paths.index("/etc") < min(paths.index("/etc/motd"), paths.index("/etc/z"))
    assert paths.index("/new") < paths.index("/new/x")


def test_changes_of_a_container_that_never_ran(client, image):
    assert not client.containers.create(image).diff()  # dockerd says null, which the SDK makes None


def test_changes_of_a_running_container(client, image):
    container = client.containers.run(image, OBEDIENT, detach=True)
    container.exec_run("touch /while-it-runs")
    assert changes(container) == {"/while-it-runs": ADDED}


def test_changes_by_copying(client, image):
    container = client.containers.create(image)
    container.put_archive("/root", tar_of({"letter": b"hi"}))
    assert changes(container) == {"/root": CHANGED, "/root/letter": ADDED}
