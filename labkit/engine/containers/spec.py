"""From what Docker's API says of a container to what OCI's runtime specification says of it. Pure.

The result is the bundle's config.json: `runc run` accepts it too, with the root file system mounted beforehand.
Sources: Docker API, "Create a container"; OCI runtime-spec config.md and config-linux.md; moby daemon/oci_linux.go
for Docker's defaults.
"""

import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from labkit.engine.containers import profile
from labkit.engine.containers.hostdevices import INIT_PLACE
from labkit.engine.containers.mounts import in_order, tmpfs

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Json = dict[str, Any]


@dataclass(frozen=True)
class Identity:
    """Who the process is: numbers, looked up in the image beforehand, and the home folder that goes with them."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/root"


@dataclass(frozen=True)
class Surroundings:
    """What the engine knows and the request does not say."""

    container_id: str
    merged: str  # where the root file system is mounted: OCI root.path
    files: Mapping[str, str] = field(default_factory=dict)  # path inside -> file outside: /etc/hosts and the like
    joins: Mapping[str, str] = field(default_factory=dict)  # OCI namespace type -> path of one to be joined
    volumes: Sequence[Json] = ()  # further OCI mounts
    devices: Sequence[Json] = ()  # OCI linux.devices beyond the usual ones
    device_rules: Sequence[Json] = ()  # and further leave to use them
    init: str | None = None  # the host's path of an init program that starts the command
    ids: int = 65536  # how many users and groups there are inside


TTY_GROUP = 5  # the group "tty" in most distributions, and in Docker's mount options

# What is mounted in every container, in this order, and then /dev/shm (docker inspect does not show them)
MOUNTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")),
    ("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    ("/sys/fs/cgroup", "cgroup", "cgroup", ("ro", "nosuid", "noexec", "nodev")),
    ("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
)


def oci_config(config: Json, host: Json, who: Identity, around: Surroundings) -> Json:
    """The OCI config for Docker's `Config` and `HostConfig`, both complete (defaults filled in)."""
    privileged = bool(host.get("Privileged"))
    return {
        "ociVersion": "1.0.2",
        "process": with_init(process(config, host, who, around.container_id), around.init),
        "root": {"path": around.merged, "readonly": bool(host.get("ReadonlyRootfs"))},
        "hostname": "" if host.get("UTSMode") == "host" else config.get("Hostname") or around.container_id[:12],
        "domainname": config.get("Domainname") or "",
        "mounts": mounts(host, around),
        "linux": {
            "cgroupsPath": f"/labkit/{around.container_id}",
            "namespaces": namespaces(host, around.joins),
            "devices": list(around.devices),
            "resources": resources(host, around.device_rules),
            "sysctl": host.get("Sysctls") or {},
            "maskedPaths": _paths(host.get("MaskedPaths"), masked_paths(), privileged),
            "readonlyPaths": _paths(host.get("ReadonlyPaths"), profile.READONLY_PATHS, privileged),
            "seccomp": None if _unconfined(host) else profile.default_seccomp(_capabilities(host)),
        },
    }


def process(config: Json, host: Json, who: Identity, container_id: str) -> Json:
    """OCI `process` for a container's first process."""
    terminal = bool(config.get("Tty"))
    return {
        "args": [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])],
        "env": environment(config, who, container_id),
        "cwd": config.get("WorkingDir") or "/",
        "terminal": terminal,
        "consoleSize": console_size(host.get("ConsoleSize")) if terminal else None,
        "user": {"uid": who.uid, "gid": who.gid, "additionalGids": list(who.groups)},
        "oomScoreAdj": host.get("OomScoreAdj") or 0,
        "noNewPrivileges": no_new_privileges(host),
        "capabilities": _capability_sets(host),
        "rlimits": [
            {"type": f"RLIMIT_{limit['Name'].upper()}", "soft": limit["Soft"], "hard": limit["Hard"]}
            for limit in host.get("Ulimits") or ()
        ],
    }


def with_init(made: Json, init: str | None) -> Json:
    """Let the init program be process 1, and the command its child: it passes signals on and reaps orphans."""
    return {**made, "args": [INIT_PLACE, "--", *made["args"]]} if init else made


def exec_process(create: Json, config: Json, host: Json, who: Identity, container_id: str) -> Json:
    """OCI `process` for `docker exec`: the container's own, with what the exec's create body says instead."""
    inherited = {**config, "Tty": create.get("Tty"), "Entrypoint": [], "Cmd": create.get("Cmd") or []}
    inherited["Env"] = [*(config.get("Env") or []), *(create.get("Env") or [])]
    inherited["WorkingDir"] = create.get("WorkingDir") or config.get("WorkingDir")
    made = process(inherited, {**host, "ConsoleSize": create.get("ConsoleSize")}, who, container_id)
    if create.get("Privileged"):
        made["capabilities"] = _capability_sets({"Privileged": True})
    return made


def environment(config: Json, who: Identity, container_id: str) -> list[str]:
    """PATH and HOSTNAME, TERM with a terminal, then what image and request say, then HOME; a later one wins."""
    env = [DEFAULT_PATH, f"HOSTNAME={config.get('Hostname') or container_id[:12]}"]
    if config.get("Tty"):
        env.append("TERM=xterm")
    env += [entry for entry in config.get("Env") or () if "=" in entry]  # a name alone asks for its removal
    merged = dict(entry.split("=", 1) for entry in env)
    merged.setdefault("HOME", who.home)
    return [f"{name}={value}" for name, value in merged.items()]


def console_size(size: Sequence[int] | None) -> Json | None:
    """Docker's [rows, columns] as OCI's object."""
    return {"height": size[0], "width": size[1]} if size and any(size) else None


