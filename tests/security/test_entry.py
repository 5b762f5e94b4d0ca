"""A9 to A13: the moment at which the engine's own process becomes the container's, and the image can see it."""

import contextlib
import hashlib
import os
import shutil
import sysconfig
import time
from pathlib import Path

import docker
import pytest

from tests import engines
from tests.backends import not_for_this_engine
from tests.contract import test_isolation as isolation
from tests.contract.helpers import eventually, tar_of
from tests.contract.test_isolation import sh
from tests.engine.images.trees import file, folder, link
from tests.security.conftest import untouched
from tests.security.images import evil

FOREVER = ["sleep", "600"]

# --- A9 ----------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A9")
def test_a9_a_container_inherits_nothing(client, image):
    isolation.test_no_open_file_is_inherited(client, image)


@pytest.mark.attack("A9")
def test_a9_nor_does_an_exec(client, image):
    container = client.containers.run(image, FOREVER, detach=True)
    assert container.exec_run("ls /proc/self/fd").output.split() == [b"0", b"1", b"2", b"3"]


@pytest.mark.attack("A9")
def test_a9_the_first_process_holds_its_streams_only(client, image):
    """Seen from outside, where a close-on-exec descriptor that was missed would still be there."""
    container = client.containers.run(image, FOREVER, detach=True)
    container.reload()
    place = f"/proc/{container.attrs['State']['Pid']}/fd"
    held = {number: os.readlink(f"{place}/{number}") for number in os.listdir(place)}
    assert set(held) == {"0", "1", "2"}
    assert all(target == "/dev/null" or target.startswith("pipe:") for target in held.values())


# --- A10 ---------------------------------------------------------------------------------------------------------

WHERE = "stat -c %d:%i / && cd ../../../../../../../.. && stat -c %d:%i ."


@pytest.mark.attack("A10")
@pytest.mark.parametrize("number", range(3, 24))
def test_a10_no_descriptor_leads_out(client, image, engine, number):
    """CVE-2024-21626: a folder of the host, left open, as the working directory. From there `..` was the host."""
    if engine.name == "dockerd" and number not in (3, 7, 8, 9):
        not_for_this_engine("four numbers are enough for the reference: each start takes it a third of a second")
    try:
        said = sh(client, image, WHERE, working_dir=f"/proc/self/fd/{number}")
    except docker.errors.APIError as refusal:
        assert (refusal.status_code in (400, 500) and str(number) in str(refusal)) or refusal.explanation
    else:
        assert len(set(said.split())) == 1, "the way up must end at the container's root"


@pytest.mark.attack("A10")
def test_a10_a_working_directory_is_entered(client, image):
    """The control."""
    assert sh(client, image, f"pwd && {WHERE}", working_dir="/var/opt").split()[0] == "/var/opt"


# --- A11 ---------------------------------------------------------------------------------------------------------

# Watch /proc for processes that are not ours yet, keep their program open, and write to it once it runs no more.
CATCH = """
attack() { exec 3< $1/exe && echo caught $2 && sleep 3 && (echo '#!OWNED' > /proc/self/fd/3) && echo WROTE; }
end=$(($(date +%s) + 3)); n=0
while [ $(date +%s) -lt $end ] && [ $n -lt 8 ]; do
  for p in /proc/[0-9]*; do
    t=$(readlink $p/exe) || continue
    case $t in /bin/busybox|'') ;; *) (attack $p "$t") 2>/dev/null & n=$((n+1)); break ;; esac
  done
done
wait
echo end
"""


def fingerprints(engine) -> dict[str, str]:
    """The programs that enter a container, by their content."""
    names = [shutil.which("runc")] if engine.name == "dockerd" else [engines.python(None), engines.python(True)]
    paths = {os.path.realpath(name) for name in names if name}
    return {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}


@pytest.mark.attack("A11")
def test_a11_the_program_that_enters_cannot_be_written(client, image, engine):
    before = fingerprints(engine)
    entry = evil(client, link("entry", "/proc/self/exe"), file("catch", CATCH.encode(), mode=0o755))
    container = client.containers.run(entry, ["sh", "/catch"], detach=True)
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        for command in ("/entry", "true"):
            run_and_forget(container, command)
    assert container.wait(timeout=30)["StatusCode"] == 0
    said = container.logs().decode()
    assert said.endswith("end\n") and ("caught" in said or engine.name == "dockerd"), "the control: it got hold of it"
    assert "WROTE" not in said
    assert fingerprints(engine) == before


def run_and_forget(container, command: str) -> None:
    try:
        container.exec_run(command)
    except docker.errors.APIError as failed:
        assert failed.status_code in (400, 409, 500)


