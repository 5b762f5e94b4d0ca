"""The guests' files as an arm64 computer would build them, made on this one out of Debian's arm64 packages.

guest.py takes what is of this machine's own processor: the root disk is made of the Python that runs. So here that disk
is filled from packages, which apt-get downloads into a folder of its own; kernel and initramfs are guest.py's work.
"""

import io
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import labkit
from labkit.microvm import guest, qemu, rootdisk
from tests.backends import backend_missing, program

ARM64 = qemu.BOARDS["aarch64"]
HOW = f"apt install {ARM64.package} e2fsprogs, and a Debian whose mirror has arm64 packages"
PYTHON = "/usr/bin/python3.11"  # Debian 12's
WANTED = ("python3", "python3-aiohttp", "python3-dnspython", "busybox-static", ARM64.kernel)
SCRIPTS_ONLY = ("initramfs-tools", "klibc", "linux-base", "debconf", "dpkg", "adduser", "passwd", "libpam", "coreutils")
SECONDS = 300


def files(folder: Path) -> Path:
    """Build all that an arm64 machine needs below `folder`; a named skip where that can't be had."""
    for name in (ARM64.program, "mke2fs", "apt-get", "dpkg-deb"):
        program(name, "arm64", HOW)
    tree = folder / "tree"
    for package in download(folder / "apt"):
        if not package.name.startswith(SCRIPTS_ONLY):
            subprocess.run(["dpkg-deb", "-x", package, tree], check=True, timeout=SECONDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform, "machine", lambda: "aarch64")
        patch.setattr(guest.packages, "root_of", lambda path, package, cache: tree)
        patch.setattr(rootdisk, "fill", lambda place: fill(tree, place))
        patch.setattr(rootdisk, "add_tools", lambda place, busybox: None)  # it would have to run here
        patch.setattr(shutil, "which", lambda name, **_: name)  # its emulator is here
        for kind in ("vm", "qemu"):
            guest.ensure(kind, folder)
    return folder


def download(folder: Path) -> list[Path]:
    """The packages and all that they need, with lists and a cache of their own: nothing is installed."""
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    (folder / "status").touch()
    apt = ["apt-get", "-qq", "-o", f"Dir::State={folder}/state", "-o", f"Dir::State::status={folder}/status"]
    apt += ["-o", f"Dir::Cache={folder}/cache", "-o", "APT::Architecture=arm64", "-o", "APT::Architectures::=arm64"]
    apt += ["-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1", "-o", "APT::Install-Recommends=0"]
    for command in (["update"], ["install", "--download-only", "--yes", *WANTED]):
        done = subprocess.run([*apt, *command], capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            backend_missing("arm64", f"{HOW}; apt-get said: {done.stderr.strip()[-300:]}")
    return sorted((folder / "cache/archives").glob("*.deb"))


def fill(tree: Path, place: Path) -> None:
    """The root disk: Debian's Python and what the engine imports, and labkit where ours is, too."""
    for name in rootdisk.FOLDERS:
        (place / name).mkdir()
    (place / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    for name in ("lib", "usr/bin", "usr/lib"):
        ignore = shutil.ignore_patterns("modules", "*.a", "perl*", "gconv", "test", "*.conf")
        shutil.copytree(tree / name, place / name, symlinks=True, ignore=ignore)
    ignore = shutil.ignore_patterns("lessons", "views", "__pycache__")
    shutil.copytree(Path(labkit.__file__).parent, place / rootdisk.LIBRARY.lstrip("/") / "labkit", ignore=ignore)
    rootdisk.compile_all(place)


def image(folder: Path) -> bytes:
    """A tar with one program for arm64: busybox."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(folder / "tree/bin/busybox", "bin/busybox")
    return content.getvalue()
