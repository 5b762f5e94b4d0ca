"""A server with a handler of the test's own, and a client that speaks HTTP by hand, so that a test sees every byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from labkit.engine.api.request import Request
from labkit.engine.api.server import NEWEST, Server, listen

Handler = Callable[[Request], Awaitable[web.StreamResponse]]

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}


@asynccontextmanager
async def serving(folder: Path, handler: Handler, version: tuple[int, int] = NEWEST) -> AsyncIterator[Path]:
    """Serve `handler` for every path, on a socket in `folder`."""

    async def answer(http: web.BaseRequest) -> web.StreamResponse:
        return await handler(Request(http, version, {}))

    runner = web.ServerRunner(Server(answer, access_log=None, auto_decompress=False), shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listen(folder / "s")).start()
    try:
        yield folder / "s"
    finally:
        await runner.cleanup()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, path: Path) -> Client:
        return cls(*await asyncio.open_unix_connection(str(path)))

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, dict[str, str]]:
        """Send a request, read the head of the answer: its status and its headers, names in small letters."""
        fields = {"Host": "docker", **(headers or {})}
        if body:
            fields.setdefault("Content-Length", str(len(body)))
        head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self.writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return int(status.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}

    async def body(self, headers: dict[str, str]) -> bytes:
        """The whole body of the answer whose headers were read."""
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.readexactly(int(headers.get("content-length", 0)))
        whole = b""
        while chunk := await self.chunk():
            whole += chunk
        return whole

    async def chunk(self) -> bytes:
        """The next piece of a chunked body; empty at its end."""
        size = int(await self.reader.readline(), 16)
        data = await self.reader.readexactly(size + 2)
        return data[:-2]

    def close(self) -> None:
        self.writer.close()
