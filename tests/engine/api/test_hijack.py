"""A hijacked connection against a "container" that is only the other end of a socket pair."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import web

from labkit.engine.api.detach import DEFAULT, DetachKeys, parse_keys
from labkit.engine.api.hijack import CHUNK, content_type, hijack
from labkit.engine.api.request import Request
from labkit.engine.errors import BadParameter
from tests.engine.api.harness import UPGRADE, Client, serving


class Attached:
    """A handler that attaches every client to one socket pair, and remembers how it ended."""

    def __init__(self, *, stdin: bool = True, detach: DetachKeys | None = None) -> None:
        self.ours, self.container = socket.socketpair()
        self.container.setblocking(False)
        self.options = {"stdin": stdin, "detach": detach}
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self, request: Request) -> web.StreamResponse:
        await request.json()
        duplex = await hijack(request, tty=False)
        self.end.set_result(await duplex.relay(self.ours, **self.options))
        return duplex.response

    async def read(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.container, CHUNK)

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.container, data)


async def test_both_ways_with_a_half_close(tmp_path: Path) -> None:
    attached = Attached()
    async with serving(tmp_path, attached) as path:
        client = await Client.connect(path)
        status, headers = await client.ask("POST", "/attach", UPGRADE)
        assert (status, headers["upgrade"]) == (101, "tcp")
        assert headers["content-type"] == "application/vnd.docker.multiplexed-stream"
        client.writer.write(b"typed")
        assert await attached.read() == b"typed"
        client.writer.write_eof()
        assert await attached.read() == b""  # the container sees the end of its stdin ...
        await attached.write(b"and still answers")
        assert await client.reader.readexactly(17) == b"and still answers"
        attached.container.close()
        assert await client.reader.read() == b""
        assert await attached.end == "end"


async def test_without_upgrade_the_answer_is_200_and_raw(tmp_path: Path) -> None:
    attached = Attached()
    async with serving(tmp_path, attached) as path:
        client = await Client.connect(path)
        status, headers = await client.ask("POST", "/attach")
        assert (status, headers["content-type"]) == (200, "application/vnd.docker.raw-stream")
        await attached.write(b"bytes")
        attached.container.close()
        assert await client.reader.read() == b"bytes"


async def test_an_exec_start_has_a_body(tmp_path: Path) -> None:
    attached = Attached()
    async with serving(tmp_path, attached) as path:
        client = await Client.connect(path)
        head = UPGRADE | {"Content-Type": "application/json"}
        assert (await client.ask("POST", "/exec/1/start", head, b'{"Detach":false}'))[0] == 101
        client.writer.write(b"typed")
        assert await attached.read() == b"typed"
        attached.container.close()


async def test_the_first_byte_waits_until_the_head_is_taken(tmp_path: Path) -> None:
    attached = Attached()
    await attached.write(b"early output")
    async with serving(tmp_path, attached) as path:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.setblocking(False)
            await loop.sock_connect(client, str(path))
            await loop.sock_sendall(
                client, b"POST /attach HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            )
            await asyncio.sleep(0.1)
            head = await loop.sock_recv(client, CHUNK)
            assert head.endswith(b"\r\n\r\n"), "the head alone, though the output has been there all the time"
            assert await loop.sock_recv(client, CHUNK) == b"early output"
        attached.container.close()


async def test_typed_bytes_arrive_though_the_client_has_left(tmp_path: Path) -> None:
    attached = Attached()
    async with serving(tmp_path, attached) as path:
        client = await Client.connect(path)
        await client.ask("POST", "/attach", UPGRADE)
        client.writer.write(b"last words")
        client.close()
        assert await attached.read() == b"last words"
        assert await asyncio.wait_for(attached.end, 5) == "gone"
        assert await attached.read() == b""


async def test_a_silent_client_that_leaves_is_noticed(tmp_path: Path) -> None:
    attached = Attached()
    async with serving(tmp_path, attached) as path:
        client = await Client.connect(path)
        await client.ask("POST", "/attach", UPGRADE)
        client.writer.write_eof()
        assert await attached.read() == b""
        assert not attached.end.done()  # a half-close is not the end
        client.close()
        assert await asyncio.wait_for(attached.end, 5) == "gone"


async def test_a_client_that_does_not_read_slows_the_container_down(tmp_path: Path) -> None:
    attached = Attached()
    async with serving(tmp_path, attached) as path:
        client = await Client.connect(path)
        await client.ask("POST", "/attach", UPGRADE)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 64 << 20:
                await asyncio.wait_for(attached.write(b"x" * CHUNK), 0.3)
                sent += CHUNK
        assert sent < 4 << 20
        client.close()


async def test_detach_keys_end_the_connection_and_not_the_container(tmp_path: Path) -> None:
    attached = Attached(detach=DetachKeys())
    async with serving(tmp_path, attached) as path:
        client = await Client.connect(path)
        await client.ask("POST", "/attach", UPGRADE)
        client.writer.write(b"ls\n\x10")
        assert await attached.read() == b"ls\n"
        client.writer.write(b"\x11")
        assert await client.reader.read() == b""
        assert await attached.end == "detached"


async def test_without_stdin_what_is_typed_goes_nowhere(tmp_path: Path) -> None:
    attached = Attached(stdin=False)
    async with serving(tmp_path, attached) as path:
        client = await Client.connect(path)
        await client.ask("POST", "/attach", UPGRADE)
        client.writer.write(b"typed")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(attached.read(), 0.05)
        attached.container.close()


@pytest.mark.parametrize(
    ("version", "tty", "expected"),
    [((1, 41), False, "raw"), ((1, 42), False, "multiplexed"), ((1, 42), True, "raw"), ((1, 41), True, "raw")],
)
def test_content_type(version: tuple[int, int], tty: bool, expected: str) -> None:
    assert content_type(version, tty) == f"application/vnd.docker.{expected}-stream"


@pytest.mark.parametrize(
    ("text", "keys"),
    [("", DEFAULT), ("ctrl-p,ctrl-q", b"\x10\x11"), ("ctrl-x,a,@", b"\x18a@"), ("ctrl-@", b"\0"), ("ctrl-_", b"\x1f")],
)
def test_detach_keys_as_docker_writes_them(text: str, keys: bytes) -> None:
    assert parse_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-1", "ab", "ctrl-", "a,,b", "é"])
def test_detach_keys_that_are_none(text: str) -> None:
    with pytest.raises(BadParameter):
        parse_keys(text)


def test_half_typed_keys_are_held_back_then_let_go() -> None:
    keys = DetachKeys(b"aab")
    assert keys.feed(b"xa") == b"x"
    assert keys.feed(b"a") == b""
    assert keys.feed(b"a") == b"a"  # aaa: the first is no beginning any more, the last two are
    assert keys.feed(b"c") == b"aac"
    assert (keys.feed(b"yaabz"), keys.found) == (b"y", True)
