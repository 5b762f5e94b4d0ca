"""A door to the network that a rootless engine came from: a small process that stays there and makes sockets.

A socket belongs for ever to the network namespace in which it was made (network_namespaces(7)). So the helper makes
one, hands its descriptor over (SCM_RIGHTS, unix(7)), and the engine, inside, binds or connects it as if it were
outside. Nothing else can be asked of the helper. It ends with the engine.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
from typing import NoReturn

from labkit import linux

_REQUEST = struct.Struct("ii")  # family, type
FAMILIES = (socket.AF_INET, socket.AF_INET6)
KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)


class Outside:
    """The engine's end. To be made before the engine enters namespaces and before it has threads."""

    def __init__(self) -> None:
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        engine = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _live(theirs, engine)
        theirs.close()

    def socket(self, family: int, kind: int) -> socket.socket:
        """A socket outside: AF_INET or AF_INET6, SOCK_STREAM or SOCK_DGRAM. Raises OSError."""
        self._sock.send(_REQUEST.pack(family, kind))
        said, fds, _, _ = socket.recv_fds(self._sock, 64, 1)
        if not fds:
            code = int(said or b"0")
            raise OSError(code, f"the helper outside could not make a socket: {os.strerror(code)}")
        return socket.socket(fileno=fds[0])

    def close(self) -> None:
        """Let the helper end."""
        self._sock.close()
        os.waitpid(self.pid, 0)


def _live(sock: socket.socket, engine: int) -> NoReturn:
    """The helper's whole life: keep nothing of the engine's, make sockets, end when nobody can ask any more."""
    try:
        _forget_all_but(sock.fileno())
        for signum in (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
        ):  # a Ctrl-C means the engine, which needs us to end
            signal.signal(signum, signal.SIG_IGN)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == engine:
            _serve(sock)
    finally:
        os._exit(0)


def _forget_all_but(kept: int) -> None:
    """Close every other descriptor. One of them is the lock on the state, another the pipe of whoever started us."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if kept > 3:
        linux.close_range(3, kept - 1)
    linux.close_range(kept + 1, 0xFFFFFFFF)


def _serve(sock: socket.socket) -> None:
    while request := sock.recv(_REQUEST.size):
        family, kind = _REQUEST.unpack(request)
        try:
            if family not in FAMILIES or kind not in KINDS:
                raise OSError(22, "only TCP and UDP")
            with socket.socket(family, kind) as made:
                socket.send_fds(sock, [b"ok"], [made.fileno()])
        except OSError as refused:
            sock.send(str(refused.errno or 5).encode())
