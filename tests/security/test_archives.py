"""A14 to A16 and A24: archives, in by every door that an engine has."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable

import docker
import pytest

from tests import engines
from tests.backends import not_for_this_engine
from tests.contract.helpers import eventually, open_tar, tar_of, unique
from tests.engine.images import test_hostile as hostile
from tests.engine.images.test_save_load import WRONG, Layout, named
from tests.engine.images.trees import file, folder, tar
from tests.faults.traces import memory
from tests.security.conftest import labels, untouched

MEGABYTE = 1 << 20
REFUSALS = (docker.errors.APIError, docker.errors.ImageLoadError, docker.errors.BuildError)
PUTS = 200 if os.environ.get("SOAK") else 40

# --- A14 ---------------------------------------------------------------------------------------------------------


def linked(client, image, outside):
    """A container with links to a folder of the host: /way, and /file to the secret in it."""
    script = f"ln -s {outside} /way; ln -s {outside}/secret /file; sleep 600"
    container = client.containers.run(image, ["sh", "-c", script], detach=True)
    eventually(lambda: container.exec_run("test -L /file").exit_code == 0)
    return container


@pytest.mark.attack("A14")
@pytest.mark.parametrize("state", ["running", "exited"])
def test_a14_copy_in_through_a_link(client, image, outside, state):
    container = linked(client, image, outside)
    if state == "exited":
        container.kill()
        container.wait(timeout=20)
    for path in ("/way", "/way/../outside", f"/proc/1/root{outside}"):
        with_refusal(lambda path=path: container.put_archive(path, tar_of({"secret": b"pwned", "new": b"1"})))
    with_refusal(lambda: container.put_archive("/", tar_of({"file": b"pwned"})))
    assert untouched(outside)
    assert container.put_archive("/tmp", tar_of({"x": b"1"})), "the control: a copy can be made"


@pytest.mark.attack("A14")
@pytest.mark.parametrize("path", ["/way/secret", "/way/", "/file", "/way/."])
def test_a14_copy_out_through_a_link(client, image, outside, path):
    container = linked(client, image, outside)
    with_refusal(lambda: assert_without_secret(container.get_archive(path)[0]))
    assert open_tar(container.get_archive("/etc/motd")[0]).getnames() == ["motd"], "the control"


def assert_without_secret(chunks) -> None:
    assert not any(member.isfile() and member.size == len("secret") for member in open_tar(chunks).getmembers())


def with_refusal(call: Callable[[], object]) -> None:
    """The call may be refused by the engine; but it must be the engine that refuses."""
    try:
        call()
    except docker.errors.APIError as refusal:
        assert refusal.explanation


@pytest.mark.attack("A14")
def test_a14_a_race_between_folder_and_link(client, image, outside):
    """CVE-2018-15664: what is a folder when it is checked is a link when it is used."""
    script = f"mkdir /a; cd /; while :; do mv a b; ln -s {outside} a; rm a; mv b a; usleep 3000; done"
    container = client.containers.run(image, ["sh", "-c", script], detach=True)
    done = 0
    for number in range(PUTS):
        try:
            done += bool(container.put_archive("/a", tar_of({f"n{number}": b"1", "secret": b"pwned"})))
        except docker.errors.APIError as refusal:
            assert refusal.explanation
    assert untouched(outside)
    container.kill()
    assert done, "the control: some copies found the folder"


# --- A15 ---------------------------------------------------------------------------------------------------------


def by_import(client, image, archive: bytes) -> None:
    client.api.import_image_from_data(archive, repository=unique("labkit-test/hostile"), changes=labels())


def by_copy(client, image, archive: bytes) -> None:
    client.containers.create(image).put_archive("/tmp", archive)


def by_load(client, image, archive: bytes) -> None:
    layout = Layout()
    config = {"architecture": "amd64", "os": "linux", "config": {"Labels": {}}, "rootfs": {"type": "layers"}}
    from tests.engine.images.test_save_load import digest

    config["rootfs"]["diff_ids"] = [digest(archive)]
    descriptor = layout.blob("manifest", layout.manifest(layer=archive, config=config))
    name = unique("labkit-test/hostile") + ":1"
    client.images.load(layout.archive({**descriptor, **named(name)}))
    client.images.remove(name)


def by_build(client, image, archive: bytes) -> None:
    context = tar_of({"Dockerfile": f"FROM {image}\nADD evil.tar /tmp/\n".encode(), "evil.tar": archive})
    client.images.build(fileobj=io.BytesIO(context), custom_context=True, rm=True, forcerm=True)


DOORS = {"import": by_import, "copy": by_copy, "load": by_load, "build": by_build}


@pytest.mark.attack("A15")
@pytest.mark.parametrize("door", DOORS)
def test_a15_no_archive_leaves_its_root(client, image, outside, door):
    for name, make in hostile.ESCAPES.items():
        try:
            DOORS[door](client, image, make(str(outside)))
        except REFUSALS as refusal:
            assert str(refusal), name
        assert untouched(outside), name


@pytest.mark.attack("A15")
@pytest.mark.parametrize("door", DOORS)
def test_a15_nonsense_breaks_nothing(client, image, engine, door):
    for name, archive in hostile.REFUSED.items():
        try:
            DOORS[door](client, image, archive)
        except REFUSALS as refusal:
            assert str(refusal), name
    assert client.ping()
    assert client.containers.run(image, ["echo", "well"], remove=True) == b"well\n"


@pytest.mark.attack("A15")
@pytest.mark.parametrize("door", DOORS)
def test_a15_an_honest_archive_comes_in(client, image, engine, door):
    if door == "load" and engine.name == "dockerd":
        not_for_this_engine(
            "dockerd reads OCI layouts since version 25; with Docker's own format it is tested in tests/contract"
        )
    DOORS[door](client, image, tar(folder("a"), file("a/b", b"1")))


# --- A16 ---------------------------------------------------------------------------------------------------------


def zeros(size: int) -> bytes:
    """A gzip of a tar of one file of zeros, a thousandth of its size."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1, mtime=0) as packed:
        info = tarfile.TarInfo("zeros")
        info.size = size
        packed.write(info.tobuf())
        for _ in range(size // MEGABYTE):
            packed.write(bytes(MEGABYTE))
        packed.write(bytes(1024))
    return buffer.getvalue()


def long_header(size: int) -> bytes:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, size
    return gzip.compress(info.tobuf() + b"x" * size, 1)


def crowd(count: int) -> bytes:
    """So many entries; after compression a few hundred kilobytes."""
    info = tarfile.TarInfo("same")
    info.type = tarfile.DIRTYPE
    return gzip.compress(info.tobuf() * count + bytes(1024), 1)


BOMBS = {
    "zeros": lambda: zeros(600 * MEGABYTE),
    "long header": lambda: long_header(64 * MEGABYTE),
    "crowd": lambda: crowd(300_001),
}


@pytest.mark.attack("A16")
@pytest.mark.parametrize("name", BOMBS)
def test_a16_a_bomb_is_refused_early(client, image, engine, name):
    if engine.name == "dockerd":
        not_for_this_engine("dockerd takes archives of any size; on a shared one the attack would fill the disk")
    bomb, pid = BOMBS[name](), engines.api_pid(engine)
    before, files = memory(pid), set(os.listdir(engine.state / "overlay"))
    with pytest.raises(docker.errors.APIError) as refusal:
        by_import(client, image, bomb)
    assert 400 <= refusal.value.status_code < 500
    assert memory(pid) - before < 64 * MEGABYTE
    eventually(lambda: set(os.listdir(engine.state / "overlay")) <= files | {"empty-init"})
    assert sum(path.stat().st_size for path in (engine.state / "blobs").rglob("*") if path.is_file()) < 64 * MEGABYTE


@pytest.mark.attack("A16")
def test_a16_an_honest_large_file_comes_in(client, image):
    by_import(client, image, zeros(30 * MEGABYTE))


# --- A24 ---------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A24")
@pytest.mark.parametrize("make", WRONG, ids=lambda make: make.__name__)
def test_a24_a_layout_that_lies_is_refused(client, image, make):
    before = names(client)
    with pytest.raises(REFUSALS):
        client.images.load(make(Layout()))
    assert names(client) == before


@pytest.mark.attack("A24")
def test_a24_an_honest_layout_is_loaded(client, engine):
    """The control."""
    if engine.name == "dockerd":
        not_for_this_engine(
            "dockerd reads OCI layouts since version 25: an older one refuses all of these for that alone"
        )
    layout, name = Layout(), unique("labkit-test/honest") + ":1"
    client.images.load(layout.archive({**layout.blob("manifest", layout.manifest()), **named(name)}))
    client.images.remove(name)


@pytest.mark.attack("A24")
@pytest.mark.parametrize("part", ["config", "layer"])
def test_a24_dockers_own_format_with_a_byte_changed(client, image, part):
    from tests.contract.test_images import saved, tampered

    container = client.containers.create(image)
    container.put_archive("/", tar_of({"more": b"more\n"}))
    made = container.commit(name := unique("labkit-test/changed"), "1")
    archive = saved(made)
    container.remove()
    client.images.remove(f"{name}:1")
    with pytest.raises(REFUSALS):
        client.images.load(tampered(archive, part))
    assert f"{name}:1" not in names(client)
    client.images.load(archive)  # the control: unchanged, it comes back
    assert f"{name}:1" in names(client)


def names(client) -> set[str]:
    return {tag for made in client.images.list() for tag in made.tags}
