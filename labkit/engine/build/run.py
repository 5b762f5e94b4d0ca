"""The containers of a build: one for each step, made and started by the same code as any other.

RUN starts its container and hands its output on while it runs. The other steps only make one, to have something to
commit. A container goes when its step went well (`rm`), stays for a look when it failed unless that is not wanted
(`forcerm`), and goes in any case when the client has left.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.engine import crash
from labkit.engine.build.progress import Tell
from labkit.engine.containers import create, remove, start
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError
from labkit.engine.images.image import Image, short_id
from labkit.engine.shim.client import Attachment

if TYPE_CHECKING:
    from labkit.engine.build.options import Options
    from labkit.engine.engine import Engine

Json = dict[str, Any]

STDERR = 2
RED, PLAIN = "\x1b[91m", "\x1b[0m"
"""How a terminal is told to show stderr in red: ECMA-48, SGR."""


class CommandFailed(ApiError):
    """The command of a RUN ended with another exit code than 0."""

    def __init__(self, command: Sequence[str], code: int) -> None:
        super().__init__(f"The command '{' '.join(command)}' returned a non-zero code: {code}")
        self.code = code


def body(image: Image, command: Sequence[str], config: Mapping[str, Any], host: Mapping[str, Any]) -> Json:
    """The request for a step's container; the image's own entrypoint and health check stay out of it."""
    return {
        "Image": image.id,
        "Cmd": list(command),
        "Entrypoint": [""],
        "Env": config.get("Env") or [],
        "User": config.get("User") or "",
        "WorkingDir": config.get("WorkingDir") or "",
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": dict(host),
    }


@contextlib.asynccontextmanager
async def container(
    engine: Engine, options: Options, tell: Tell, image: Image, asked: Json
) -> AsyncIterator[Container]:
    """A container for one step."""
    made, _ = create.create_on(engine, asked, image, building=True)
    crash.at("build: container made")
    unwanted = True
    try:
        await tell(stream(f" ---> Running in {short_id(made.id)}\n"))
        yield made
        unwanted = options.remove
    except Exception:
        unwanted = options.force_remove
        raise
    finally:
        if unwanted:
            await remove.remove(engine, made, force=True, volumes=True)
            await tell(stream(f"Removing intermediate container {short_id(made.id)}\n"))
        else:
            made.building = False
            engine.containers.try_save(made)


async def output(engine: Engine, made: Container, tell: Tell) -> int:
    """Start a container and pass its output on until it ends; its exit code. Raises ApiError if it does not start."""
    await create.furnish(engine, made)
    ours, other = socket.socketpair()
    theirs = Attachment(other, stdin=False, stdout=True, stderr=True)
    made.attaching.append(theirs)
    ended = made.waiters.add("next-exit")
    try:
        await start.start(engine, made)
        await _relay(ours, tell)
        return await ended
    finally:
        ended.cancel()
        ours.close()
        if theirs in made.attaching:  # it was not handed over: the start failed early
            made.attaching.remove(theirs)
            theirs.sock.close()


async def _relay(sock: socket.socket, tell: Tell) -> None:
    """Read Docker's frames to the end, and tell each as text."""
    decoders = {number: codecs.getincrementaldecoder("utf-8")("replace") for number in (1, STDERR)}
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        while True:
            kind, size = struct.unpack(">BxxxI", await reader.readexactly(8))
            text = decoders[kind].decode(await reader.readexactly(size))
            if text:
                await tell(stream(f"{RED}{text}{PLAIN}" if kind == STDERR else text))
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


def stream(text: str) -> Json:
    """One line of a build's progress."""
    return {"stream": text}
