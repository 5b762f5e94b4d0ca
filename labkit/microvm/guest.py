"""The files that a guest needs, built by `labkit engine build-guest` or when a machine is first started.

    uml/     linux.uml, modules/                     from the package user-mode-linux; the root is the host's own
    qemu/    vmlinuz, initramfs, root.ext4           a kernel of the distribution, this Python, a busybox
             emulator/, run-qemu                     only where QEMU is not installed
    vm/      vmlinuz, initramfs                      for labkit.VM: the same kernel, and a busybox to look around with

They are kept in $LABKIT_GUEST, or in `guest` in the state folder. `built.json` beside them, written last, has the
SHA-256 of each file: a folder without it, or with other files, is built anew. Nothing here needs root.
"""

import hashlib
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.engine.state import default_state, read_json, write_json
from labkit.microvm import initramfs, packages, qemu, rootdisk
from labkit.microvm.kinds import KINDS, QEMU, UML
from labkit.microvm.packages import GuestNotBuilt

BUILT = "built.json"
NETWORK_MODULES = ("bridge", "veth", "overlay")  # overlay is for the layers of images
DISK_MODULES = ("virtio_mmio", "virtio_blk", "virtio_console", "virtio_rng")


def default_files() -> Path:
    """Where the guests' files are: $LABKIT_GUEST, or in the state folder."""
    return Path(os.environ.get("LABKIT_GUEST") or default_state() / "guest").absolute()


def ensure(kind: str, files: Path) -> None:
    """Build the files of one kind unless they are there. Raises GuestNotBuilt."""
    folder = files / kind
    try:
        if is_built(kind, folder):
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        facts = BUILDERS[kind](folder, files / "packages")
        write_json(folder / BUILT, {**facts, "files": checksums(folder)})
        shutil.rmtree(files / "packages", ignore_errors=True)
    except OSError as error:
        raise GuestNotBuilt(
            f"We tried to build the guest's files in {folder}",
            error.strerror or str(error),
            "set LABKIT_GUEST to a folder that you may write to",
        ) from error


def is_built(kind: str, folder: Path) -> bool:
    """Whether the files are there, whole, and of this labkit."""
    facts: dict[str, Any] = read_json(folder / BUILT, {})
    if not facts or facts.get("fingerprint", "") != (rootdisk.fingerprint() if kind == QEMU.name else ""):
        return False
    return bool(checksums(folder) == facts["files"])


def checksums(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, but for the list itself."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != BUILT)
    return {str(path.relative_to(folder)): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- the kinds ---------------------------------------------------------------------------------------------------


def build_uml(folder: Path, cache: Path) -> dict[str, Any]:
    """The kernel as a program, and its modules under names that sort in the order in which they are loaded."""
    root = packages.root_of("usr/bin/linux.uml", UML.package, cache)
    shutil.copy(root / "usr/bin/linux.uml", folder / UML.program)
    (folder / "modules").mkdir()
    version = sorted(root.glob("usr/lib/uml/modules/*"))[-1]
    for name, content in modules(version, NETWORK_MODULES).items():
        (folder / "modules" / name).write_bytes(content)
    return {}


def build_qemu(folder: Path, cache: Path) -> dict[str, Any]:
    """Kernel, initramfs and root disk for the processor of this machine."""
    version, found = kernel_and_modules(folder, cache, (*DISK_MODULES, *NETWORK_MODULES))
    (folder / "initramfs").write_bytes(initramfs.archive(busybox(cache), found, initramfs.TO_ROOT_DISK))
    rootdisk.build(folder / "root.ext4", busybox(cache))
    if shutil.which(QEMU.program) is None:
        bring_emulator(folder, cache)
    return {"fingerprint": rootdisk.fingerprint(), "kernel": version}


def build_vm(folder: Path, cache: Path) -> dict[str, Any]:
    """A machine without an engine: all that is in it is in the initramfs."""
    version, found = kernel_and_modules(folder, cache, (*DISK_MODULES, "virtio_net"))
    (folder / "initramfs").write_bytes(initramfs.archive(busybox(cache), found, initramfs.STAY))
    if shutil.which(QEMU.program) is None:
        bring_emulator(folder, cache)
    return {"kernel": version}


Builder = Callable[[Path, Path], dict[str, Any]]
BUILDERS: dict[str, Builder] = {QEMU.name: build_qemu, "vm": build_vm}
if UML in KINDS:
    BUILDERS = {UML.name: build_uml, **BUILDERS}


def kernel_and_modules(folder: Path, cache: Path, wanted: tuple[str, ...]) -> tuple[str, dict[str, bytes]]:
    """Put the distribution's kernel into the folder; its version, and the modules that are wanted."""
    if platform.machine() not in qemu.BOARDS:
        raise GuestNotBuilt(f"We looked for a kernel for {platform.machine()}", "we know of none")
    root = packages.root_of("boot/vmlinuz-*cloud*", qemu.board().kernel, cache)
    kernel = sorted(root.glob("boot/vmlinuz-*cloud*"))[-1]
    version = kernel.name.removeprefix("vmlinuz-")
    shutil.copyfile(kernel, folder / "vmlinuz")
    return version, modules(root / "lib/modules" / version, wanted)


def modules(folder: Path, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """Modules and all that they need, by names that sort in loading order; `folder` is that of a kernel's version."""
    listed = folder / "modules.dep"
    order = initramfs.ordered(wanted, listed.read_text() if listed.exists() else needs_by_content(folder))
    if not order:
        raise GuestNotBuilt(f"We looked for the kernel modules {', '.join(wanted)}", f"{folder} has none of them")
    return {name: (folder / path).read_bytes() for name, path in initramfs.numbered(order).items()}


def needs_by_content(place: Path) -> str:
    """A modules.dep for a package that was only unpacked, as depmod(8) makes it: from each module's own words."""
    paths = {path.stem.replace("-", "_"): path for path in place.rglob("*.ko")}
    lines = []
    for path in paths.values():
        words = path.read_bytes().partition(b"\0depends=")[2].partition(b"\0")[0].decode().split(",")
        needs = (paths[word.replace("-", "_")] for word in words if word.replace("-", "_") in paths)
        lines.append(f"{path.relative_to(place)}: {' '.join(str(need.relative_to(place)) for need in needs)}")
    return "\n".join(lines)


def busybox(cache: Path) -> bytes:
    """A static busybox."""
    root = packages.root_of("bin/busybox", "busybox-static", cache)
    return (root / "bin/busybox").read_bytes()


def qemu_found(folder: Path) -> bool:
    """Whether there is a QEMU to run: installed, or unpacked in a guest's folder."""
    return shutil.which(qemu.program(folder)) is not None


def bring_emulator(folder: Path, cache: Path) -> None:
    """QEMU with the libraries that are missing here, unpacked, and a script that runs it from there."""
    for package in packages.missing_with_dependencies(QEMU.package, cache):
        packages.unpack(package, cache)
        shutil.copytree(cache / package, folder / "emulator", symlinks=True, dirs_exist_ok=True)
    script = folder / "run-qemu"
    script.write_text(
        "#!/bin/sh\n"
        'here=$(dirname "$0")/emulator\n'
        f'export LD_LIBRARY_PATH="$here/usr/lib/{rootdisk.LIBC_FOLDER.rpartition("/")[2]}"\n'
        f'exec "$here/usr/bin/{QEMU.program}" -L "$here/usr/share/qemu" -L "$here/usr/share/seabios" "$@"\n'
    )
    script.chmod(0o755)
