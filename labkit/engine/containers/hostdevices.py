"""What of the host's own a container gets: devices, the rules on them, and the small init program for `--init`.

A device node is a name for two numbers. The container needs both: the node in its /dev (OCI linux.devices), and
leave to open it (OCI linux.resources.devices, see runtime/devices.py). Sources: Docker Engine API, HostConfig Devices,
DeviceCgroupRules, DeviceRequests, Init; OCI runtime-spec config-linux.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from labkit.engine.errors import ServerError

Json = dict[str, Any]

ALL_ACCESS = "rwm"
_RULE = re.compile(r"([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})")

# what of the host's /dev a privileged container does not get: it has its own
NOT_SHARED = (
    "pts",
    "shm",
    "fd",
    "mqueue",
    ".lxc",
    ".lxd-mounts",
    ".udev",
    "console",
    "ptmx",
    "stdin",
    "stdout",
    "stderr",
)


# --- devices -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HostDevice:
    """A device node of the host, and where in the container it goes."""

    source: str
    path: str
    kind: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int

    @classmethod
    def at(cls, source: str, path: str) -> HostDevice:
        """Look at a node. Raises OSError, ValueError where it is no device."""
        there = os.stat(source)
        kind = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}.get(stat.S_IFMT(there.st_mode))
        if kind is None:
            raise ValueError("not a device node")
        major, minor = os.major(there.st_rdev), os.minor(there.st_rdev)
        return cls(source, path, kind, major, minor, stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid)

    def to_oci(self) -> Json:
        """One of OCI `linux.devices`."""
        numbers = {"type": self.kind, "major": self.major, "minor": self.minor}
        return {"path": self.path, **numbers, "fileMode": self.mode, "uid": self.uid, "gid": self.gid}

    def to_mount(self) -> Json:
        """The host's node shown by a mount: what is left where a user namespace may make no nodes."""
        return {"type": "bind", "source": self.source, "destination": self.path, "options": ["bind", "rprivate"]}

    def to_rule(self, access: str) -> Json:
        """The leave to use it."""
        return _allow(self.kind, self.major, self.minor, access or ALL_ACCESS)


def devices(host: Mapping[str, Any]) -> list[HostDevice]:
    """What HostConfig.Devices names, or, with Privileged, all that the host has. Raises ServerError."""
    if host.get("Privileged"):
        return list(_below("/dev", "/dev"))
    return [device for asked in host.get("Devices") or () for device in _asked(asked)]


def _asked(asked: Mapping[str, Any]) -> Iterator[HostDevice]:
    """One entry of Devices: a node, or a folder of nodes."""
    there = os.path.realpath(asked.get("PathOnHost") or "")
    inside = asked.get("PathInContainer") or asked.get("PathOnHost") or ""
    if os.path.isdir(there):
        yield from _below(there, inside)
        return
    try:
        yield HostDevice.at(there, inside)
    except (OSError, ValueError) as wrong:
        reason = os.strerror(wrong.errno or 0).lower() if isinstance(wrong, OSError) else str(wrong)
        raise ServerError(
            f'error gathering device information while adding custom device "{asked.get("PathOnHost")}": {reason}'
        ) from wrong


def _below(folder: str, inside: str) -> Iterator[HostDevice]:
    """All nodes beneath a folder; links, and what is no device, are passed over."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name in NOT_SHARED or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _below(entry.path, f"{inside}/{entry.name}")
            continue
        with contextlib.suppress(OSError, ValueError):  # a socket, a fifo, or gone
            yield HostDevice.at(entry.path, f"{inside}/{entry.name}")


def rules(host: Mapping[str, Any]) -> list[Json]:
    """OCI device rules beyond Docker's own: for each device that is handed in, and for DeviceCgroupRules.

    Raises ServerError.
    """
    if host.get("Privileged"):
        return []
    asked = [
        (device, one.get("CgroupPermissions") or "") for one in host.get("Devices") or () for device in _asked(one)
    ]
    allowed = [device.to_rule(access) for device, access in asked]
    return allowed + [_rule(text) for text in host.get("DeviceCgroupRules") or ()]


def _allow(kind: str, major: int | None, minor: int | None, access: str) -> Json:
    return {"allow": True, "type": kind, "major": major, "minor": minor, "access": access}


def _rule(text: str) -> Json:
    """`c 7:* rwm`, as `docker run --device-cgroup-rule` has it."""
    match = _RULE.fullmatch(text)
    if not match:
        raise ServerError(f"invalid device cgroup rule format: '{text}'")
    major, minor = (None if number == "*" else int(number) for number in match.group(2, 3))
    return _allow(match[1], major, minor, match[4])


def check_requests(requests: Iterable[Mapping[str, Any]] | None) -> None:
    """DeviceRequests (`--gpus`) need a driver, and there is none. Raises ServerError, in Docker's words."""
    for asked in requests or ():
        wanted = [list(group) for group in asked.get("Capabilities") or ()]
        shown_as = " ".join(f"[{' '.join(group)}]" for group in wanted)
        driver = json.dumps(asked.get("Driver") or "")
        raise ServerError(f"could not select device driver {driver} with capabilities: [{shown_as}]")


# --- an init program ---------------------------------------------------------------------------------------------

INIT_PLACE = "/sbin/docker-init"
"""Where a container finds it, as with Docker."""

INITS = ("docker-init", "tini-static", "catatonit", "tini")
WHERE = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/usr/libexec/docker"
NO_INIT = (
    "this engine needs a small static init program on the host for HostConfig.Init, and found none: "
    "install one (apt-get install tini, or catatonit), or leave --init out"
)


@cache
def init_program() -> str | None:
    """The host's path of an init program that runs in any image, as it needs no libraries; None if there is none."""
    found = (shutil.which(name, path=WHERE) for name in INITS)
    return next((path for path in found if path and is_static(path)), None)


PT_INTERP = 3  # elf(5): the program header that names a dynamic linker


def is_static(path: str) -> bool:
    """Whether a 64-bit ELF program needs no dynamic linker: elf(5). False for whatever else it is."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            if head[:5] != b"\x7fELF\x02":
                return False
            offset, size, count = struct.unpack_from("<Q14xHH", head, 32)
            file.seek(offset)
            table = file.read(size * count)
    except (OSError, struct.error):
        return False
    kinds = [struct.unpack_from("<I", table, at)[0] for at in range(0, len(table), size)] if size else []
    return bool(kinds) and PT_INTERP not in kinds
