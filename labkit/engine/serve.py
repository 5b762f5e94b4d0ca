"""The engine as a process: `python -m labkit.engine --socket PATH --state DIR`.

The order is the explanation. What must be done while there is a single thread comes first: namespaces are joined by
threads, and a process that has two of them may not change its user namespace (user_namespaces(7)). What could be
refused comes before what would have to be undone. The socket comes last, so a client who gets through finds
everything there.

Left out: a daemon's double fork, a pid file, log rotation. Whoever starts the engine sees to them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from socket import socket as make_socket

from labkit import linux
from labkit.engine import userns
from labkit.engine.errors import EngineError, StateError
from labkit.engine.networks.outside import Outside
from labkit.engine.networks.upstream import MakeSocket
from labkit.engine.state import State, default_run, default_socket, default_state
from labkit.runtime import hierarchies
from labkit.runtime.create import RuntimeFailed

log = logging.getLogger("labkit.engine")


def main(arguments: Sequence[str] | None = None, make_socket: MakeSocket = make_socket) -> int:
    """Run the engine until SIGTERM or SIGINT. The exit status: 0, or 1 when it could not start.

    `make_socket` makes the sockets of published ports, where the engine's own network is not the machine's.
    """
    options = parse(arguments)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if options.debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        state = State.at(options.state, default_run(options.state))
        state.lock()
        hierarchies.settle(live_shim(state))  # the first thing: all that we start shall be in there
        outside = Outside() if os.geteuid() != 0 else None  # before we go, as it is to stay
        ids = enter_namespaces(state)
        sockets = outside.socket if outside else make_socket
        asyncio.run(serve(state, options.socket, ids, sockets, options.ready_fd))
    except (EngineError, RuntimeFailed, OSError) as error:
        log.error("the engine cannot start: %s", error)
        return 1
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; the environment gives the defaults."""
    parser = argparse.ArgumentParser(prog="python -m labkit.engine", description="A small Docker-compatible engine.")
    parser.add_argument("--state", type=_absolute, default=default_state(), help="folder for images and containers")
    parser.add_argument("--socket", type=_absolute, default=default_socket(), help="unix socket to listen on")
    parser.add_argument("--ready-fd", type=int, default=1, help="where `ready` is written when the socket answers")
    parser.add_argument("--debug", action="store_true", help="log every request")
    return parser.parse_args(arguments)


def _absolute(path: str) -> Path:
    return Path(path).absolute()


# ---- before any thread


def enter_namespaces(state: State) -> userns.Ids | None:
    """Go where containers can be made; the ids of the user namespace if one was needed.

    An ordinary user becomes root in a user namespace: the shim's, where one still holds containers from an earlier
    run, or else a new one. Root only takes a mount namespace, so that its mounts do not show on the host.
    """
    if os.geteuid() != 0:
        shim = live_shim(state)
        return _join(shim) if shim else userns.enter()
    try:
        linux.unshare(linux.CLONE_NEWNS)
        # a slave: what the host mounts later comes in, nothing that is mounted here goes out
        linux.mount(None, "/", None, linux.MS_REC | linux.MS_SLAVE)
    except OSError as error:
        raise StateError(
            f"root here may not make a mount namespace: {error}. Inside a container it needs more rights "
            "(--privileged), or run the engine as an ordinary user"
        ) from error
    return None


def _join(shim: int) -> userns.Ids:
    userns.join(shim)
    return userns.Ids.of()


def live_shim(state: State) -> int | None:
    """The pid of this state's shim if it runs. Pids are given out again, so its start time must agree (proc(5))."""
    try:
        pid, started = state.shim_pid_file.read_text().split()
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return None
    fields = stat.rpartition(")")[2].split()
    return int(pid) if fields[19] == started and fields[0] != "Z" else None


# ---- the engine


async def serve(state: State, socket: Path, ids: userns.Ids | None, sockets: MakeSocket, ready_fd: int) -> None:
    """Set the engine up, serve until told to stop, leave the containers running."""
    # imported here, so that a refusal above costs no second of waiting
    from labkit.engine.api import server
    from labkit.engine.containers.manager import Containers
    from labkit.engine.engine import Engine
    from labkit.engine.events import Events
    from labkit.engine.images import layers
    from labkit.engine.images.store import ImageStore
    from labkit.engine.networks.firewall import Firewall
    from labkit.engine.networks.store import Networks
    from labkit.engine.shim.client import Shim
    from labkit.engine.volumes.store import Volumes

    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    raise_file_limit()
    server.refuse_live(socket)
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    driver = layers.pick(state.overlay, userxattr=ids is not None)
    images = ImageStore(state.root, driver)
    images.sweep()
    shim = await Shim.connect(state.root)
    firewall = Firewall(str(state.root), rootless=ids is not None)
    networks = await Networks.load(state, firewall, sockets)
    if ids is not None:
        from labkit.engine.registry import reach

        reach.through(sockets)
    engine = Engine(state, Events(), driver, images, shim, ids, state.id(), warnings(ids))
    engine.networks = networks
    engine.volumes = Volumes(engine)
    engine.containers = Containers(engine)
    await engine.containers.reconcile()

    listener = server.listen(socket)
    state.write_engine(id=engine.id, socket=str(socket))
    running = await server.start(engine, listener)
    gc.freeze()  # what is here now stays: no collection need look through it in the middle of an answer
    os.write(ready_fd, b"ready\n")
    log.info("listening on %s, state in %s, %s", socket, state.root, driver.name)
    await stop.wait()

    await running.stop()
    await engine.containers.close()
    if not any(container.state.alive for container in engine.containers):
        await networks.take_down()
    shim.close()
    log.info("stopped; containers go on")
    # a thread may be in the middle of a load; what it has not finished has no name yet, so nothing waits for it
    logging.shutdown()
    os._exit(0)


def raise_file_limit() -> None:
    """Allow as many open files as the hard limit lets: every attached client takes three."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def warnings(ids: userns.Ids | None) -> list[str]:
    """What `docker info` should warn about, beyond limits and networks."""
    found = []
    if ids is not None and ids.how == "one id":
        found.append("WARNING: only root exists in containers; a range of ids in /etc/subuid and /etc/subgid mends it")
    return found
