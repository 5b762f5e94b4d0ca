"""`labkit engine`: serve, start, stop labkit's own engine, or ask for its status."""

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import docker

from labkit import clean as cleaning
from labkit.cli_answer import Answer
from labkit.engine import control
from labkit.engine.state import default_socket, default_state
from labkit.microvm import control as machines
from labkit.microvm import guest


def serve(options: argparse.Namespace) -> Answer:
    """This process becomes the engine, so whoever supervises us supervises it."""
    sys.stdout.flush()
    command = [sys.executable, "-m", "labkit.engine"]
    os.execv(sys.executable, [*command, "--socket", str(_socket(options)), "--state", str(_state(options))])


def start(options: argparse.Namespace) -> Answer:
    def on_slow() -> None:
        where = " in a small virtual machine" if options.in_vm else ""
        print(f"starting labkit's embedded engine{where}…", file=sys.stderr, flush=True)

    launch = machines.start if options.in_vm else control.start
    running = launch(_state(options), _socket(options), on_slow)
    return Answer(describe(running), f"{status_text(running)}\nexport DOCKER_HOST=unix://{running.socket}")


def build_guest(options: argparse.Namespace) -> Answer:
    """Build what a machine needs, beforehand: in an image, or while there is a network."""
    files = Path(options.into or guest.default_files()).absolute()
    kinds = [options.kind] if options.kind else list(guest.BUILDERS)
    for kind in kinds:
        guest.ensure(kind, files)
    return Answer({"files": str(files), "kinds": kinds}, f"The guest's files for {' and '.join(kinds)} are in {files}.")


def status(options: argparse.Namespace) -> Answer:
    running = control.find(_state(options))
    if running is None:
        text = f"No engine runs on the state folder {_state(options)}. `labkit engine start` starts one."
        return Answer({"running": False, "state": str(_state(options))}, text, status=3)
    return Answer(describe(running), status_text(running))


def stop(options: argparse.Namespace) -> Answer:
    """The API process alone; with --all its containers and the shim that holds them."""
    state = _state(options)
    running = control.find(state)
    if running is None and options.all and control.shim(state):
        running = control.start(state, _socket(options))  # containers run on without it: only it can stop them
    if running is None:
        return Answer({"stopped": False, "containers": []}, f"No engine runs on the state folder {state}.")
    names = stop_containers(running) if options.all else []
    control.stop(running)
    if options.all:
        control.stop_shim(state)
    told = f" and {cleaning.counted(len(names), 'container')}: {', '.join(names)}" if names else ""
    if running.machine:
        left = " Its machine is gone, and all that was in it."
    else:
        left = "" if options.all else " Its containers run on; `labkit engine start` serves them again."
    return Answer({"stopped": True, "containers": names}, f"Stopped the engine (pid {running.pid}){told}.{left}")


def stop_containers(running: control.Running) -> list[str]:
    """Stop each running container: SIGTERM, and SIGKILL two seconds later. Their layers and logs stay."""
    with contextlib.closing(docker.DockerClient(f"unix://{running.socket}")) as client:
        containers = client.containers.list()
        for container in containers:
            container.stop(timeout=2)
    return [container.name or container.short_id for container in containers]


def describe(running: control.Running) -> dict[str, Any]:
    """A running engine as plain data for --json."""
    address = f"unix://{running.socket}"
    facts = {"pid": running.pid, "socket": str(running.socket), "state": str(running.state)}
    return {"running": True, "docker_host": address, **facts, "since": running.since, "machine": running.machine}


def status_text(running: control.Running) -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(running.since))
    where = f"Its socket is {running.socket}, its files are in {running.state}."
    inside = f" in a small virtual machine, {machines.title(running)}" if running.machine else ""
    return f"The engine runs{inside} (pid {running.pid}, since {since}).\n{where}"


def _state(options: argparse.Namespace) -> Path:
    return Path(options.state or default_state()).absolute()


def _socket(options: argparse.Namespace) -> Path:
    """--socket; else beside a --state that was named; else the usual place."""
    if getattr(options, "socket", None):
        return Path(options.socket).absolute()
    return _state(options) / "run" / "engine.sock" if options.state else default_socket()
