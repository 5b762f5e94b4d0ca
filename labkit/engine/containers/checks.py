"""What of a create request is refused, and why: Docker's own limits first, then what this engine does not serve. Pure.

A request is never obeyed in part. What Docker has and we have not gets 501 and a sentence; what only makes a
container a little different (a health check that nobody runs) is kept, and a warning says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from labkit.engine.containers import healthcheck, hostdevices, profile
from labkit.engine.containers.signals import signal_number
from labkit.engine.errors import BadParameter, NotImplemented_, ServerError
from labkit.runtime import cgroups

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


def _realtime(host: Json) -> bool:
    return bool(host["CpuRealtimePeriod"] or host["CpuRealtimeRuntime"])


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
    (lambda h: 0 < h["MemoryReservation"] < LEAST_MEMORY, "Minimum memory reservation allowed is 6MB"),
    (
        lambda h: 0 < h["Memory"] < h["MemoryReservation"],
        "Minimum memory limit can not be less than memory reservation limit, see usage",
    ),
    (
        lambda h: h["MemorySwappiness"] is not None and not -1 <= h["MemorySwappiness"] <= 100,
        "Invalid value: {MemorySwappiness}, valid memory swappiness range is 0-100",
    ),
    (
        lambda h: _realtime(h) and not cgroups.has_v1("cpu", "cpu.rt_runtime_us"),
        "Your kernel does not support CPU real-time scheduler",
    ),
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


# What this host or this graph driver cannot do. dockerd has these words, and answers them with 500
IMPOSSIBLE: tuple[Rule, ...] = (
    (
        lambda h: "size" in (h.get("StorageOpt") or {}),
        "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
    ),
    (lambda h: h.get("StorageOpt"), "Unknown option {storage}"),
    (
        lambda h: h["Isolation"] not in ("", "default"),
        "Invalid isolation: \"{Isolation}\" - linux only supports 'default'",
    ),
)


# (was it asked for?, what it is)
UNSERVED: tuple[Rule, ...] = (
    (lambda h: h["CgroupParent"], "a control group of your own (HostConfig.CgroupParent)"),
    (
        lambda h: any(value for name, value in h.items() if name.startswith("Blkio")),
        "limits on disk traffic (HostConfig.Blkio...)",
    ),
)  # fmt: skip


def check_config(config: Json) -> None:
    """Refuse what cannot be in a Config. Raises BadParameter, NotImplemented_."""
    for entry in config.get("Env") or ():
        if not entry or entry.startswith("="):
            raise BadParameter(f"invalid environment variable: {entry}")
    folder = config.get("WorkingDir") or "/"
    if not folder.startswith("/"):
        raise BadParameter(f"the working directory '{folder}' is invalid, it needs to be an absolute path")
    healthcheck.check_config(config.get("Healthcheck") or {})
    if config.get("StopSignal"):
        signal_number(config["StopSignal"])
    if len(config.get("Hostname") or "") > 63:
        raise BadParameter(f"invalid hostname: {config['Hostname']}: at most 63 letters")
    if config.get("NetworkDisabled"):
        raise NotImplemented_(unserved("NetworkDisabled; use the network mode none"))


def check_host_config(host: Json) -> None:
    """Refuse what cannot be, then what is not served. `host` is complete.

    Raises BadParameter, ServerError, NotImplemented_.
    """
    policy = host["RestartPolicy"]["Name"]
    for wrong, words in WRONG:
        if wrong(host):
            raise BadParameter(words.format_map({**host, "policy": policy}))
    _check_lists(host)
    for wrong, words in IMPOSSIBLE:
        if wrong(host):
            raise ServerError(words.format_map({**host, "storage": next(iter(host.get("StorageOpt") or {}), "")}))
    if host.get("Init") and not hostdevices.init_program():
        raise NotImplemented_(hostdevices.NO_INIT)
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


NO_SWAPPINESS = (
    "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. "
    "Memory swappiness discarded."
)
NO_OOM_KILL_DISABLE = "Your kernel does not support OomKillDisable. OomKillDisable discarded."
NO_OOM_KILLER = (
    "OOM killer is disabled for the container, but no memory limit is set, "
    "this can result in the system running out of resources."
)


def discard(host: dict[str, Any]) -> list[str]:
    """Take out of HostConfig what only version 1 of control groups has, where there is none; Docker's warnings."""
    found = []
    if host["MemorySwappiness"] == -1:  # "as the kernel has it"
        host["MemorySwappiness"] = None
    if host["MemorySwappiness"] is not None and not cgroups.has_v1("memory", "memory.swappiness"):
        host["MemorySwappiness"] = None
        found.append(NO_SWAPPINESS)
    if host["OomKillDisable"] and not cgroups.has_v1("memory", "memory.oom_control"):
        host["OomKillDisable"] = None
        found.append(NO_OOM_KILL_DISABLE)
    if host["OomKillDisable"] and not host["Memory"]:
        found.append(NO_OOM_KILLER)
    return found


def warnings(missing: list[str]) -> list[str]:
    """What is kept but has no effect. `missing` names the cgroup controllers that this process cannot use."""
    return [
        f"Your kernel does not support {controller} limit capabilities or the cgroup is not mounted. "
        "Limitation discarded."
        for controller in missing
    ]
