"""`docker start`: OCI's create and start, with the network plugged in between.

    shim.create   clone into new namespaces; the child builds its file tree and waits
    network       a cable into the child's network namespace
    shim.start    the child becomes the program

What fails is undone, and the record keeps why: State.Error, and the exit code that a shell would give.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from labkit.engine import crash
from labkit.engine.containers import (
    files,
    health,
    hostdevices,
    lifecycle,
    logoptions,
    mounts,
    spec,
    storage,
    users,
    views,
)
from labkit.engine.containers.erase import erase
from labkit.engine.containers.record import Container
from labkit.engine.containers.roots import running_root
from labkit.engine.errors import ApiError, BadParameter, Conflict, NoSuchContainer, ServerError
from labkit.engine.networks import attach, inside, linking
from labkit.engine.networks.record import Network
from labkit.engine.state import boot_id
from labkit.runtime.create import RuntimeFailed

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

log = logging.getLogger(__name__)

Json = dict[str, Any]

_JOINS = {"NetworkMode": "network", "PidMode": "pid", "IpcMode": "ipc"}
_PROC_NAMES = {"network": "net", "pid": "pid", "ipc": "ipc"}


async def start(engine: Engine, container: Container) -> None:
    """Start a created or exited container. Raises NotModified, Conflict, BadParameter, ServerError."""
    async with container.lock:
        lifecycle.check("start", container.state.status, container.id, container.name)
        container.restart_count, container.restart_delay = 0, 0.0  # the policy's count begins anew
        await run(engine, container)


async def run(engine: Engine, container: Container) -> None:
    """Bring a container up; the caller holds its lock and has checked the move."""
    container.stopped_by_user = False
    try:
        await _bring_up(engine, container)
    except asyncio.CancelledError:  # a build whose client left; the shim may have made the process all the same
        await _undo(engine, container)
        raise
    except (RuntimeFailed, OSError, ApiError) as failure:
        error, code = translate(failure, views.command(container))
        await _undo(engine, container)
        container.failed(code, error.message)
        engine.containers.try_save(container)
        if container.auto_remove:  # nobody will see its end, so it goes now
            with contextlib.suppress(ApiError):
                await erase(engine, container, volumes=True)
        raise error from failure
    engine.containers.try_save(container)
    crash.at("start: saved")
    attach.started(engine, container)
    storage.tell_mounted(engine, container)
    engine.containers.tell(container, "start")


async def _bring_up(engine: Engine, container: Container) -> None:
    attach.reserve(engine, container)
    crash.at("start: addresses reserved")
    await storage.fill(engine, container)
    config = prepare(engine, container)
    pid = await engine.shim.create(
        container.id,
        config,
        engine.driver.rootfs(container.id),
        log=log_options(engine, container),
        exit_file=f"{engine.containers.folder(container)}/exit.json",
        open_stdin=bool(container.config.get("OpenStdin")),
        stdin_once=bool(container.config.get("StdinOnce")),
        attach=_take_attached(container),
    )
    crash.at("start: process made")
    try:
        attach.plug_in(engine, container, pid)
    except (ProcessLookupError, FileNotFoundError):
        await engine.shim.start(container.id)  # the process has failed meanwhile: this raises with its own words
        raise
    crash.at("start: plugged in")
    await engine.shim.start(container.id)
    crash.at("start: program runs")
    container.began(pid, birth(pid), boot_id())
    health.begin(engine, container)


def _take_attached(container: Container) -> list[Any]:
    attached, container.attaching = container.attaching, []
    return attached


def prepare(engine: Engine, container: Container) -> Json:
    """The OCI config for a container as it is now, with the files that it needs written."""
    folder = engine.containers.folder(container)
    host = container.host_config
    around = surroundings(engine, container)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{folder}/exit.json")
    owner = _network_owner(engine, container)
    if owner is not container and host.get("UTSMode") != "host":  # as Docker: who shares the network shares its name
        container.config["Hostname"] = owner.hostname
    config = container.config
    if container.links:
        config = {**config, "Env": [*linking.environment(engine, container), *(config.get("Env") or ())]}
    made = spec.oci_config(config, host, identity(engine, container), around)
    return made | {"annotations": attach.oci_annotations(container)}


def surroundings(engine: Engine, container: Container) -> spec.Surroundings:
    """What the container gets of the engine's and of the host's. Raises ServerError, Conflict, OSError."""
    host = container.host_config
    hostdevices.check_requests(host.get("DeviceRequests"))
    points = mounts.of(container.mounts)
    mounts.make_sources(points)
    for options in (host.get("Tmpfs") or {}).values():
        mounts.check_tmpfs(options)
    nodes, shown = _devices(engine, host)
    own_pids = not host.get("PidMode")  # in another's pid namespace there is a process 1 already
    return spec.Surroundings(
        container.id,
        engine.driver.merged(container.id),
        lend_files(engine, container),
        namespaces_of_others(engine, host),
        [*(point.to_oci() for point in points), *shown],
        nodes,
        hostdevices.rules(host),
        hostdevices.init_program() if host.get("Init") and own_pids else None,
        ids=engine.ids.count if engine.ids else spec.Surroundings.ids,
    )


def _devices(engine: Engine, host: Json) -> tuple[list[Json], list[Json]]:
    """The devices as nodes to be made, or, in a user namespace, as mounts of the host's."""
    if engine.ids is None:
        return [device.to_oci() for device in hostdevices.devices(host)], []
    return [], [device.to_mount() for device in hostdevices.devices({**host, "Privileged": False})]


