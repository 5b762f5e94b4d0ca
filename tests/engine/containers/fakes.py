"""An engine without a kernel: a shim that only notes what it is asked, layers that are plain folders, one image."""

import asyncio
import contextlib
import os
import shutil
import time
from pathlib import Path

from labkit.engine.containers import create, defaults
from labkit.engine.containers.manager import Containers
from labkit.engine.containers.record import Container
from labkit.engine.engine import Engine
from labkit.engine.errors import NoSuchImage
from labkit.engine.events import Events
from labkit.engine.images.image import Image
from labkit.engine.networks.firewall import Firewall
from labkit.engine.networks.record import PREDEFINED
from labkit.engine.networks.store import Networks
from labkit.engine.state import State
from labkit.engine.volumes.store import Volumes
from labkit.runtime.create import RuntimeFailed

IMAGE = Image(
    id="sha256:" + "a" * 64,
    config={"config": {"Cmd": ["sh"], "Env": ["PATH=/bin", "A=image"], "Labels": {"labkit": "course"}}},
    tags=("busybox:latest",),
    layers=("0123456789ab",),
    size=1000,
    parent="",
    created="2026-01-01T00:00:00Z",
)


class FakeShim:
    """Processes that are numbers. `ends` makes one exit; `fail_with` makes the next start fail."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []
        self.tasks: dict[str, dict] = {}
        self.fail_with: RuntimeFailed | None = None
        self.deaf = False  # to signals that can be refused
        self.answers = asyncio.Event()  # cleared, it takes requests for signals and does not answer them
        self.answers.set()
        self.on_exit = lambda *exit_: None
        self.on_gone = lambda: None

    async def list(self) -> list[dict]:
        return list(self.tasks.values())

    async def create(self, key, config, rootfs, *, log, exit_file, open_stdin, stdin_once, attach=()) -> int:
        self.calls.append(("create", key))
        self.config, self.attached = config, attach
        self.tasks[key] = {"key": key, "pid": 4_000_000 + len(self.calls), "state": "created"}
        return self.tasks[key]["pid"]

    async def start(self, key) -> None:
        self.calls.append(("start", key))
        if self.fail_with:
            failure, self.fail_with = self.fail_with, None
            raise failure
        self.tasks[key]["state"] = "running"

    async def exec(self, key, exec_id, process, *, open_stdin, attach=()) -> int:
        self.calls.append(("exec", key))
        self.process = process
        if self.fail_with:
            failure, self.fail_with = self.fail_with, None
            raise failure
        return 5_000_000

    async def kill(self, key, signum, exec_id=None) -> None:
        self.calls.append(("kill", key, int(signum)))
        await self.answers.wait()
        if signum == 9 or not self.deaf:
            asyncio.get_running_loop().call_soon(self.ends, key, 128 + int(signum))

    def ends(self, key: str, status: int = 0) -> None:
        if self.tasks.get(key, {}).get("state") == "running":
            self.tasks[key]["state"] = "exited"
            self.on_exit(key, None, status, time.time())

    async def pause(self, key) -> None:
        self.calls.append(("pause", key))

    async def resume(self, key) -> None:
        self.calls.append(("resume", key))

    async def delete(self, key) -> None:
        self.calls.append(("delete", key))
        self.tasks.pop(key, None)


class FakeDriver:
    """Each container has a folder, and its root is that folder."""

    name = "overlay2"

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, container_id, image) -> None:
        os.makedirs(self.root / container_id / "diff")

    def remove(self, container_id) -> None:
        shutil.rmtree(self.root / container_id, ignore_errors=True)

    def rootfs(self, container_id) -> list:
        return []

    def merged(self, container_id) -> str:
        return str(self.root / container_id / "merged")

    def data(self, container_id) -> dict:
        return {"UpperDir": str(self.root / container_id / "diff")}

    def size(self, container_id) -> int:
        return 10

    def containers(self) -> list[str]:
        return os.listdir(self.root)

    @contextlib.contextmanager
    def opened(self, container_id):
        fd = os.open(self.root / container_id / "diff", os.O_PATH)
        try:
            yield fd
        finally:
            os.close(fd)


class FakeImages:
    def get(self, ref: str) -> Image:
        if ref in ("busybox", "busybox:latest", IMAGE.id):
            return IMAGE
        raise NoSuchImage(ref if ":" in ref else f"{ref}:latest")

    def list(self) -> list[Image]:
        return [IMAGE]

    def tags(self) -> dict[str, str]:
        return {"docker.io/library/busybox:latest": IMAGE.id, "busybox:latest": IMAGE.id}


class FakeNetworks(Networks):
    """The networks that are always there, without a bridge: nothing is asked of the kernel."""

    def __init__(self, state: State) -> None:
        super().__init__(state, Firewall(""))
        self._folder.mkdir(exist_ok=True)
        for name in PREDEFINED:
            self._add(self._predefined(name))


def make_engine(folder: Path, shim: FakeShim | None = None) -> Engine:
    """An engine of fakes on a state folder; call it twice on one folder to see what a new engine makes of it."""
    state = State.at(folder / "state", folder / "run")
    engine = Engine(state, Events(), FakeDriver(state.overlay), FakeImages(), shim or FakeShim())
    engine.networks = FakeNetworks(state)
    engine.volumes = Volumes(engine)
    engine.containers = Containers(engine)
    return engine


def make_container(**changes) -> Container:
    """A record for pure tests: created, of the image above, running `sleep 600`."""
    config = {"Image": "busybox", "Cmd": ["sleep", "600"], "Labels": {"colour": "blue"}} | changes.pop("config", {})
    host = defaults.host_config(changes.pop("host", {}))
    fields = {
        "id": "1234567890ab" + "c" * 52,
        "name": "merry_teapot",
        "created": "2026-01-01T12:00:00.000000000Z",
        "image_id": IMAGE.id,
        "config": config,
        "host_config": host,
    }
    return Container(**(fields | changes))


def new(engine: Engine, name: str = "", **body) -> Container:
    """A created container; on the host's network, as fake processes have no namespace to put a cable into."""
    host = {"NetworkMode": "host", **body.pop("HostConfig", {})}
    return create.create(engine, {"Image": "busybox", "HostConfig": host, **body}, name)[0]


def told(engine: Engine) -> list[str]:
    """The actions of all events about containers so far."""
    return [event["Action"] for event in engine.events.past({"type": ["container"]}, 0)]


async def soon(condition, seconds: float = 3) -> None:
    """Wait until something is true, so many seconds at most."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.005)