def no_new_privileges(host: Json) -> bool:
    """On unless it is refused by name: stricter than Docker, whose default is off. See prctl(2)."""
    options = [option.replace(":", "=") for option in host.get("SecurityOpt") or ()]
    return "no-new-privileges=false" not in options and not host.get("Privileged")


def _unconfined(host: Json) -> bool:
    options = [option.replace(":", "=") for option in host.get("SecurityOpt") or ()]
    return bool(host.get("Privileged")) or "seccomp=unconfined" in options


def _capabilities(host: Json) -> frozenset[str]:
    return profile.capabilities(host.get("CapAdd") or (), host.get("CapDrop") or (), bool(host.get("Privileged")))


def _capability_sets(host: Json) -> Json:
    kept = sorted(_capabilities(host))
    return {"bounding": kept, "effective": kept, "permitted": kept}  # inheritable, ambient: empty (CVE-2022-24769)


def _paths(given: list[str] | None, default: Sequence[str], privileged: bool) -> list[str]:
    if privileged:
        return []
    return list(default) if given is None else given


def mounts(host: Json, around: Surroundings) -> list[Json]:
    """OCI `mounts`: the kernel's trees, then all else, the deeper a place the later.

    What the request mounts itself takes the place of what would stand there.
    """
    asked = [*around.volumes, *(tmpfs(path, options) for path, options in (host.get("Tmpfs") or {}).items())]
    taken = {one["destination"] for one in asked}
    lent = [_bind(source, destination) for destination, source in around.files.items() if destination not in taken]
    init = [{**_bind(around.init, INIT_PLACE), "options": ["bind", "ro"]}] if around.init else []
    return [row for row in kernel_trees(host, around.ids) if not _hidden(row, taken)] + in_order([*lent, *init, *asked])


def _hidden(row: Json, taken: Set[str]) -> bool:
    """Whether the request mounts this place itself, or the whole /dev that it is in."""
    place = row["destination"]
    return place in taken or (place.startswith("/dev/") and "/dev" in taken)


def kernel_trees(host: Json, ids: int) -> list[Json]:
    """What every container has of the kernel's: /proc, /dev, /sys."""
    rows = []
    for destination, kind, source, options in MOUNTS:
        mine = list(options)
        if ids <= TTY_GROUP and kind == "devpts":
            mine.remove(f"gid={TTY_GROUP}")  # a group that does not exist can't own the terminals
        if host.get("Privileged") and "ro" in mine:
            mine.remove("ro")
        row: Json = {"destination": destination, "type": kind, "source": source, "options": mine}
        if kind == "cgroup" or (kind == "mqueue" and host.get("IpcMode") == "host"):
            # refused in some nested places, and to an ordinary user in the host's IPC; a container does without
            row["annotations"] = ["optional"]
        rows.append(row)
    return rows + _shared_memory(host)


def _shared_memory(host: Json) -> list[Json]:
    """/dev/shm goes with the IPC namespace: the host's, none at all, or one of the container's own."""
    if host.get("IpcMode") == "none":
        return []
    if host.get("IpcMode") == "host":
        return [_bind("/dev/shm", "/dev/shm")]
    options = ["nosuid", "noexec", "nodev", "mode=1777", f"size={host.get('ShmSize') or 64 << 20}"]
    return [{"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": options}]


@cache
def masked_paths() -> tuple[str, ...]:
    """Docker's masked paths, for this machine's number of processors."""
    return profile.masked_paths(os.cpu_count() or 1)


def _bind(source: str, destination: str) -> Json:
    return {"destination": destination, "type": "bind", "source": source, "options": ["rbind", "rprivate"]}


# HostConfig field -> OCI namespace type; the value "host" means: no namespace of its own
_MODES = {"PidMode": "pid", "NetworkMode": "network", "IpcMode": "ipc", "UTSMode": "uts", "CgroupnsMode": "cgroup"}


def namespaces(host: Json, joins: Mapping[str, str]) -> list[Json]:
    """OCI `linux.namespaces`: a mount namespace always, the others unless they are shared with the host."""
    shared = {kind for name, kind in _MODES.items() if host.get(name) == "host"}
    rows: list[Json] = [{"type": "mount"}]
    for kind in _MODES.values():
        if kind in joins:
            rows.append({"type": kind, "path": joins[kind]})
        elif kind not in shared:
            rows.append({"type": kind})
    return rows


def resources(host: Json, device_rules: Sequence[Json] = ()) -> Json:
    """OCI `linux.resources` from HostConfig: bytes, microseconds, and which devices may be used."""
    memory, swap = host.get("Memory") or 0, host.get("MemorySwap") or 0
    if memory and not swap:
        swap = 2 * memory  # as dockerd: as much swap again as memory
    period, quota = host.get("CpuPeriod") or 0, host.get("CpuQuota") or 0
    if host.get("NanoCpus"):
        period, quota = 100_000, host["NanoCpus"] * 100_000 // 1_000_000_000
    return {
        "memory": {
            "limit": memory,
            "swap": swap,
            "reservation": host.get("MemoryReservation") or 0,
            "swappiness": None if host.get("MemorySwappiness") == -1 else host.get("MemorySwappiness"),
            "disableOOMKiller": bool(host.get("OomKillDisable")),
        },
        "cpu": {
            "shares": host.get("CpuShares") or 0,
            "quota": quota,
            "period": period,
            "realtimePeriod": host.get("CpuRealtimePeriod") or 0,
            "realtimeRuntime": host.get("CpuRealtimeRuntime") or 0,
            "cpus": host.get("CpusetCpus") or "",
            "mems": host.get("CpusetMems") or "",
        },
        "pids": {"limit": host.get("PidsLimit") or 0},
        "devices": [{"allow": True, "access": "rwm"}]
        if host.get("Privileged")
        else [*profile.DEVICE_RULES, *device_rules],
    }
