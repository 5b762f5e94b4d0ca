"""What of a create request is refused, and why: Docker's own limits first, then what this engine does not serve. Pure.

A request is never obeyed in part. What Docker has and we have not gets 501 and a sentence; what only makes a
container a little different (a health check that nobody runs) is kept, and a warning says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from labkit.engine.containers import profile
from labkit.engine.containers.signals import signal_number
from labkit.engine.errors import BadParameter, NotImplemented_

Json = Mapping[str, Any]
Rule = tuple[Callable[[Json], object], str]

MEGABYTE = 1 << 20
LEAST_MEMORY = 6 * MEGABYTE
RESTART_POLICIES = ("no", "always", "unless-stopped", "on-failure")
SECURITY_OPTIONS = ("no-new-privileges", "seccomp", "apparmor", "label", "systempaths")
LOG_OPTIONS = ("max-size", "max-file", "labels", "labels-regex", "env", "env-regex", "tag", "compress", "mode")

_HOSTS_LINE = re.compile(r"[^:]+:.+")


def _cpus() -> int:
    return os.cpu_count() or 1


def _retries(host: Json) -> int:
    return int(host["RestartPolicy"]["MaximumRetryCount"])


# (is it wrong?, Docker's words); a word in braces is a field of HostConfig
WRONG: tuple[Rule, ...] = (
    (lambda h: 0 < h["Memory"] < LEAST_MEMORY, "Minimum memory limit allowed is 6MB"),
    (
        lambda h: not h["Memory"] and h["MemorySwap"] > 0,
        "You should always set the Memory limit when using Memoryswap limit, see usage",
    ),
    (
        lambda h: 0 < h["MemorySwap"] < h["Memory"],
        "Minimum memoryswap limit should be larger than memory limit, see usage",
    ),
    (lambda h: h["NanoCpus"] and h["CpuPeriod"], "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
    (lambda h: h["NanoCpus"] and h["CpuQuota"], "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
    (
        lambda h: h["NanoCpus"] < 0 or h["NanoCpus"] > _cpus() * 10**9,
        f"Range of CPUs is from 0.01 to {_cpus()}.00, as there are only {_cpus()} CPUs available",
    ),
    (
        lambda h: h["CpuPeriod"] and not 1000 <= h["CpuPeriod"] <= 1_000_000,
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    ),
    (lambda h: 0 < h["CpuQuota"] < 1000, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
    (lambda h: h["CpuShares"] < 0, "shares: invalid argument"),
    (lambda h: h["ShmSize"] < 0, "SHM size can not be less than 0"),
    (lambda h: h["OomScoreAdj"] and not -1000 <= h["OomScoreAdj"] <= 1000,
     "Invalid value {OomScoreAdj}, range for oom score adj is [-1000, 1000]"),
    (lambda h: h["RestartPolicy"]["Name"] not in RESTART_POLICIES, "invalid restart policy '{policy}'"),
    (lambda h: _retries(h) < 0, "maximum retry count cannot be negative"),
    (
        lambda h: _retries(h) and h["RestartPolicy"]["Name"] != "on-failure",
        "maximum retry count cannot be used with restart policy '{policy}'",
    ),
    (
        lambda h: h["AutoRemove"] and h["RestartPolicy"]["Name"] != "no",
        "can't create 'AutoRemove' container with restart policy",
    ),
    (lambda h: h["Runtime"] not in ("runc", "io.containerd.runc.v2"), "unknown or invalid runtime name: {Runtime}"),
    (lambda h: h["CgroupnsMode"] not in ("private", "host"), "invalid cgroup namespace mode: {CgroupnsMode}"),
    (lambda h: not _mode(h["PidMode"], "", "host"), "invalid PID mode: {PidMode}"),
    (lambda h: not _mode(h["UTSMode"], "", "host", joins=False), "invalid UTS mode: {UTSMode}"),
    (
        lambda h: not _mode(h["IpcMode"], "none", "private", "shareable", "host"),
        "invalid IPC mode: {IpcMode}",
    ),
    (lambda h: h["UsernsMode"] not in ("", "host"), "invalid user namespace mode: {UsernsMode}"),
)  # fmt: skip


def _mode(value: str, *known: str, joins: bool = True) -> bool:
    return value in known or (joins and value.startswith("container:") and len(value) > len("container:"))


def _named(path: str) -> bool:
    return not path.startswith("/")


# (was it asked for?, what it is)
UNSERVED: tuple[Rule, ...] = (
    (lambda h: any(_named(bind.split(":")[0]) for bind in h["Binds"] or ()), "named volumes (HostConfig.Binds)"),
    (lambda h: h["VolumesFrom"], "volumes of other containers (HostConfig.VolumesFrom)"),
    (lambda h: h["Devices"] or h["DeviceRequests"], "devices of the host (HostConfig.Devices)"),
    (lambda h: h["DeviceCgroupRules"], "device rules of your own (HostConfig.DeviceCgroupRules)"),
    (lambda h: h.get("Init"), "an init process of the engine's own (HostConfig.Init)"),
    (lambda h: h["CgroupParent"], "a control group of your own (HostConfig.CgroupParent)"),
    (lambda h: h["MemoryReservation"], "a soft memory limit (HostConfig.MemoryReservation)"),
    (lambda h: (h["MemorySwappiness"] or -1) != -1, "HostConfig.MemorySwappiness"),
    (lambda h: h["OomKillDisable"], "HostConfig.OomKillDisable"),
    (lambda h: h["OomScoreAdj"], "HostConfig.OomScoreAdj"),
    (
        lambda h: any(value for name, value in h.items() if name.startswith("Blkio")),
        "limits on disk traffic (HostConfig.Blkio...)",
    ),
    (lambda h: h["CpuRealtimePeriod"] or h["CpuRealtimeRuntime"], "real-time scheduling (HostConfig.CpuRealtime...)"),
    (lambda h: h.get("StorageOpt"), "storage options (HostConfig.StorageOpt)"),
    (lambda h: h["Isolation"] not in ("", "default"), "HostConfig.Isolation {Isolation}"),
)  # fmt: skip


def check_config(config: Json) -> None:
    """Refuse what cannot be in a Config. Raises BadParameter, NotImplemented_."""
    for entry in config.get("Env") or ():
        if not entry or entry.startswith("="):
            raise BadParameter(f"invalid environment variable: {entry}")
    folder = config.get("WorkingDir") or "/"
    if not folder.startswith("/"):
        raise BadParameter(f"the working directory '{folder}' is invalid, it needs to be an absolute path")
    if config.get("StopSignal"):
        signal_number(config["StopSignal"])
    if len(config.get("Hostname") or "") > 63:
        raise BadParameter(f"invalid hostname: {config['Hostname']}: at most 63 letters")
    if config.get("NetworkDisabled"):
        raise NotImplemented_(unserved("NetworkDisabled; use the network mode none"))


def check_host_config(host: Json) -> None:
    """Refuse what cannot be, then what is not served. `host` is complete. Raises BadParameter, NotImplemented_."""
    policy = host["RestartPolicy"]["Name"]
    for wrong, words in WRONG:
        if wrong(host):
            raise BadParameter(words.format_map({**host, "policy": policy}))
    _check_lists(host)
    for asked, what in UNSERVED:
        if asked(host):
            raise NotImplemented_(unserved(what.format_map(host)))


def unserved(what: str) -> str:
    """The sentence for what Docker has and this engine has not."""
    return f"this engine does not serve {what} yet; leave it out, or use a Docker engine"


def _check_lists(host: Json) -> None:
    check_log(host["LogConfig"])
    for number, option in enumerate(host["SecurityOpt"] or (), 1):
        _check_security_option(option, number)
    for line in host["ExtraHosts"] or ():
        if not _HOSTS_LINE.fullmatch(line):
            raise BadParameter(f'bad format for add-host: "{line}"')
    for path in host.get("Tmpfs") or {}:
        if not path.startswith("/") or path == "/":
            raise BadParameter(f"invalid mount config for type \"tmpfs\": invalid mount path: '{path}'")
    try:
        profile.capabilities(host["CapAdd"] or (), host["CapDrop"] or (), host["Privileged"])
    except ValueError as unknown:
        raise BadParameter(str(unknown)) from unknown


def check_log(log: Json) -> None:
    """The log driver: json-file, or none. Raises BadParameter."""
    driver = log["Type"]
    if driver not in ("json-file", "none"):
        raise BadParameter(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    for option in log["Config"] if driver == "json-file" else ():
        if option not in LOG_OPTIONS:
            raise BadParameter(f"unknown log opt '{option}' for json-file log driver")


def _check_security_option(option: str, number: int) -> None:
    name, _, value = option.replace(":", "=", 1).partition("=")
    if name not in SECURITY_OPTIONS or not (value or name == "no-new-privileges"):
        raise BadParameter(f'invalid --security-opt {number}: "{option}"')
    if name == "no-new-privileges" and value not in ("", "true", "false"):
        raise BadParameter(f'invalid --security-opt {number}: "{option}"')
    if name == "seccomp" and value not in ("unconfined", "builtin"):
        raise NotImplemented_(unserved("a seccomp profile of your own"))
    if name == "apparmor" and value not in ("unconfined", "docker-default"):
        raise NotImplemented_(unserved("an AppArmor profile of your own"))


def warnings(config: Json, missing: list[str]) -> list[str]:
    """What is kept but has no effect. `missing` names the cgroup controllers that this process cannot use."""
    found = [
        f"Your kernel does not support {controller} limit capabilities or the cgroup is not mounted. "
        "Limitation discarded."
        for controller in missing
    ]
    if (config.get("Healthcheck") or {}).get("Test") not in (None, [], ["NONE"]):
        found.append("The health check is kept, but this engine does not run health checks yet.")
    return found
