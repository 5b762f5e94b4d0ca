"""The body of `POST /containers/create`, its shape, and how it is joined with the image's own config. Pure.

Rules (Docker Engine API, ContainerCreate; `docker run --help`): the image gives what the request leaves out. A new
entrypoint drops the image's command, since that was meant for the image's entrypoint. Environment, labels, exposed
ports and volumes are joined, and the request wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.engine.api.shapes import Each, Labels, Shape
from labkit.engine.containers import defaults, healthcheck
from labkit.engine.containers.defaults import CONFIG
from labkit.engine.errors import BadParameter
from labkit.engine.networks import settings

Json = dict[str, Any]

_WORDS: Shape = (str, [str])

LIMITS: Shape = {
    "Memory": int,
    "MemorySwap": int,
    "MemoryReservation": int,
    "NanoCpus": int,
    "CpuShares": int,
    "CpuPeriod": int,
    "CpuQuota": int,
    "CpusetCpus": str,
    "CpusetMems": str,
    "PidsLimit": int,
    "RestartPolicy": {"Name": str, "MaximumRetryCount": int},
}

HOST_CONFIG: Shape = {
    **LIMITS,
    "Binds": [str],
    "Mounts": [
        {
            "Type": str,
            "Source": str,
            "Target": str,
            "ReadOnly": bool,
            "BindOptions": {"Propagation": str, "NonRecursive": bool, "CreateMountpoint": bool},
            "VolumeOptions": {
                "NoCopy": bool,
                "Subpath": str,
                "Labels": Labels,
                "DriverConfig": {"Name": str, "Options": Labels},
            },
            "TmpfsOptions": {"SizeBytes": int, "Mode": int},
        }
    ],
    "VolumeDriver": str,
    "Tmpfs": Labels,
    "LogConfig": {"Type": str, "Config": Labels},
    "NetworkMode": str,
    "PortBindings": Each([{"HostIp": str, "HostPort": str}]),
    "AutoRemove": bool,
    "VolumesFrom": [str],
    "CapAdd": _WORDS,
    "CapDrop": _WORDS,
    "Dns": [str],
    "DnsOptions": [str],
    "DnsSearch": [str],
    "ExtraHosts": [str],
    "GroupAdd": [str],
    "IpcMode": str,
    "PidMode": str,
    "UTSMode": str,
    "CgroupnsMode": str,
    "UsernsMode": str,
    "Links": [str],
    "Devices": [dict],
    "DeviceRequests": [dict],
    "DeviceCgroupRules": [str],
    "Privileged": bool,
    "PublishAllPorts": bool,
    "ReadonlyRootfs": bool,
    "SecurityOpt": [str],
    "ShmSize": int,
    "Sysctls": Labels,
    "Ulimits": [{"Name": str, "Soft": int, "Hard": int}],
    "Init": bool,
    "OomScoreAdj": int,
    "OomKillDisable": bool,
    "ConsoleSize": [int],
    "MaskedPaths": [str],
    "ReadonlyPaths": [str],
    "Runtime": str,
}

CREATE: Shape = {
    "Image": str,
    "Cmd": _WORDS,
    "Entrypoint": _WORDS,
    "Env": [str],
    "Hostname": str,
    "Domainname": str,
    "User": str,
    "WorkingDir": str,
    "Labels": Labels,
    "ExposedPorts": Each(dict),
    "Volumes": Each(dict),
    "StopSignal": str,
    "StopTimeout": int,
    "MacAddress": str,
    "Tty": bool,
    "OpenStdin": bool,
    "StdinOnce": bool,
    "AttachStdin": bool,
    "AttachStdout": bool,
    "AttachStderr": bool,
    "NetworkDisabled": bool,
    "Healthcheck": {
        "Test": [str],
        "Interval": int,
        "Timeout": int,
        "Retries": int,
        "StartPeriod": int,
        "StartInterval": int,
    },
    "HostConfig": HOST_CONFIG,
    "NetworkingConfig": {"EndpointsConfig": Each(settings.SHAPE)},
}

# The fields that a record keeps; Go's decoder passes over all others.
CONFIG_FIELDS = frozenset({*CONFIG, *CREATE, "Shell", "ArgsEscaped"}) - {"HostConfig", "NetworkingConfig"}
HOST_FIELDS = frozenset({*defaults.HOST_CONFIG, *HOST_CONFIG, "StorageOpt", "KernelMemory", "KernelMemoryTCP"})


def words(value: str | list[str] | None) -> list[str] | None:
    """A command: Docker takes one word for a list of one."""
    return [value] if isinstance(value, str) else value


def config(body: Mapping[str, Any], image: Mapping[str, Any], container_id: str) -> Json:
    """Inspect's `Config`: the request over the image's config over the defaults. Raises BadParameter.

    `image` is the `config` of the OCI image config: Env, Cmd, Entrypoint, WorkingDir and so on.
    """
    asked = {name: value for name, value in body.items() if name in CONFIG_FIELDS and value is not None}
    made: Json = {**CONFIG, **asked}
    made["Entrypoint"], made["Cmd"] = command(body, image)
    made["Env"] = environment(image.get("Env") or [], asked.get("Env") or [])
    made["Labels"] = {**(image.get("Labels") or {}), **(asked.get("Labels") or {})}
    for name in ("ExposedPorts", "Volumes"):
        joined = {**(image.get(name) or {}), **(asked.get(name) or {})}
        made[name] = joined or made.get(name)
    for name in ("User", "WorkingDir", "StopSignal"):
        made[name] = asked.get(name) or image.get(name) or made.get(name)
    made["Healthcheck"] = healthcheck.merged(asked.get("Healthcheck"), image.get("Healthcheck"))
    made["Hostname"] = made["Hostname"] or container_id[:12]
    made["OnBuild"] = image.get("OnBuild")
    return {name: value for name, value in made.items() if value is not None or name in CONFIG}


def command(body: Mapping[str, Any], image: Mapping[str, Any]) -> tuple[list[str] | None, list[str] | None]:
    """(Entrypoint, Cmd). An entrypoint of no word, or of an empty one, takes the image's away.

    Raises BadParameter where nothing is left to be executed.
    """
    entrypoint, cmd = words(body.get("Entrypoint")), words(body.get("Cmd"))
    if not entrypoint:
        cmd = cmd or image.get("Cmd")
        entrypoint = image.get("Entrypoint") if entrypoint is None else None
    elif entrypoint == [""]:
        entrypoint = None
    if not entrypoint and not cmd:
        raise BadParameter("No command specified")
    return entrypoint, cmd


def environment(image: list[str], asked: list[str]) -> list[str]:
    """The request's variables, then those of the image that it does not name. `NAME` alone takes one away later."""
    named = {entry.partition("=")[0] for entry in asked}
    return [*asked, *(entry for entry in image if entry.partition("=")[0] not in named)]
