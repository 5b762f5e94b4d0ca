"""Every endpoint of the Docker Engine API 1.45, and who answers it.

A route is data: method, path, the handler's name ("module.function" in this folder), one line on what it does.
An endpoint without a handler is known and not served: it answers 501 with a sentence that names it, never a wrong
success. What is missing of one that is served stands in LACKS. API.md, in the folder above, shows both as a table.

In a path, `{id}` is one segment and `{name}` may hold slashes, as the names of images do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Route:
    """One endpoint. `handler` is None where the engine does not serve it."""

    method: str
    path: str
    handler: str | None
    summary: str


ROUTES = (
    # containers
    Route("GET", "/containers/json", "containers.list_containers", "list containers"),
    Route("POST", "/containers/create", "containers.create", "create a container"),
    Route("GET", "/containers/{id}/json", "containers.inspect", "inspect a container"),
    Route("GET", "/containers/{id}/top", "containers.top", "list the processes in a container"),
    Route("GET", "/containers/{id}/logs", "containers.logs", "read a container's logs"),
    Route("GET", "/containers/{id}/changes", "containers.changes", "list what changed in a container's file tree"),
    Route("GET", "/containers/{id}/export", "archive.export", "export a container's file tree"),
    Route("GET", "/containers/{id}/stats", "containers.stats", "measure what a container uses"),
    Route("POST", "/containers/{id}/resize", "containers.resize", "resize a container's terminal"),
    Route("POST", "/containers/{id}/start", "containers.start", "start a container"),
    Route("POST", "/containers/{id}/stop", "containers.stop", "stop a container"),
    Route("POST", "/containers/{id}/restart", "containers.restart", "restart a container"),
    Route("POST", "/containers/{id}/kill", "containers.kill", "send a signal to a container"),
    Route("POST", "/containers/{id}/update", "containers.update", "change a container's limits and restart policy"),
    Route("POST", "/containers/{id}/rename", "containers.rename", "rename a container"),
    Route("POST", "/containers/{id}/pause", "containers.pause", "pause a container"),
    Route("POST", "/containers/{id}/unpause", "containers.unpause", "unpause a container"),
    Route("POST", "/containers/{id}/attach", "containers.attach", "attach to a container"),
    Route("GET", "/containers/{id}/attach/ws", None, "attach to a container over a websocket"),
    Route("POST", "/containers/{id}/wait", "containers.wait", "wait for a container"),
    Route("DELETE", "/containers/{name}", "containers.remove", "remove a container, or a link"),
    Route("HEAD", "/containers/{id}/archive", "archive.stat", "look at a path in a container"),
    Route("GET", "/containers/{id}/archive", "archive.get", "copy a path out of a container"),
    Route("PUT", "/containers/{id}/archive", "archive.put", "copy files into a container"),
    Route("POST", "/containers/prune", "containers.prune", "remove stopped containers"),
    # exec
    Route("POST", "/containers/{id}/exec", "execs.create", "prepare a process in a running container"),
    Route("POST", "/exec/{id}/start", "execs.start", "start such a process"),
    Route("POST", "/exec/{id}/resize", "execs.resize", "resize its terminal"),
    Route("GET", "/exec/{id}/json", "execs.inspect", "inspect it"),
    # images
    Route("GET", "/images/json", "images.list_images", "list images"),
    Route("POST", "/images/create", "images.create", "import an image, or pull one"),
    Route("GET", "/images/{name}/json", "images.inspect", "inspect an image"),
    Route("GET", "/images/{name}/history", "images.history", "list how an image was made"),
    Route("POST", "/images/{name}/push", "registry.push_image", "push an image"),
    Route("POST", "/images/{name}/tag", "images.tag", "tag an image"),
    Route("DELETE", "/images/{name}", "images.remove", "remove an image"),
    Route("GET", "/images/search", None, "search a registry"),
    Route("POST", "/images/prune", "images.prune", "remove unused images"),
    Route("POST", "/commit", "images.commit", "make an image from a container"),
    Route("GET", "/images/{name}/get", "images.save_one", "save an image"),
    Route("GET", "/images/get", "images.save", "save several images"),
    Route("POST", "/images/load", "images.load", "load images"),
    Route("POST", "/build", "build.build", "build an image"),
    Route("POST", "/build/prune", "build.prune", "remove the build cache"),
    Route("GET", "/distribution/{name}/json", "registry.inspect", "ask a registry about an image"),
    # system
    Route("GET", "/_ping", "system.ping", "answer OK"),
    Route("HEAD", "/_ping", "system.ping", "answer OK, without the word"),
    Route("GET", "/version", "system.version", "tell the versions"),
    Route("GET", "/info", "system.info", "tell about the engine and its host"),
    Route("GET", "/events", "system.events", "follow what happens"),
    Route("GET", "/system/df", "system.disk_usage", "tell what takes the disk"),
    Route("POST", "/auth", "registry.login", "log in to a registry"),
    Route("POST", "/session", None, "open a session for BuildKit"),
    # networks
    Route("GET", "/networks", "networks.list_networks", "list networks"),
    Route("GET", "/networks/{id}", "networks.inspect", "inspect a network"),
    Route("DELETE", "/networks/{id}", "networks.remove", "remove a network"),
    Route("POST", "/networks/create", "networks.create", "create a network"),
    Route("POST", "/networks/{id}/connect", "networks.connect", "connect a container to a network"),
    Route("POST", "/networks/{id}/disconnect", "networks.disconnect", "disconnect a container from a network"),
    Route("POST", "/networks/prune", "networks.prune", "remove unused networks"),
    # volumes
    Route("GET", "/volumes", "volumes.list_volumes", "list volumes"),
    Route("POST", "/volumes/create", "volumes.create", "create a volume"),
    Route("GET", "/volumes/{name}", "volumes.inspect", "inspect a volume"),
    Route("PUT", "/volumes/{name}", None, "update a cluster volume"),
    Route("DELETE", "/volumes/{name}", "volumes.remove", "remove a volume"),
    Route("POST", "/volumes/prune", "volumes.prune", "remove unused volumes"),
    # plugins
    Route("GET", "/plugins", "absent.list_plugins", "list plugins"),
    Route("GET", "/plugins/privileges", None, "ask what a plugin wants"),
    Route("POST", "/plugins/pull", None, "install a plugin"),
    Route("GET", "/plugins/{name}/json", "absent.plugin", "inspect a plugin"),
    Route("DELETE", "/plugins/{name}", None, "remove a plugin"),
    Route("POST", "/plugins/{name}/enable", None, "enable a plugin"),
    Route("POST", "/plugins/{name}/disable", None, "disable a plugin"),
    Route("POST", "/plugins/{name}/upgrade", None, "upgrade a plugin"),
    Route("POST", "/plugins/create", None, "create a plugin"),
    Route("POST", "/plugins/{name}/push", None, "push a plugin"),
    Route("POST", "/plugins/{name}/set", None, "configure a plugin"),
    # swarm
    Route("GET", "/nodes", None, "list nodes"),
    Route("GET", "/nodes/{id}", None, "inspect a node"),
    Route("DELETE", "/nodes/{id}", None, "remove a node"),
    Route("POST", "/nodes/{id}/update", None, "update a node"),
    Route("GET", "/swarm", None, "inspect the swarm"),
    Route("POST", "/swarm/init", None, "start a swarm"),
    Route("POST", "/swarm/join", None, "join a swarm"),
    Route("POST", "/swarm/leave", "system.leave_swarm", "leave the swarm: there is none to leave"),
    Route("POST", "/swarm/update", None, "update the swarm"),
    Route("GET", "/swarm/unlockkey", None, "read the swarm's unlock key"),
    Route("POST", "/swarm/unlock", None, "unlock the swarm"),
    Route("GET", "/services", None, "list services"),
    Route("POST", "/services/create", None, "create a service"),
    Route("GET", "/services/{id}", None, "inspect a service"),
    Route("DELETE", "/services/{id}", None, "remove a service"),
    Route("POST", "/services/{id}/update", None, "update a service"),
    Route("GET", "/services/{id}/logs", None, "read a service's logs"),
    Route("GET", "/tasks", None, "list tasks"),
    Route("GET", "/tasks/{id}", None, "inspect a task"),
    Route("GET", "/tasks/{id}/logs", None, "read a task's logs"),
    Route("GET", "/secrets", None, "list secrets"),
    Route("POST", "/secrets/create", None, "create a secret"),
    Route("GET", "/secrets/{id}", None, "inspect a secret"),
    Route("DELETE", "/secrets/{id}", None, "remove a secret"),
    Route("POST", "/secrets/{id}/update", None, "update a secret"),
    Route("GET", "/configs", None, "list configs"),
    Route("POST", "/configs/create", None, "create a config"),
    Route("GET", "/configs/{id}", None, "inspect a config"),
    Route("DELETE", "/configs/{id}", None, "remove a config"),
    Route("POST", "/configs/{id}/update", None, "update a config"),
)

# What is missing of an endpoint that is served, told in API.md; the request gets an error, unless it says otherwise.
LACKS = {
    "POST /containers/create": (
        "CgroupParent; limits on disk traffic (Blkio…); seccomp and AppArmor profiles of your own; NetworkDisabled; "
        "log drivers other than json-file and none; /dev/shm of another with IpcMode container:…, which has its own; "
        "drivers for DeviceRequests (GPUs): a start says that there is none, as Docker does on a machine without"
    ),
    "POST /containers/{id}/update": "limits on disk traffic (Blkio…)",
    "POST /build": "BuildKit and its outputs; a remote context; ADD of a URL; squash",
    "POST /build/prune": "nothing is removed, as the builder's cache is images, for `POST /images/prune`",
    "GET /system/df": "BuildKit's cache: its list is always empty",
    "POST /networks/create": (
        "the drivers macvlan, ipvlan and overlay; ConfigOnly and ConfigFrom; keeping containers apart "
        "(enable_icc=false); IPv6 is kept in the record, and a warning says that no container gets an address"
    ),
    "POST /volumes/create": "drivers other than local; of local's options all but those of a bind",
    "GET /plugins": "there are never any: the list is empty",
    "GET /plugins/{name}/json": "there are never any: 404",
    "POST /swarm/leave": "there is never one to leave: 503, as a Docker without a swarm says",
}

_HOLES = {"{id}": r"(?P<id>[^/]+)", "{name}": r"(?P<name>.+)"}


@cache
def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\})", path)
    return re.compile("".join(_HOLES.get(part, re.escape(part)) for part in parts))


def _index() -> dict[tuple[str, str], list[Route]]:
    """The routes by method and first word of the path; paths without a hole first, as `/images/json` is no name."""
    index: dict[tuple[str, str], list[Route]] = {}
    for route in sorted(ROUTES, key=lambda route: "{" in route.path):
        index.setdefault((route.method, route.path.split("/")[1]), []).append(route)
    return index


_BY_NOUN = _index()


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a request and what stands in the holes of its path; None where Docker has no such endpoint."""
    noun = path.split("/", 2)[1] if path.startswith("/") else ""
    for route in _BY_NOUN.get((method, noun), ()):
        if match := _pattern(route.path).fullmatch(path):
            return route, match.groupdict()
    return None
