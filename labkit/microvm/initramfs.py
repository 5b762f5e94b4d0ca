"""The first root file system of an emulated guest: a busybox and a few kernel modules, as a cpio archive in memory.

A kernel of a distribution has its disk drivers as modules, and they are on the disk that it can't read without them.
So the boot loader hands it an archive with just these (Linux, Documentation/filesystems/ramfs-rootfs-initramfs.rst).
Also here: which modules need which, from modules.dep(5).
"""

import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# What `init` does in the archive: load the modules in the order of their names, mount the disk, go over to it.
# A shell at the end of the road shows what there is; the watchdog ends it.
SCRIPT = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t devtmpfs dev /dev
for module in /modules/*; do $B insmod $module; done
tries=0
until [ -b /dev/vda ] || [ $tries = 100 ]; do $B usleep 10000; tries=$((tries + 1)); done
$B mount -t ext4 -o ro /dev/vda /root || echo "labkit: there is no root disk"
$B mount -o move /dev /root/dev
exec $B switch_root /root "$@"
"""

Entry = tuple[str, int, bytes]  # path, mode, content


def ordered(wanted: Iterable[str], modules_dep: str) -> list[str]:
    """The paths of the wanted modules and of all that they need, each after what it needs itself.

    `wanted` are names without `.ko`; one that is not listed is built into the kernel.
    """
    needs = {path: rest.split() for path, _, rest in (line.partition(":") for line in modules_dep.splitlines())}
    by_name = {Path(path).name.partition(".")[0].replace("-", "_"): path for path in needs}
    order: list[str] = []

    def add(path: str) -> None:
        if path not in order:
            for need in needs[path]:
                add(need)
            order.append(path)

    for name in wanted:
        if name.replace("-", "_") in by_name:
            add(by_name[name.replace("-", "_")])
    return order


def numbered(paths: Iterable[str]) -> dict[str, str]:
    """File names that sort in this order -> the paths."""
    return {f"{number:02}-{Path(path).name}": path for number, path in enumerate(paths)}


def archive(busybox: bytes, modules: Mapping[str, bytes], script: str = SCRIPT) -> bytes:
    """The initramfs for these modules, by file name."""
    folders = ("bin", "dev", "modules", "root")
    entries: list[Entry] = [(folder, stat.S_IFDIR | 0o755, b"") for folder in folders]
    entries += [("bin/busybox", stat.S_IFREG | 0o755, busybox), ("init", stat.S_IFREG | 0o755, script.encode())]
    entries += [(f"modules/{name}", stat.S_IFREG | 0o644, content) for name, content in modules.items()]
    return b"".join(cpio(entries))


def cpio(entries: Iterable[Entry]) -> Iterator[bytes]:
    """An archive in the format "newc": cpio(5); Linux, driver-api/early-userspace/buffer-format.rst."""
    for number, (path, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        name = path.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, four device numbers, length of the name, checksum
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        yield header.ljust(len(header) + -len(header) % 4, b"\0")
        yield content.ljust(len(content) + -len(content) % 4, b"\0")