@pytest.mark.attack("A11")
def test_a11_an_entrypoint_that_is_the_program_itself(client, engine):
    before = fingerprints(engine)
    name = evil(client, link("entry", "/proc/self/exe"))
    container = client.containers.create(name, entrypoint=["/entry"])
    try:
        container.start()
        container.wait(timeout=20)
    except docker.errors.APIError as refused:
        assert "entry" in str(refused) or "no such file" in str(refused)
    assert fingerprints(engine) == before
    assert sh(client, name, "readlink /entry") == "/proc/self/exe", "the control: the link is there"


# --- A12 ---------------------------------------------------------------------------------------------------------

MARK = "/ran-by-the-engine"
TRAP = f"#!/bin/sh\ntouch {MARK}\n".encode()
MODULE = f"open({MARK!r}, 'w').close()\n".encode()
MODULES = (
    "encodings/idna.py",
    "encodings/utf_8.py",
    "tarfile.py",
    "traceback.py",
    "pwd.py",
    "array.py",
    "sitecustomize.py",
)


def traps() -> list:
    """Programs and modules that an engine may be lured to run, each leaving a mark."""
    library = sysconfig.get_path("stdlib").strip("/")
    programs = [
        file(f"usr/bin/{name}", TRAP, mode=0o755) for name in ("xz", "gzip", "tar", "unpigz", "git", "ps", "sh")
    ]
    modules = [file(f"{place}/{name}", MODULE) for place in sorted({library, "usr/lib/python3.11"}) for name in MODULES]
    nss = [
        file("etc/nsswitch.conf", b"passwd: evil\ngroup: evil\nhosts: evil\n"),
        file("lib/libnss_evil.so.2", b"\x7fELF"),
    ]
    return [*programs, *modules, *nss]


@pytest.mark.attack("A12")
def test_a12_nothing_of_the_image_is_run_for_the_engine(client):
    name = evil(client, *traps())
    container = client.containers.run(name, FOREVER, detach=True, user="postgres")
    for user in ("root", "postgres", "70"):
        assert container.exec_run("echo ok", user=user).output == b"ok\n"
    container.put_archive("/tmp", tar_of({"a": b"1"}))
    container.get_archive("/etc/passwd")
    container.top()
    list(container.export())
    container.commit("labkit-test/evil-commit", "x")
    client.images.remove("labkit-test/evil-commit:x")
    container.kill()
    container.wait(timeout=20)
    with pytest.raises(docker.errors.NotFound):
        container.get_archive(MARK)


@pytest.mark.attack("A12")
def test_a12_the_traps_do_leave_a_mark(client):
    """The control: run on purpose, one of them does."""
    container = client.containers.run(evil(client, *traps()), ["/usr/bin/xz"], detach=True)
    container.wait(timeout=20)
    container.get_archive(MARK)


# --- A13 ---------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A13")
@pytest.mark.parametrize("place", ["proc", "sys", "dev"])
def test_a13_a_link_in_place_of_a_kernel_tree(client, outside, place):
    name = evil(client, link(place, str(outside)), without=(place,))
    with contextlib.suppress(docker.errors.APIError, docker.errors.ContainerError):  # refused is as good
        assert sh(client, name, "echo inside").endswith("inside")
    assert untouched(outside)


@pytest.mark.attack("A13")
@pytest.mark.parametrize("dots", ["", "../../../../../.."], ids=["absolute", "dots"])
def test_a13_a_link_in_place_of_a_volume(client, outside, dots):
    """The bind must land inside the container, wherever the link says that it should."""
    name = evil(client, link("data", f"{dots}{outside}"))
    container = client.containers.create(name, FOREVER, volumes=["/data/in"])
    try:
        container.start()
    except docker.errors.APIError as refused:
        assert "/data/in" in str(refused)  # the link leads to nothing in the container
    else:
        assert container.exec_run("touch /data/in/x").exit_code == 0
    assert untouched(outside)


@pytest.mark.attack("A13")
def test_a13_a_link_that_stays_inside_is_followed(client):
    """The control."""
    name = evil(client, folder("real"), link("data", "/real"))
    container = client.containers.run(name, FOREVER, detach=True, volumes=["/data/in"])
    assert container.exec_run("touch /data/in/x").exit_code == 0
    assert container.exec_run("test -e /real/in/x").exit_code == 0


@pytest.mark.attack("A13")
def test_a13_honest_folders_are_mounted(client):
    """The control: the same image without links."""
    name = evil(client, folder("proc"), folder("data"))
    assert sh(client, name, "test -e /proc/self/stat && test -c /dev/null && echo yes") == "yes"
    assert eventually(lambda: client.images.get(name))
