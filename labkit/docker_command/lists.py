"""ps, images, history: the tables; and top, diff, port, which are lists too.

A table's row is a dictionary with docker's own names for the columns, so that `--format` finds them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docker import DockerClient

from labkit.docker_command import layout
from labkit.docker_command.template import render, to_json
from labkit.docker_command.words import Given, Misused

Json = Mapping[str, Any]
Say = Callable[[str], None]

# column -> its heading, where that is not the same in capitals
HEADINGS = {
    "ID": "CONTAINER ID",
    "RunningFor": "CREATED",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "LocalVolumes": "LOCAL VOLUMES",
}
PS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
IMAGES = ("Repository", "Tag", "ID", "CreatedSince", "Size")
HISTORY = ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")
KINDS = "CAD"  # as `docker diff` writes the API's 0, 1, 2
NONE = "<none>"


def table(say: Say, given: Given, rows: Sequence[Json], columns: Sequence[str], headings: Mapping[str, str]) -> None:
    """Print rows as --format and --quiet ask, otherwise as a table with these columns."""
    form = given.one("format")
    if given.on("quiet") and not form:
        form = "{{.ID}}"
    if form in ("", "table"):
        form = "table " + "\t".join(f"{{{{.{name}}}}}" for name in columns)
    if form == "json":
        lines = [to_json({key: row[key] for key in sorted(row) if not callable(row[key])}) for row in rows]
        say("".join(f"{line}\n" for line in lines))
    elif form.startswith("table"):
        form = form.removeprefix("table").strip()
        heads = {key: headings.get(key, HEADINGS.get(key, key.upper())) for row in rows[:1] for key in row}
        heads = heads or {key: headings.get(key, HEADINGS.get(key, key.upper())) for key in columns}
        say(layout.columns([render(form, row).split("\t") for row in (heads, *rows)]))
    else:
        say("".join(f"{render(form, row)}\n" for row in rows))


def filters(given: Given) -> dict[str, Any]:
    """The --filter options as the API takes them. Raises Misused for one without `=`."""
    found: dict[str, Any] = {}
    for text in given.all("filter"):
        key, equals, value = text.partition("=")
        if not equals:
            raise Misused("invalid argument: a filter is written key=value")
        found.setdefault(key.strip().lower(), []).append(value.strip())
    return found


# --- containers ------------------------------------------------------------------------------------


def ps(client: DockerClient, given: Given, say: Say) -> int:
    """List containers."""
    latest = 1 if given.on("latest") else int(given.one("last", "-1"))
    sized = given.on("size")
    listed = client.api.containers(all=given.on("all"), size=sized, limit=latest, filters=filters(given))
    width = None if given.on("no-trunc") else 20
    rows = [_container(entry, width, time.time()) for entry in listed]
    table(say, given, rows, (*PS, "Size") if sized else PS, {})
    return 0


def _container(entry: Json, width: int | None, now: float) -> dict[str, Any]:
    labels = entry.get("Labels") or {}
    names = [name.removeprefix("/") for name in entry["Names"]]
    written, whole = entry.get("SizeRw", 0), entry.get("SizeRootFs", 0)
    return {
        "ID": layout.short(entry["Id"]) if width else entry["Id"],
        "Image": _image_of(entry, width) or "<no image>",
        "Command": layout.quoted(entry["Command"], width),
        "CreatedAt": layout.local_time(entry["Created"]),
        "RunningFor": layout.ago(entry["Created"], now),
        "State": entry["State"],
        "Status": entry["Status"],
        "Ports": ports(entry.get("Ports") or ()),
        "Names": ",".join(name for name in names if "/" not in name),
        "Labels": ",".join(f"{key}={text}" for key, text in labels.items()),
        "Label": lambda key: labels.get(key, ""),
        "Mounts": ",".join(_mount(mount, width) for mount in entry.get("Mounts") or ()),
        "LocalVolumes": str(sum(mount.get("Driver") == "local" for mount in entry.get("Mounts") or ())),
        "Networks": ",".join((entry.get("NetworkSettings") or {}).get("Networks") or ()),
        "Size": layout.size(written) + (f" (virtual {layout.size(whole)})" if whole else ""),
    }


def _image_of(entry: Json, width: int | None) -> str:
    """The image as it was named; an id is cut to twelve digits."""
    image = str(entry["Image"])
    return layout.short(image) if width and layout.short(image) == layout.short(entry["ImageID"]) else image


def _mount(mount: Json, width: int | None) -> str:
    return layout.cut(mount.get("Name") or mount.get("Source") or "", width and 15)


def ports(entries: Sequence[Json]) -> str:
    """Ports as `ps` shows them: published ones with an arrow."""
    shown = []
    for entry in sorted(entries, key=lambda e: (e["PrivatePort"], e["Type"], ":" in e.get("IP", ""))):
        inside = f"{entry['PrivatePort']}/{entry['Type']}"
        address = _address(entry.get("IP", ""))
        shown.append(f"{address}:{entry['PublicPort']}->{inside}" if entry.get("PublicPort") else inside)
    return ", ".join(shown)


def _address(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def top(client: DockerClient, given: Given, say: Say) -> int:
    """List the processes of a container; further words go to ps."""
    found = client.api.top(given.words[0], " ".join(given.words[1:]) or None)
    say(layout.columns([found["Titles"], *found["Processes"]], least=20))
    return 0


def diff(client: DockerClient, given: Given, say: Say) -> int:
    """List what a container has changed in its own layer, by path: engines list neighbours in any order."""
    changes = sorted(client.api.diff(given.words[0]) or (), key=lambda change: str(change["Path"]))
    say("".join(f"{KINDS[change['Kind']]} {change['Path']}\n" for change in changes))
    return 0


def port(client: DockerClient, given: Given, say: Say) -> int:
    """List the ports of a container that are published on the host."""
    published = client.api.inspect_container(given.words[0])["NetworkSettings"].get("Ports") or {}
    if len(given.words) > 1:
        wanted = given.words[1] if "/" in given.words[1] else f"{given.words[1]}/tcp"
        if not published.get(wanted):
            say(f"Error: No public port '{wanted}' published for {given.words[0]}\n")
            return 1
        say("".join(f"{_address(host['HostIp'])}:{host['HostPort']}\n" for host in published[wanted]))
        return 0
    lines = [
        f"{inside} -> {_address(host['HostIp'])}:{host['HostPort']}\n"
        for inside, hosts in published.items()
        for host in hosts or ()
    ]
    say("".join(sorted(lines)))
    return 0


# --- images ----------------------------------------------------------------------------------------


def images(client: DockerClient, given: Given, say: Say) -> int:
    """List images."""
    wanted = filters(given)
    if given.words:
        wanted["reference"] = [*wanted.get("reference", ()), given.words[0]]
    listed = client.api.images(all=given.on("all"), filters=wanted)
    whole = given.on("no-trunc")
    rows = [row for entry in listed for row in _image(entry, whole, given.on("digests"), time.time())]
    columns = ("Repository", "Tag", "Digest", *IMAGES[2:]) if given.on("digests") else IMAGES
    table(say, given, rows, columns, {"ID": "IMAGE ID"})
    return 0


def _image(entry: Json, whole: bool, digests: bool, now: float) -> list[dict[str, Any]]:
    """A row for each name of an image; one with <none> for an image without a name."""
    digest_of = dict(text.split("@") for text in entry.get("RepoDigests") or ())
    tags = [text.rpartition(":")[::2] for text in entry.get("RepoTags") or () if text != f"{NONE}:{NONE}"]
    named = tags or [(next((name for name in digest_of if name != NONE), NONE), NONE)]
    return [
        {
            "Repository": repository,
            "Tag": tag,
            "Digest": digest_of.get(repository, NONE) if digests else NONE,
            "ID": entry["Id"] if whole else layout.short(entry["Id"]),
            "CreatedSince": layout.ago(entry["Created"], now),
            "CreatedAt": layout.local_time(entry["Created"]),
            "Size": layout.size(entry["Size"]),
            "VirtualSize": layout.size(entry.get("VirtualSize", entry["Size"])),
            **dict.fromkeys(("Containers", "SharedSize", "UniqueSize"), "N/A"),
        }
        for repository, tag in named
    ]


def history(client: DockerClient, given: Given, say: Say) -> int:
    """List the steps in which an image was made."""
    entries: Sequence[Json] = client.api.history(given.words[0])  # type: ignore[no-untyped-call]
    rows = [_step(entry, given, time.time()) for entry in entries]
    table(say, given, rows, HISTORY, {"ID": "IMAGE"})
    return 0


def _step(entry: Json, given: Given, now: float) -> dict[str, Any]:
    whole = given.on("no-trunc")
    readable = given.one("human", "true") != "false"
    identifier = str(entry["Id"])
    return {
        "ID": identifier if whole or identifier == "<missing>" else layout.short(identifier),
        "CreatedSince": layout.ago(entry["Created"], now) if readable else layout.local_time(entry["Created"]),
        "CreatedAt": layout.local_time(entry["Created"]),
        "CreatedBy": layout.cut((entry.get("CreatedBy") or "").replace("\t", " "), None if whole else 45),
        "Size": layout.size(entry["Size"]) if readable else str(entry["Size"]),
        "Comment": entry.get("Comment") or "",
    }
