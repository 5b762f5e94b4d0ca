"""The shim's end of the conversation: it listens for an engine process, takes requests, sends replies and events."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from labkit.engine.shim import protocol
from labkit.engine.shim.loop import READ, Loop

Message = dict[str, Any]


class Peer:
    """The one engine process that is connected, or none for a while; a newer one takes an older one's place."""

    def __init__(self, loop: Loop, state: str, request: Callable[[Message, list[int]], None]) -> None:
        self.loop, self.request = loop, request
        self.left: Callable[[], None] = lambda: None  # called when an engine process has gone
        self.connection: socket.socket | None = None
        self.unsent: list[Message] = []
        self.listener = self._listen(state)

    def _listen(self, state: str) -> socket.socket:
        folder, address = protocol.address(state)
        with suppress(FileNotFoundError):
            os.unlink(protocol.SOCKET_NAME, dir_fd=folder)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(address)
        os.close(folder)
        listener.listen(4)
        self.loop.watch(listener.fileno(), READ, lambda events: self._accept())
        return listener

    def _accept(self) -> None:
        try:
            newer, _ = self.listener.accept()
        except OSError:  # no descriptor is free: leave it in the queue for a while, and let the containers live
            self.loop.forget(self.listener.fileno())
            self.loop.later(0.1, lambda: self.loop.watch(self.listener.fileno(), READ, lambda events: self._accept()))
            return
        if self.connection:
            self._drop()
        self.connection = newer
        newer.setblocking(False)
        self.loop.watch(newer.fileno(), READ, lambda events: self._readable())

    def _drop(self) -> None:
        if self.connection:
            self.loop.forget(self.connection.fileno())
            self.connection.close()
        self.connection = None
        self.unsent.clear()  # the next engine process learns all by `list` and by the exit files

    def _hang_up(self) -> None:
        self._drop()
        self.left()

    def _readable(self) -> None:
        assert self.connection
        try:
            message, fds = protocol.receive(self.connection)
        except BlockingIOError:
            return
        except OSError:
            message, fds = None, []
        if message is None:
            self._hang_up()
        else:
            self.request(message, fds)

    def send(self, message: Message) -> None:
        """Send now, or as soon as there is room; to nobody if nobody is there."""
        if self.connection:
            self.unsent.append(message)
            if len(self.unsent) == 1:
                self._send_rest()

    def _send_rest(self) -> None:
        while self.connection and self.unsent:
            try:
                protocol.send(self.connection, self.unsent[0])
            except BlockingIOError:
                self.loop.later(0.005, self._send_rest)
                return
            except OSError:
                self._hang_up()
                return
            self.unsent.pop(0)
