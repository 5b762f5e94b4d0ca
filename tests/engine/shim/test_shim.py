"""The shim with real containers: what the engine may ask of it, and what outlives the one who asked."""

import asyncio
import fcntl
import json
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from labkit.engine.shim.client import Attachment, Shim
from labkit.runtime.create import RuntimeFailed
from tests.runtime import bundle


@pytest.fixture(scope="module")
def lower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle.needs_root()
    return bundle.tree(tmp_path_factory.mktemp("lower"))


class Bench:
    """A shim in a folder of its own, and containers in it by key."""

    def __init__(self, state: Path, lower: Path) -> None:
        self.state, self.lower = state, lower
        self.ends: dict[tuple[str, str | None], asyncio.Future[int]] = {}
        (state / "containers").mkdir()

    async def connect(self) -> "Bench":
        self.shim = await Shim.connect(self.state)
        self.shim.on_exit = lambda key, exec_id, status, at: self.end(key, exec_id).set_result(status)
        return self

    def end(self, key: str, exec_id: str | None = None) -> "asyncio.Future[int]":
        return self.ends.setdefault((key, exec_id), asyncio.get_running_loop().create_future())

    async def create(self, key: str, *command: str, tty: bool = False, stdin: bool = False) -> socket.socket:
        folder = self.state / "containers" / key
        folder.mkdir()
        merged, rootfs = bundle.overlay(self.lower, folder / "layer")
        ours, theirs = socket.socketpair()
        ours.settimeout(5)
        await self.shim.create(
            key,
            bundle.config(merged, *command, key=key, Tty=tty),
            rootfs,
            log={"path": str(folder / "log.json"), "max_size": 1 << 20, "max_files": 2},
            exit_file=str(folder / "exit.json"),
            open_stdin=stdin,
            stdin_once=True,
            attach=[Attachment(theirs, stdin, True, True)],
        )
        return ours

    def log(self, key: str) -> str:
        lines = (self.state / "containers" / key / "log.json").read_text().splitlines()
        return "".join(json.loads(line)["log"] for line in lines)

    def config(self, key: str) -> Any:
        return json.loads((self.state / "containers" / key / "config.json").read_text())


@pytest.fixture
async def stage(tmp_path: Path, lower: Path):
    stage = await Bench(tmp_path, lower).connect()
    yield stage
    for task in await stage.shim.list():
        await stage.shim.delete(task["key"])
    stage.shim.close()


async def test_a_life(stage):
    out = await stage.create("a", "sh", "-c", "echo hello; exit 7")
    assert [(t["key"], t["state"]) for t in await stage.shim.list()] == [("a", "created")]
    await stage.shim.start("a")
    assert await asyncio.wait_for(stage.end("a"), 5) == 7
    assert out.recv(100) == b"\x01\0\0\0\0\0\0\x06hello\n"
    assert out.recv(100) == b"", "the end of output is told"
    assert stage.log("a") == "hello\n"
    assert json.loads((stage.state / "containers/a/exit.json").read_text())["status"] == 7
    await stage.shim.delete("a")
    assert await stage.shim.list() == []


async def test_a_failed_start_tells_why(stage):
    await stage.create("a", "nosuch")
    with pytest.raises(RuntimeFailed, match="not found"):
        await stage.shim.start("a")
    await stage.shim.delete("a")
    assert not stage.end("a").done(), "what never ran has no end"


async def test_a_terminal_echoes_and_has_a_size(stage):
    out = await stage.create("a", "sh", tty=True, stdin=True)
    await stage.shim.start("a")
    await stage.shim.resize("a", 30, 100)
    out.sendall(b"stty size; exit\n")
    await asyncio.wait_for(stage.end("a"), 5)
    seen = b""
    while data := out.recv(1000):
        seen += data
    assert b"30 100\r\n" in seen and b"stty size" in seen


