"""inspect, version, info: what the engine knows, as JSON, as a page, or through a template."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from labkit import __version__
from labkit.docker_command.layout import moment, size
from labkit.docker_command.template import render, to_json
from labkit.docker_command.words import Given

Json = Mapping[str, Any]
Say = Callable[[str], None]
ITSELF = f"labkit {__version__}, in place of the docker command"


def inspect(client: DockerClient, given: Given, say: Say) -> int:
    """All that is known of containers and images, by name."""
    found: list[Json] = []
    missing = ""
    for name in given.words:
        facts = _facts(client, name, given)
        if facts is None:
            missing = name
            break
        found.append(facts)
    form = given.one("format")
    if not form or form == "json":
        say((json.dumps(found, indent=4, ensure_ascii=False) if not form else to_json(found)) + "\n")
    else:
        say("".join(f"{render(form, facts)}\n" for facts in found))
    if missing:
        kind = given.one("type") or "object"
        say(f"Error: No such {kind}: {missing}\n")
    return 1 if missing else 0


def _facts(client: DockerClient, name: str, given: Given) -> Json | None:
    """A container of that name, else an image; `--type` chooses."""
    asked: dict[str, Callable[[str], Json]] = {
        "container": client.api.inspect_container,
        "image": client.api.inspect_image,
        "network": client.api.inspect_network,
        "volume": client.api.inspect_volume,
    }
    for kind, ask in asked.items():
        if given.one("type") in ("", kind):
            try:
                return ask(name)
            except NotFound:
                continue
    return None


# --- version ---------------------------------------------------------------------------------------

# line -> where it is in GET /version
SERVER = (
    ("Version", "Version"),
    ("API version", "ApiVersion"),
    ("Go version", "GoVersion"),
    ("Git commit", "GitCommit"),
    ("Built", "BuildTime"),
    ("OS/Arch", "Arch"),
    ("Experimental", "Experimental"),
)


def version(client: DockerClient, given: Given, say: Say) -> int:
    """Who we are, and which engine answers."""
    server = client.version()
    mine = {"Version": ITSELF, "ApiVersion": client.api.api_version}
    if form := given.one("format"):
        both = {"Client": mine, "Server": server}
        say((to_json(both) if form == "json" else render(form, both)) + "\n")
    else:
        say("\n".join(_version_page(mine, server)) + "\n")
    return 0


def _version_page(mine: Json, server: dict[str, Any]) -> Iterator[str]:
    yield "Client:"
    yield f" {'Version:':<18}{mine['Version']}"
    yield f" {'API version:':<18}{mine['ApiVersion']}"
    yield ""
    platform = (server.get("Platform") or {}).get("Name")
    yield f"Server: {platform}" if platform else "Server:"
    components: Sequence[Json] = server.get("Components") or ({"Name": "Engine", "Version": server.get("Version")},)
    engine, *others = components
    details: dict[str, Any] = {**server, **(engine.get("Details") or {}), "Version": engine["Version"]}
    yield f" {engine['Name']}:"
    for line, key in SERVER:
        yield f"  {line + ':':<17}{_version_value(details, key)}".rstrip()
    for component in others:
        yield f" {component['Name']}:"
        for key, text in {"Version": component["Version"], **(component.get("Details") or {})}.items():
            yield f"  {key + ':':<17}{text}"


def _version_value(details: Json, key: str) -> str:
    if key == "ApiVersion":
        return f"{details.get(key)} (minimum version {details.get('MinAPIVersion')})"
    if key == "Arch":
        return f"{details.get('Os')}/{details.get('Arch')}"
    if key == "Experimental":
        return str(details.get(key, False)).lower()
    if key == "BuildTime" and details.get(key, "")[:1].isdigit():
        return datetime.fromtimestamp(moment(details[key]), UTC).ctime()
    return str(details.get(key) or "")


# --- info ------------------------------------------------------------------------------------------

# line -> where it is in GET /info; what an engine doesn't tell is left out
INFO = (
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Total Memory", "MemTotal"),
    ("Name", "Name"),
    ("ID", "ID"),
    ("Docker Root Dir", "DockerRootDir"),
)
BINARY = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def info(client: DockerClient, given: Given, say: Say) -> int:
    """The engine and its machine. Fewer lines than the stock command has: those that the lessons speak of."""
    found = client.info()
    if form := given.one("format"):
        say((to_json(found) if form == "json" else render(form, found)) + "\n")
        return 0
    lines = [f" {line}: {_info_value(key, found[key])}" for line, key in INFO if found.get(key) not in (None, "")]
    warnings: Sequence[str] = found.get("Warnings") or ()
    say("\n".join(["Client:", f" Version:    {ITSELF}", "", "Server:", *lines, *warnings]) + "\n")
    return 0


def _info_value(key: str, value: Any) -> str:
    if key != "MemTotal":
        return str(value)
    return next((f"{value / unit:.4g}{name}" for name, unit in BINARY if value >= unit), size(value))
