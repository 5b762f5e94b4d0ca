"""Published ports of an engine in a guest: the guest asks, the host listens.

The engine publishes a port by binding a socket. Here such a socket first asks the host, over the channel, for the same
port on the host's 127.0.0.1; only when the host has it, it is bound in the guest. So a port that is taken outside is
refused in `docker run`, as it should be. The request lives as long as the socket: however that is closed, the host's
listener goes with it.

A request is a line `FAMILY PORT`, 4 or 6 and a number, 0 for any; the answer is the port, or `!` and an errno.
Left out: UDP, which stays inside the guest, and every address of the host but loopback.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from labkit.microvm.relay import Relay

GUEST_SOCKET = "/run/labkit/ports.sock"
TARGET = "ports"
FAMILIES = {socket.AF_INET: ("4", "127.0.0.1"), socket.AF_INET6: ("6", "::1")}
ADDRESSES = {word: (family, address) for family, (word, address) in FAMILIES.items()}
ANSWER_SECONDS = 10
LONGEST = 64  # bytes of a request or an answer


# --- GUEST side ----------------------------------------------------------------------------------------------------


class PublishedSocket(socket.socket):
    """A socket that is bound here and outside."""

    _request: socket.socket | None = None

    def bind(self, address: Any) -> None:
        """Bind to the port that the host gives; raises the host's OSError."""
        self._request = socket.socket(socket.AF_UNIX)
        try:
            port = ask(self._request, socket.AddressFamily(self.family), address[1])
            super().bind((address[0], port, *address[2:]))
        except OSError:
            self._request.close()
            raise

    def close(self) -> None:
        if self._request is not None:
            self._request.close()
        super().close()


def make_socket(family: int, kind: int) -> socket.socket:
    """What the engine's networks make their sockets with."""
    return PublishedSocket(family, kind) if kind == socket.SOCK_STREAM else socket.socket(family, kind)


def ask(request: socket.socket, family: socket.AddressFamily, port: int, relay: str = GUEST_SOCKET) -> int:
    """Ask the host for a port, 0 for any; raises OSError with the host's errno."""
    request.settimeout(ANSWER_SECONDS)
    request.connect(relay)
    request.sendall(f"{FAMILIES[family][0]} {port}\n".encode())
    answer = request.recv(LONGEST).decode().strip() or f"!{errno.ECONNRESET}"
    if answer.startswith("!"):
        raise OSError(int(answer[1:]), os.strerror(int(answer[1:])))
    return int(answer)


# --- HOST side -----------------------------------------------------------------------------------------------------


class Publisher:
    """The listeners on the host, one for each request that is open."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def requested(self) -> socket.socket:
        """The relay's end of a new request; ours waits for its line."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._relay.watch(ours.fileno(), lambda: self._read(ours))
        return theirs

    def _read(self, request: socket.socket) -> None:
        self._relay.ignore(request.fileno())
        try:
            listener = open_listener(request.recv(LONGEST).decode(errors="replace"))
        except OSError as refused:
            self._answer(request, f"!{refused.errno}")
            request.close()
            return
        port = listener.getsockname()[1]
        self._relay.listen(listener, f"tcp:{port}")
        self._relay.watch(request.fileno(), self._withdrawal(request, listener))
        self._answer(request, str(port))

    def _withdrawal(self, request: socket.socket, listener: socket.socket) -> Callable[[], None]:
        def withdraw() -> None:
            """Nothing more is ever said: what can be read is the end."""
            for sock in (request, listener):
                self._relay.ignore(sock.fileno())
                sock.close()

        return withdraw

    def _answer(self, request: socket.socket, line: str) -> None:
        with contextlib.suppress(OSError):  # the engine has given up meanwhile
            request.sendall(f"{line}\n".encode())


def open_listener(line: str) -> socket.socket:
    """A listening socket on loopback for a request's line; raises OSError (EINVAL for a line that is no request)."""
    word, _, number = line.strip().partition(" ")
    if word not in ADDRESSES or not number.isdecimal() or int(number) > 65535:
        raise OSError(errno.EINVAL, "not a request for a port")
    family, address = ADDRESSES[word]
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a port rests a minute after its use
        listener.bind((address, int(number)))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