async def test_exec_has_its_own_streams_and_end(stage):
    await stage.create("a", "sleep", "60")
    await stage.shim.start("a")
    process = {**stage.config("a")["process"], "args": ["sh", "-c", "cat; exit 4"]}
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    await stage.shim.exec("a", "x1", process, open_stdin=True, attach=[Attachment(theirs, True, True, True)])
    ours.sendall(b"over")
    ours.shutdown(socket.SHUT_WR)
    assert await asyncio.wait_for(stage.end("a", "x1"), 5) == 4
    assert ours.recv(100)[8:] == b"over"
    with pytest.raises(RuntimeFailed, match="not found"):
        await stage.shim.exec("a", "x2", {**process, "args": ["nosuch"]}, open_stdin=False)


async def test_pause_stops_the_clock(stage):
    await stage.create("a", "sh", "-c", "while true; do echo tick; sleep 0.02; done")
    await stage.shim.start("a")
    await asyncio.sleep(0.2)
    await stage.shim.pause("a")
    await asyncio.sleep(0.05)
    before = len(stage.log("a"))
    assert before, "the control: it ticks while it is not paused"
    await asyncio.sleep(0.2)
    assert len(stage.log("a")) == before
    await stage.shim.resume("a")
    await asyncio.sleep(0.2)
    assert len(stage.log("a")) > before


async def test_a_signal_ends_it(stage):
    await stage.create("a", "sleep", "60")
    await stage.shim.start("a")
    await stage.shim.kill("a", signal.SIGKILL)
    assert await asyncio.wait_for(stage.end("a"), 5) == 137


async def test_a_new_engine_process_finds_all(stage):
    """The old connection breaks without a word, as after kill -9; the container goes on, and its log with it."""
    await stage.create("a", "sh", "-c", "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo $i; sleep 0.01; done; exit 5")
    await stage.shim.start("a")
    pid = (await stage.shim.list())[0]["pid"]
    stage.shim.close()
    await asyncio.sleep(0.1)
    await stage.connect()
    assert [(t["pid"], t["state"]) for t in await stage.shim.list()] == [(pid, "running")]
    assert await asyncio.wait_for(stage.end("a"), 5) == 5
    assert stage.log("a").split() == [str(n) for n in range(1, 41)]


async def test_an_end_in_between_is_written_down(stage):
    await stage.create("a", "sh", "-c", "sleep 0.1; exit 9")
    await stage.shim.start("a")
    stage.shim.close()
    await asyncio.sleep(0.4)
    await stage.connect()
    assert (await stage.shim.list())[0]["state"] == "exited"
    assert json.loads((stage.state / "containers/a/exit.json").read_text())["status"] == 9


async def test_it_ends_when_nobody_needs_it(stage):
    pid = int((stage.state / "shim.pid").read_text().split()[0])
    stage.shim.close()
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}") or "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]:
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail("the shim still runs")
    await stage.connect()


async def test_no_descriptor_is_lost(stage):
    pid = int((stage.state / "shim.pid").read_text().split()[0])

    async def once(key: str) -> None:
        out = await stage.create(key, "true")
        await stage.shim.start(key)
        await asyncio.wait_for(stage.end(key), 5)
        await stage.shim.delete(key)
        out.close()

    for n in range(3):
        await once(f"warm{n}")
    before = os.listdir(f"/proc/{pid}/fd")
    for n in range(20):
        await once(f"t{n}")
    assert len(os.listdir(f"/proc/{pid}/fd")) == len(before)


async def test_the_interpreter_is_out_of_reach(stage, tmp_path_factory):
    """CVE-2019-5736: a container whose program is the one that made it must not be able to write to it."""
    tree = bundle.tree(tmp_path_factory.mktemp("evil"))
    (tree / "entry").symlink_to("/proc/self/exe")
    stage.lower = tree
    await stage.create("a", "/entry", "-I", "-S", "-c", "import time; time.sleep(60)")
    with suppress(RuntimeFailed):  # its libraries may be missing in the image; what counts is what it may write
        await stage.shim.start("a")
    pid = int((stage.state / "shim.pid").read_text().split()[0])
    copy = os.readlink(f"/proc/{pid}/exe")
    assert copy.startswith("/memfd:labkit-python"), "the control: this is what the link in the image leads to"
    memory = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
    assert fcntl.fcntl(memory, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE, "sealed for good, whoever opens it"
    os.close(memory)
