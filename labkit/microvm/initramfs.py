"""The first root file system of an emulated guest: a busybox and a few kernel modules, as a cpio archive in memory.

A kernel of a distribution has its disk drivers as modules, and they are on the disk that it can't read without them.
So the boot loader hands it an archive with just these (Linux, Documentation/filesystems/ramfs-rootfs-initramfs.rst).
Also here: which modules need which, from modules.dep(5).
"""

import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# What `init` does: load the modules in the order of their names, mount the disk, go over to it.
TO_ROOT_DISK = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t devtmpfs dev /dev
for module in /modules/*; do $B insmod $module; done
tries=0
until [ -b /dev/vda ] || [ $tries = 100 ]; do $B usleep 10000; tries=$((tries + 1)); done
$B mount -t ext4 -o ro /dev/vda /root || echo "labkit: there is no root disk"
$B mount -o move /dev /root/dev
exec $B switch_root /root "$@"
"""

# The same for a machine to look around in: it stays here, says on the console how far it is, and runs what comes
# through the port named `labkit`: a line of base64 is a command, the answer is its output, a blank, its status.
STAY = """#!/bin/busybox sh
export PATH=/bin HOME=/root
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
hostname vm
echo "labkit: init runs"
for module in /modules/*; do insmod $module; done
tries=0
until grep -qs labkit /sys/class/virtio-ports/*/name || [ $tries = 100 ]; do usleep 10000; tries=$((tries + 1)); done
for disk in /sys/block/vd*; do
    name=${disk##*/}
    mkdir -p /disks/$name
    mount -t ext4 /dev/$name /disks/$name 2>/dev/null
done
port=$(grep -ls labkit /sys/class/virtio-ports/*/name)
port=${port%/name}
exec 3<>/dev/${port##*/}
echo "labkit: devices are ready"
while read -r line <&3; do
    printf '%s' "$line" | base64 -d >/tmp/command
    sh /tmp/command >/tmp/output 2>&1 </dev/null
    status=$?
    { base64 /tmp/output | tr -d '\\n'; echo " $status"; } >&3
done
"""

FOLDERS = ("bin", "dev", "disks", "modules", "proc", "root", "sys", "tmp")
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


def archive(busybox: bytes, modules: Mapping[str, bytes], script: str) -> bytes:
    """The initramfs with these modules, by file name, and `script` as its first program."""
    entries: list[Entry] = [(folder, stat.S_IFDIR | 0o755, b"") for folder in FOLDERS]
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