# --- who, and with whom ------------------------------------------------------------------------------------------


def identity(engine: Engine, container: Container, user: str | None = None) -> spec.Identity:
    """The numbers for `User` and `GroupAdd`. Raises ServerError in Docker's words where a name is unknown."""
    accounts = _accounts(engine, container)
    wanted = container.config.get("User") if user is None else user
    return users.resolve(wanted or "", container.host_config.get("GroupAdd") or (), accounts)


_IMAGE_ACCOUNTS: dict[str, users.Accounts] = {}
"""Accounts by image id: an image's files never change, and mounting one to look takes longer than the start."""


def _accounts(engine: Engine, container: Container) -> users.Accounts:
    if container.state.has_process:
        with running_root(container) as root:
            return users.read_accounts(root)
    if not _touched_etc(engine, container) and (known := _IMAGE_ACCOUNTS.get(container.image_id)):
        return known
    with engine.driver.opened(container.id) as root:
        accounts = users.read_accounts(root)
    if not _touched_etc(engine, container):
        _IMAGE_ACCOUNTS[container.image_id] = accounts
    return accounts


def _touched_etc(engine: Engine, container: Container) -> bool:
    """Whether the container's own layer has an /etc: then its accounts may not be the image's."""
    upper = engine.driver.data(container.id).get("UpperDir")
    return not upper or os.path.lexists(f"{upper}/etc")


NOT_SHAREABLE = (
    "can't join IPC of container {id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
)


def namespaces_of_others(engine: Engine, host: Json) -> dict[str, str]:
    """For `container:ID` modes: OCI namespace type -> the path of the namespace. Raises Conflict if it is not up,
    ServerError if it keeps its own."""
    joins = {}
    for field, kind in _JOINS.items():
        mode, _, ref = (host.get(field) or "").partition(":")
        if mode == "container":
            other = engine.containers.find(ref)
            if other is None:
                raise NoSuchContainer(ref)
            if not other.state.has_process:
                raise Conflict(f"cannot join {kind} of a non running container: {other.id}")
            if kind == "ipc" and other.host_config.get("IpcMode") in ("private", "none"):
                raise ServerError(NOT_SHAREABLE.format(id=other.id))
            joins[kind] = f"/proc/{other.state.pid}/ns/{_PROC_NAMES[kind]}"
    return joins


