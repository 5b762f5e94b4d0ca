"""The guests' files: built once, checked by their sums, and built anew when they are not what they were."""

import sys
from pathlib import Path

import pytest

from labkit.microvm import guest, rootdisk
from labkit.microvm.packages import GuestNotBuilt
from tests.test_packaging import PACKAGE, imports, modules


@pytest.fixture
def built(monkeypatch, tmp_path) -> list[str]:
    """A builder that only notes that it was called."""
    calls: list[str] = []

    def build(folder: Path, cache: Path) -> dict[str, str]:
        calls.append(folder.name)
        (folder / "kernel").write_text("a kernel")
        return {}

    monkeypatch.setitem(guest.BUILDERS, "uml", build)
    return calls


def test_the_files_are_built_once(built, tmp_path):
    for _ in range(2):
        guest.ensure("uml", tmp_path)
    assert built == ["uml"]


@pytest.mark.parametrize("damage", ["changed", "removed", "added"])
def test_files_that_are_not_what_they_were_are_built_anew(built, tmp_path, damage):
    guest.ensure("uml", tmp_path)
    kernel = tmp_path / "uml" / "kernel"
    {
        "changed": lambda: kernel.write_text("another"),
        "removed": kernel.unlink,
        "added": lambda: (tmp_path / "uml" / "more").write_text(""),
    }[damage]()
    assert not guest.is_built("uml", tmp_path / "uml")
    guest.ensure("uml", tmp_path)
    assert built == ["uml", "uml"]


def test_a_folder_that_may_not_be_written_to_is_told_with_what_to_do(built, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GuestNotBuilt, match="set LABKIT_GUEST"):
        guest.ensure("uml", tmp_path / "file")


def test_a_root_disk_is_of_one_labkit_and_one_python(monkeypatch):
    before = rootdisk.fingerprint()
    assert rootdisk.fingerprint() == before
    monkeypatch.setattr(sys, "version", "4.0")
    assert rootdisk.fingerprint() != before


def test_modules_that_were_only_unpacked_tell_themselves_what_they_need(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net/llc.ko").write_bytes(b"\x7fELF\0depends=\0name=llc\0")
    (tmp_path / "net/bridge.ko").write_bytes(b"\x7fELF\0license=GPL\0depends=llc\0name=bridge\0")
    assert list(guest.modules(tmp_path, ("bridge",))) == ["00-llc.ko", "01-bridge.ko"]


def test_the_engines_packages_are_found_with_all_that_they_need():
    names = {name.split("/")[0] for _, name in rootdisk.needed_packages(*rootdisk.ENGINE_NEEDS)}
    assert {"aiohttp", "yarl", "multidict", "dns"} <= names


@pytest.mark.parametrize("part", ["engine", "runtime", "microvm"])
def test_all_that_the_engine_imports_is_on_the_disk(part):
    names = {name.split("/")[0].removesuffix(".py") for _, name in rootdisk.needed_packages(*rootdisk.ENGINE_NEEDS)}
    tops = {name.partition(".")[0] for path in modules(PACKAGE / part) for name in imports(path)}
    assert tops - set(sys.stdlib_module_names) - {"labkit", "__future__"} - names == set()


def test_a_package_that_is_not_installed_brings_nothing():
    assert list(rootdisk.needed_packages("no-such-package")) == []
