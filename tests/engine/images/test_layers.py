"""Layers on disk: shared below, one writable on top, and what becomes of both."""

import io
import os
import threading
from pathlib import Path

import pytest

from labkit.engine.errors import NoSuchImage, NotFound, ServerError, StateError
from labkit.engine.images import layers, overlay
from labkit.engine.images.layers import GraphDriver
from labkit.engine.images.vfs import VfsDriver
from tests.engine.images.trees import file, folder, link, tar

ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def image(store):
    return store.import_tar(io.BytesIO(tar(folder("etc"), file("etc/motd", b"hello\n"))), "base", [], "")


def write(driver: GraphDriver, container_id: str, path: str, text: str) -> None:
    with driver.opened(container_id) as fd:
        out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=fd)
        os.write(out, text.encode())
        os.close(out)


def read(driver: GraphDriver, container_id: str, path: str) -> str:
    with driver.opened(container_id) as fd, open(os.open(path, os.O_RDONLY, dir_fd=fd)) as opened:
        return opened.read()


def test_containers_change_their_own_layer_only(driver, image):
    driver.create(ONE, image)
    driver.create(TWO, image)
    write(driver, ONE, "etc/motd", "changed\n")
    assert read(driver, ONE, "etc/motd") == "changed\n"  # also after it was unmounted: stop and start
    assert read(driver, TWO, "etc/motd") == "hello\n"
    assert driver.changes(ONE) == [{"Path": "/etc", "Kind": 0}, {"Path": "/etc/motd", "Kind": 0}]
    assert driver.changes(TWO) == []


def test_mount_points_are_there_and_no_change(driver, image):
    driver.create(ONE, image)
    with driver.opened(ONE) as fd:
        assert {"dev", "proc", "sys", ".dockerenv"} <= set(os.listdir(f"/proc/self/fd/{fd}"))
        assert sorted(os.listdir(f"/proc/self/fd/{fd}/etc")) == ["hostname", "hosts", "motd", "mtab", "resolv.conf"]
    assert driver.changes(ONE) == [] and driver.size(ONE) == 0


def test_an_image_with_odd_mount_points(driver, store):
    """Images may have links where mounts go. They stay, and nothing is made behind them outside."""
    odd = tar(link("proc", "/tmp/elsewhere"), file("sys"), link("etc", "../../../../../tmp"), folder("tmp"))
    driver.create(ONE, store.import_tar(io.BytesIO(odd), None, [], ""))
    with driver.opened(ONE) as fd:
        assert os.readlink("proc", dir_fd=fd) == "/tmp/elsewhere"
        assert "hosts" in os.listdir(f"/proc/self/fd/{fd}/tmp")


def test_remove_takes_the_container_and_leaves_the_image(driver, image):
    driver.create(ONE, image)
    write(driver, ONE, "new", "x")
    driver.remove(ONE)
    driver.remove(ONE)  # twice is once
    assert driver.containers() == [] and driver.layers() == list(image.layers)
    with pytest.raises(NotFound, match="no layer"):
        driver.changes(ONE)


def test_what_is_needed_to_mount(driver, image):
    driver.create(ONE, image)
    [mount] = driver.rootfs(ONE)
    assert mount["destination"] == "/" and driver.merged(ONE).endswith(f"{ONE}/merged")
    assert Path(driver.merged(ONE)).is_dir()
    if driver.name == "overlay2":
        data = driver.data(ONE)
        assert data["LowerDir"].split(":")[1:] == [driver.image_data(image)["UpperDir"]]
        assert f"upperdir={data['UpperDir']}" in mount["options"]


def test_a_layer_gone_missing(driver, store, image):
    driver.remove_layer(image.layers[0])
    with pytest.raises(NoSuchImage):
        driver.create(ONE, image)


def test_one_mount_at_a_time(driver, image):
    driver.create(ONE, image)
    threads = [threading.Thread(target=write, args=(driver, ONE, f"file{n}", "x")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(driver.changes(ONE)) == 8


def test_nothing_stays_mounted(driver, image):
    driver.create(ONE, image)
    with pytest.raises(ZeroDivisionError), driver.opened(ONE):
        _ = 1 / 0
    assert str(driver.root) not in Path("/proc/self/mountinfo").read_text()


def test_a_mount_that_was_left_is_not_deleted_through(driver, image):
    """An engine killed inside `opened` leaves a mount. Deleting through it would only write whiteouts."""
    driver.create(ONE, image)
    if driver.name == "overlay2":
        overlay.linux.mount("overlay", driver.merged(ONE), "overlay", 0, ",".join(driver.rootfs(ONE)[0]["options"]))
    driver.remove(ONE)
    assert str(driver.root) not in Path("/proc/self/mountinfo").read_text()
    assert driver.containers() == [] and driver.layer(image.layers[0])


def test_sweep_removes_what_was_half_made(driver, image):
    (driver.root / ".new.0123" / "diff").mkdir(parents=True)
    (driver.root / ".new.0123" / "diff").chmod(0)
    driver.sweep()
    assert not (driver.root / ".new.0123").exists() and driver.layers() == list(image.layers)


def test_a_failed_unpack_leaves_nothing(driver):
    record = {"diff_id": "", "chain_id": "", "parent": ""}
    with pytest.raises(ValueError):
        driver.add_layer("a" * 12, io.BytesIO(tar(file("a"), file("../b"))), record)
    assert os.listdir(driver.root) == []


def test_options_that_do_not_fit():
    lower = [Path("/state/overlay") / f"{n:012x}" / "diff" for n in range(200)]
    with pytest.raises(ServerError, match="200 layers"):
        overlay.options(lower, Path("/x"), userxattr=False)


def test_a_state_folder_with_special_letters(driver, tmp_path):
    """mount(2) takes its options as one text, in which a comma and a colon mean something."""
    folder = tmp_path / "a,b:c d\\e"
    folder.mkdir()
    if driver.name == "overlay2":
        assert overlay.probe(folder, userxattr=driver.userxattr, volatile=True) is None


def test_pick_keeps_its_choice(tmp_path, monkeypatch):
    monkeypatch.setattr(overlay, "probe", lambda root, **_: OSError(1, "refused"))
    assert isinstance(layers.pick(tmp_path / "a"), VfsDriver)
    monkeypatch.setattr(overlay, "probe", lambda root, **_: None)
    assert isinstance(layers.pick(tmp_path / "a"), VfsDriver)
    assert type(layers.pick(tmp_path / "b")) is GraphDriver
    monkeypatch.setattr(overlay, "probe", lambda root, **_: OSError(1, "refused"))
    with pytest.raises(StateError, match="overlay mounts, which are refused now"):
        layers.pick(tmp_path / "b")