# --- the files that the engine lends -----------------------------------------------------------------------------


def lend_files(engine: Engine, container: Container) -> dict[str, str]:
    """Write hostname, hosts and resolv.conf: path inside -> path outside. A joined network brings its files along."""
    owner = _network_owner(engine, container)
    folder = engine.containers.folder(owner)
    if owner is container:
        host_network = container.network_mode == "host"
        files.write(folder, "hostname", container.hostname + "\n")
        inside.write_resolv_conf(engine, container)
        files.write(folder, "hosts", files.read("/etc/hosts") if host_network else "")
    return {inside: f"{folder}/{name}" for inside, name in files.PLACES.items()}


def _network_owner(engine: Engine, container: Container) -> Container:
    mode, _, ref = container.network_mode.partition(":")
    return engine.containers.get(ref) if mode == "container" else container


def unplug(engine: Engine, container: Container) -> list[Network]:
    """Give addresses, names and published ports back; the cables go with the namespace. Says where it was."""
    return attach.release(engine, container)


def log_options(engine: Engine, container: Container) -> Json | None:
    """Where the shim writes the output, and how much of it is kept; None for the driver `none`."""
    if views.log_driver(container) == "none":
        return None
    size, files = logoptions.limits(container.host_config["LogConfig"]["Config"])
    return {"path": f"{engine.containers.folder(container)}/log.json", "max_size": size, "max_files": files}


def birth(pid: int) -> int:
    """When a process began, in ticks since the machine did: proc_pid_stat(5), field 22. 0 if it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[19])
    return 0


# --- what went wrong ---------------------------------------------------------------------------------------------

TASK = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
UNABLE = "unable to start container process: "
NOT_FOUND, NOT_EXECUTABLE, FAILED = 127, 126, 128
"""Exit codes: the shell's two, and Docker's for whatever else kept a container from starting."""

# (what the failure says, exit code); the docker command reads the same words
_CODES = (
    ("executable file not found", NOT_FOUND),
    ("no such file or directory", NOT_FOUND),
    ("permission denied", NOT_EXECUTABLE),
    ("not a directory", NOT_EXECUTABLE),
    ("is a directory", NOT_EXECUTABLE),
    ("exec format error", NOT_EXECUTABLE),
)


def translate(failure: Exception, command: list[str]) -> tuple[ApiError, int]:
    """What a failed start is for the client, and the exit code that the record keeps."""
    if isinstance(failure, ApiError):
        return failure, FAILED
    if isinstance(failure, OSError):
        return ServerError(f"the engine could not set the container up: {failure}"), FAILED
    words = explain(failure, command)
    code = exit_code(words)
    kind = ServerError if code == FAILED else BadParameter
    return kind(f"{TASK}{UNABLE}{words}: unknown"), code


def exit_code(words: str) -> int:
    """The exit code for what the runtime said: 127 not found, 126 not executable, 128 anything else."""
    return next((code for text, code in _CODES if text in words.lower()), FAILED)


def explain(failure: Exception, command: list[str]) -> str:
    """The runtime's words as runc has them: `exec: "nosuch": executable file not found in $PATH`."""
    text = failure.message if isinstance(failure, RuntimeFailed) else str(failure)
    name = command[0] if command else ""
    if text == "executable file not found in $PATH":
        return f'exec: "{name}": {text}'
    path, colon, reason = text.rpartition(": ")
    if colon and name and (path == name or path.endswith(f"/{name}")):
        looked_for = f"stat {name}: " if reason.lower().startswith("no such file") else ""
        return f'exec: "{name}": {looked_for}{reason[:1].lower()}{reason[1:]}'
    return text


async def _undo(engine: Engine, container: Container) -> None:
    """Take down what a failed start left. Nothing here may hide the failure itself."""
    unplug(engine, container)
    with contextlib.suppress(RuntimeFailed):
        await engine.shim.delete(container.id)
