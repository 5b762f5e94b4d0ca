"""A container as clients see it: `docker inspect`, a row of `docker ps`, the words of its status. Pure.

Source: Docker Engine API 1.45, ContainerInspect and ContainerList; field for field as dockerd answers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.engine.containers import health, timestamps
from labkit.engine.containers import mounts as mountpoints
from labkit.engine.containers.record import Container, Json
from labkit.engine.networks import bindings
from labkit.engine.networks.names import names_of
from labkit.engine.networks.record import PREDEFINED

_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


@dataclass(frozen=True)
class Around:
    """What the record does not know: where its files lie, and the engine's own facts."""

    folder: str
    driver: str
    driver_data: Mapping[str, str] = field(default_factory=dict)
    network_ids: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[str] = ()
    """Inspect's `HostConfig.Links`."""
    link_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """container id -> the names that links of others give it."""


def inspect(container: Container, around: Around) -> Json:
    """`GET /containers/{id}/json`."""
    path, *args = command(container) or [""]
    files = {name: f"{around.folder}/{name}" for name in ("resolv.conf", "hostname", "hosts")}
    return {
        "Id": container.id,
        "Created": container.created,
        "Path": path,
        "Args": args,
        "State": state(container),
        "Image": container.image_id,
        "ResolvConfPath": files["resolv.conf"],
        "HostnamePath": files["hostname"],
        "HostsPath": files["hosts"],
        "LogPath": f"{around.folder}/log.json" if log_driver(container) != "none" else "",
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": around.driver,
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": [exec_id for exec_id, each in container.execs.items() if each.running] or None,
        "HostConfig": {**container.host_config, "Links": list(around.links)} if around.links else container.host_config,
        "GraphDriver": {"Name": around.driver, "Data": dict(around.driver_data)},
        "Mounts": mounts(container),
        "Config": container.config,
        "NetworkSettings": network_settings(container, around),
    }


def state(container: Container) -> Json:
    """Inspect's `State`."""
    now = container.state
    return {
        "Status": now.status,
        "Running": now.alive,
        "Paused": now.status == "paused",
        "Restarting": now.status == "restarting",
        "OOMKilled": now.oom_killed,
        "Dead": now.status == "dead",
        "Pid": now.pid,
        "ExitCode": now.exit_code,
        "Error": now.error,
        "StartedAt": now.started_at,
        "FinishedAt": now.finished_at,
        **({"Health": now.health} if now.health is not None else {}),
    }


def command(container: Container) -> list[str]:
    """The words that are executed: the entrypoint, then the command."""
    return [*(container.config.get("Entrypoint") or []), *(container.config.get("Cmd") or [])]


def log_driver(container: Container) -> str:
    return (container.host_config.get("LogConfig") or {}).get("Type") or "json-file"


def mounts(container: Container) -> list[Json]:
    """Inspect's `Mounts`: what the request mounted, sorted by where it stands."""
    return sorted((point.row() for point in mountpoints.of(container.mounts)), key=lambda row: str(row["Destination"]))


# --- the network -------------------------------------------------------------------------------------------------


def networks(container: Container, network_ids: Mapping[str, str]) -> Json:
    """Inspect's `NetworkSettings.Networks`; a container in another's network namespace has none of its own."""
    return {name: _endpoint_settings(container, name, network_ids.get(name, "")) for name in container.endpoints}


def _endpoint_settings(container: Container, network: str, network_id: str) -> Json:
    asked, now = container.endpoints[network], container.attached.get(network) or {}
    named = network not in PREDEFINED
    return {
        "IPAMConfig": asked.get("IPAMConfig"),
        "Links": asked.get("Links"),
        "Aliases": asked.get("Aliases"),
        "MacAddress": now.get("mac") or asked.get("MacAddress") or "",
        "DriverOpts": asked.get("DriverOpts"),
        "NetworkID": network_id,
        "EndpointID": now.get("id", ""),
        "Gateway": now.get("gateway", ""),
        "IPAddress": now.get("ip", ""),
        "IPPrefixLen": now.get("prefix", 0),
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": list(names_of(container.id, container.name, container.hostname, asked)) if named else None,
    }


def network_settings(container: Container, around: Around) -> Json:
    """Inspect's `NetworkSettings`: the bridge's facts stand at the top too, as they did before there were networks."""
    own = networks(container, around.network_ids)
    on_bridge = own.get("bridge") or {}
    pid = container.state.pid
    return {
        "Bridge": "",
        "SandboxID": container.id if container.state.has_process else "",
        "SandboxKey": f"/proc/{pid}/ns/net" if pid else "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": container.ports if pid else {},
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": on_bridge.get("EndpointID", ""),
        "Gateway": on_bridge.get("Gateway", ""),
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": on_bridge.get("IPAddress", ""),
        "IPPrefixLen": on_bridge.get("IPPrefixLen", 0),
        "IPv6Gateway": "",
        "MacAddress": on_bridge.get("MacAddress", ""),
        "Networks": own,
    }


# --- docker ps ---------------------------------------------------------------------------------------------------


def summary(container: Container, around: Around, image: str, now: float | None = None) -> Json:
    """One row of `GET /containers/json`. `image` is the name to show, or the id where the name means another now."""
    return {
        "Id": container.id,
        "Names": [f"/{container.name}", *around.link_names.get(container.id, ())],
        "Image": image,
        "ImageID": container.image_id,
        "Command": quoted(command(container)),
        "Created": int(timestamps.parse(container.created)),
        "Ports": ports(container),
        "Labels": dict(container.labels),
        "State": container.state.status,
        "Status": status(container, now),
        "HostConfig": {"NetworkMode": container.host_config.get("NetworkMode") or "default"},
        "NetworkSettings": {"Networks": networks(container, around.network_ids)},
        "Mounts": mounts(container),
    }


def ports(container: Container) -> list[Json]:
    """The exposed and the published ports while it runs: `80/tcp`, `0.0.0.0:8080->80/tcp` in `docker ps`."""
    return list(bindings.rows(container.ports)) if container.state.has_process else []


def quoted(words: list[str]) -> str:
    """Words as one line that a shell would split again, with quotes only where they are needed."""
    return " ".join(_quote(word) for word in words)


def _quote(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


_STATUS = {
    "created": "Created",
    "running": "Up {ago}{well}",
    "paused": "Up {ago} (Paused)",
    "restarting": "Restarting ({code}) {ago} ago",
    "exited": "Exited ({code}) {ago} ago",
    "removing": "Removal In Progress",
    "dead": "Dead",
}


def status(container: Container, now: float | None = None) -> str:
    """The words of `docker ps`: "Up 2 minutes", "Exited (0) 3 seconds ago", "Up 5 seconds (Paused)"."""
    seen = container.state
    since = seen.started_at if seen.status in ("running", "paused") else seen.finished_at
    at = time.time() if now is None else now
    ago = timestamps.in_words(max(0.0, at - timestamps.parse(since)))
    well = health.in_words(container)
    return _STATUS[seen.status].format(ago=ago, code=seen.exit_code, well=f" ({well})" if well else "")


def event_attributes(container: Container, **more: Any) -> dict[str, str]:
    """What an event says of its container: labels, image, name, and what belongs to the event itself."""
    own = {"image": str(container.config.get("Image", "")), "name": container.name}
    return {**container.labels, **own, **{key: str(value) for key, value in more.items()}}
