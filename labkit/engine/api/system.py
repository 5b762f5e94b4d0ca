"""The engine about itself: ping, version, info, events, what takes the disk (Docker Engine API, "System")."""

from __future__ import annotations

import asyncio
import os
import platform
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from labkit.engine import host
from labkit.engine.api import images
from labkit.engine.api.request import Request
from labkit.engine.api.responses import API_VERSION, HEADERS, MIN_API_VERSION, json_response
from labkit.engine.api.streams import json_stream
from labkit.engine.containers import hostdevices, listing
from labkit.engine.engine import NAME, VERSION, Engine
from labkit.engine.errors import Unavailable
from labkit.engine.events import check_filters
from labkit.engine.images.image import architecture

STARTED = datetime.now(UTC).isoformat()


async def ping(engine: Engine, request: Request) -> web.Response:
    """GET and HEAD /_ping: how clients learn the version of the API. Builder 1 is the classic one."""
    headers = {
        **HEADERS,
        "Builder-Version": "1",
        "Cache-Control": "no-cache, no-store, must-revalidate",
        "Pragma": "no-cache",
        "Swarm": "inactive",
    }
    text = "" if request.http.method == "HEAD" else "OK"
    return web.Response(text=text, headers=headers, content_type="text/plain", charset="utf-8")


async def version(engine: Engine, request: Request) -> web.Response:
    """GET /version."""
    details = {
        "ApiVersion": API_VERSION,
        "Arch": architecture(),
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": "",
        "KernelVersion": platform.release(),
        "MinAPIVersion": MIN_API_VERSION,
        "Os": "linux",
    }
    python = {"Name": "Python", "Version": platform.python_version(), "Details": {"GitCommit": ""}}
    return json_response(
        {
            "Platform": {"Name": NAME},
            "Components": [{"Name": "Engine", "Version": VERSION, "Details": details}, python],
            "Version": VERSION,
            **{key: value for key, value in details.items() if key != "Experimental"},
        }
    )


async def info(engine: Engine, request: Request) -> web.Response:
    """GET /info: what `docker info` prints. What this engine has not is said as Docker would say it of itself."""
    counts = engine.containers.counts()
    limits = host.limits()
    return json_response(
        {
            "ID": engine.id,
            "Containers": sum(counts.values()),
            "ContainersRunning": counts["running"],
            "ContainersPaused": counts["paused"],
            "ContainersStopped": counts["stopped"],
            "Images": len(engine.images.ids()),
            **_storage(engine),
            **host.facts(),
            **limits,
            **_ABSENT,
            "InitBinary": os.path.basename(hostdevices.init_program() or ""),
            "SwapLimit": limits["MemoryLimit"],
            "CgroupDriver": "cgroupfs" if any(limits.values()) else "none",
            "IPv4Forwarding": _on("/proc/sys/net/ipv4/ip_forward"),
            "NFd": len(os.listdir("/proc/self/fd")),
            "NGoroutines": len(asyncio.all_tasks()),
            "NEventsListener": engine.events.listeners,
            "SystemTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "ServerVersion": VERSION,
            "Runtimes": {"labkit": {"path": "labkit.runtime"}},
            "DefaultRuntime": "labkit",
            "SecurityOptions": _security(engine),
            "Warnings": engine.warnings + engine.networks.warnings() + host.limit_warnings(),
        }
    )


def _storage(engine: Engine) -> dict[str, Any]:
    status = [["Backing Filesystem", host.file_system(engine.state.root)]]
    return {"Driver": engine.driver.name, "DriverStatus": status, "DockerRootDir": str(engine.state.root)}


def _security(engine: Engine) -> list[str]:
    return ["name=seccomp,profile=builtin"] + (["name=rootless"] if engine.ids else [])


def _on(path: str) -> bool:
    try:
        with open(path) as file:
            return file.read(1) == "1"
    except OSError:
        return False


_ABSENT: dict[str, Any] = {
    "BridgeNfIptables": False,
    "BridgeNfIp6tables": False,
    "ContainerdCommit": {"ID": "", "Expected": ""},
    "Debug": False,
    "ExperimentalBuild": False,
    "GenericResources": None,
    "HttpProxy": "",
    "HttpsProxy": "",
    "IndexServerAddress": "https://index.docker.io/v1/",
    "InitCommit": {"ID": "", "Expected": ""},
    "Isolation": "",
    "KernelMemory": False,
    "KernelMemoryTCP": False,
    "Labels": [],
    "LiveRestoreEnabled": True,  # containers outlive the engine: their shim holds them
    "LoggingDriver": "json-file",
    "NoProxy": "",
    "OomKillDisable": False,
    "Plugins": {
        "Volume": ["local"],
        "Network": ["bridge", "host", "null"],
        "Authorization": None,
        "Log": ["json-file", "none"],
    },
    "RegistryConfig": {
        "AllowNondistributableArtifactsCIDRs": [],
        "AllowNondistributableArtifactsHostnames": [],
        "IndexConfigs": {},
        "InsecureRegistryCIDRs": [],
        "Mirrors": [],
    },
    "RuncCommit": {"ID": "", "Expected": ""},
    "Swarm": {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    },
}
"""What Docker's answer also has and this engine has not; clients read some of it without looking."""


async def events(engine: Engine, request: Request) -> web.StreamResponse:
    """GET /events: past ones from `since`, then as they happen, up to `until`."""
    filters = request.filters()
    check_filters(filters)
    return await json_stream(request, engine.events.subscribe(filters, request.time("since"), request.time("until")))


async def disk_usage(engine: Engine, request: Request) -> web.Response:
    """GET /system/df: what takes the disk, by kind; `type` chooses kinds."""
    wanted = set(request.texts("type")) or {"container", "image", "volume", "build-cache"}
    answer: dict[str, Any] = {"BuilderSize": 0}
    if "image" in wanted:
        answer |= images.disk_usage(engine)
    if "container" in wanted:
        answer["Containers"] = await listing.with_sizes(engine, listing.chosen(engine, {}, all=True))
    if "volume" in wanted:
        answer["Volumes"] = await engine.volumes.disk_usage()
    if "build-cache" in wanted:
        answer["BuildCache"] = []
    return json_response(answer)


async def leave_swarm(engine: Engine, request: Request) -> web.Response:
    """POST /swarm/leave: the SDK's own tests ask for it before they begin, and expect this answer."""
    raise Unavailable("This node is not part of a swarm. Swarms are for several machines; this engine knows one.")
