"""The first root file system: the order of modules, and an archive that the kernel's format asks for."""

import shutil
import subprocess

import pytest

from labkit.microvm.initramfs import STAY, TO_ROOT_DISK, archive, numbered, ordered
from tests.backends import program

MODULES_DEP = """\
net/llc.ko:
net/stp.ko: net/llc.ko
net/bridge.ko: net/stp.ko net/llc.ko
drivers/virtio_blk.ko: drivers/virtio.ko
drivers/virtio.ko:
"""


def test_a_module_comes_after_all_that_it_needs():
    order = ordered(["bridge", "virtio_blk"], MODULES_DEP)
    assert order == ["net/llc.ko", "net/stp.ko", "net/bridge.ko", "drivers/virtio.ko", "drivers/virtio_blk.ko"]


def test_dashes_and_underscores_are_the_same_in_a_modules_name():
    assert ordered(["virtio-blk"], MODULES_DEP) == ordered(["virtio_blk"], MODULES_DEP)


def test_a_module_that_is_built_into_the_kernel_is_left_out():
    assert ordered(["ext4"], MODULES_DEP) == []


def test_the_names_sort_in_loading_order():
    names = numbered(f"x/module{number}.ko" for number in range(12))
    assert sorted(names) == list(names)


@pytest.mark.parametrize("script", [TO_ROOT_DISK, STAY], ids=["to the root disk", "stay"])
def test_the_script_is_a_shell_script(script):
    shell = program("sh", "embedded", "a shell")
    assert subprocess.run([shell, "-n"], input=script.encode(), capture_output=True).stderr == b""


def test_busybox_unpacks_the_archive(tmp_path):
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("no busybox here")
    content = archive(b"a busybox", {"00-virtio.ko": b"a module"}, TO_ROOT_DISK)
    subprocess.run([busybox, "cpio", "-idm"], input=content, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "init").read_text() == TO_ROOT_DISK
    assert (tmp_path / "init").stat().st_mode & 0o111
    assert (tmp_path / "modules/00-virtio.ko").read_bytes() == b"a module"
    assert (tmp_path / "dev").is_dir()
