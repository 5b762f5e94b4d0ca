"""What a container is when nobody says otherwise: Docker's defaults for Config and HostConfig, as data.

Both are complete objects, so that what `inspect` shows has every field that a client may ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.engine.containers import profile

Json = dict[str, Any]

SHM_SIZE = 64 << 20
"""Bytes of /dev/shm."""

CONFIG: Mapping[str, Any] = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": [],
    "Cmd": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": {},
}

HOST_CONFIG: Mapping[str, Any] = {
    "Binds": None,
    "ContainerIDFile": "",
    "LogConfig": {"Type": "json-file", "Config": {}},
    "NetworkMode": "default",
    "PortBindings": {},
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "AutoRemove": False,
    "VolumeDriver": "",
    "VolumesFrom": None,
    "ConsoleSize": [0, 0],
    "CapAdd": None,
    "CapDrop": None,
    "CgroupnsMode": "private",
    "Dns": [],
    "DnsOptions": [],
    "DnsSearch": [],
    "ExtraHosts": None,
    "GroupAdd": None,
    "IpcMode": "private",
    "Cgroup": "",
    "Links": None,
    "OomScoreAdj": 0,
    "PidMode": "",
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "UTSMode": "",
    "UsernsMode": "",
    "ShmSize": SHM_SIZE,
    "Runtime": "runc",
    "Isolation": "",
    "CpuShares": 0,
    "Memory": 0,
    "NanoCpus": 0,
    "CgroupParent": "",
    "BlkioWeight": 0,
    "BlkioWeightDevice": [],
    "BlkioDeviceReadBps": [],
    "BlkioDeviceWriteBps": [],
    "BlkioDeviceReadIOps": [],
    "BlkioDeviceWriteIOps": [],
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpuRealtimePeriod": 0,
    "CpuRealtimeRuntime": 0,
    "CpusetCpus": "",
    "CpusetMems": "",
    "Devices": [],
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "MemoryReservation": 0,
    "MemorySwap": 0,
    "MemorySwappiness": None,
    "OomKillDisable": False,
    "PidsLimit": None,
    "Ulimits": [],
    "CpuCount": 0,
    "CpuPercent": 0,
    "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0,
    "MaskedPaths": list(profile.MASKED_PATHS),
    "ReadonlyPaths": list(profile.READONLY_PATHS),
}

# A field sent as null, or as Go's zero value, means "the default", where the default is not that value itself.
_FALSY_MEANS_DEFAULT = ("NetworkMode", "CgroupnsMode", "IpcMode", "ShmSize", "Runtime")


_DEVICE_REQUEST = {"Driver": "", "Count": 0, "DeviceIDs": None, "Capabilities": None, "Options": None}


def host_config(asked: Mapping[str, Any]) -> Json:
    """HostConfig with every field; those that have no default are kept as they came."""
    filled: Json = {**HOST_CONFIG, **asked}
    for name in _FALSY_MEANS_DEFAULT:
        filled[name] = filled[name] or HOST_CONFIG[name]
    for name in ("MaskedPaths", "ReadonlyPaths"):
        if filled[name] is None:
            filled[name] = [] if filled["Privileged"] else HOST_CONFIG[name]
    if filled.get("Mounts"):
        filled["Mounts"] = [_given(one) for one in filled["Mounts"]]
    if filled["DeviceRequests"]:
        filled["DeviceRequests"] = [{**_DEVICE_REQUEST, **one} for one in filled["DeviceRequests"]]
    filled["LogConfig"] = _log_config(asked.get("LogConfig") or {})
    filled["RestartPolicy"] = _restart_policy(asked.get("RestartPolicy") or {})
    if filled["Memory"] and not filled["MemorySwap"]:
        filled["MemorySwap"] = 2 * filled["Memory"]  # as much swap as memory; the two are counted together
    return filled


def _given(asked: Mapping[str, Any]) -> Json:
    """An object without the fields that were sent as null: Go takes them for not sent."""
    return {
        name: _given(value) if isinstance(value, dict) else value for name, value in asked.items() if value is not None
    }


def _log_config(asked: Mapping[str, Any]) -> Json:
    return {"Type": asked.get("Type") or "json-file", "Config": asked.get("Config") or {}}


def _restart_policy(asked: Mapping[str, Any]) -> Json:
    return {"Name": asked.get("Name") or "no", "MaximumRetryCount": asked.get("MaximumRetryCount") or 0}
