"""Messages between engine and shim: one JSON object a packet, with file descriptors beside it.

    request  {"id": 7, "op": "start", "key": "4f2a…"}
    reply    {"id": 7, "ok": {…}}   or   {"id": 7, "error": "text", "errno": 2}
    event    {"event": "exit", "key": "4f2a…", "exec": null, "status": 0, "at": 1700000000.0}

A SOCK_SEQPACKET socket keeps the packets apart and in order; SCM_RIGHTS carries descriptors: unix(7).
"""

import json
import os
import socket
from array import array
from collections.abc import Sequence
from typing import Any

SIZE = 65536  # no packet is larger: what can grow (config.json) is passed as a file
FDS = 8
SOCKET_NAME = "shim.sock"


def send(sock: socket.socket, message: dict[str, Any], fds: Sequence[int] = (), flags: int = 0) -> None:
    """Send one message. BlockingIOError if the queue is full and `flags` has MSG_DONTWAIT."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))] if fds else []
    sock.sendmsg([json.dumps(message).encode()], rights, flags)


def receive(sock: socket.socket, flags: int = 0) -> tuple[dict[str, Any] | None, list[int]]:
    """Receive one message and its descriptors (close-on-exec); None at the end of the conversation."""
    # socket.recv_fds ignores its flags in Python 3.11, and without CLOEXEC each container would inherit our sockets
    data, rights, _, _ = sock.recvmsg(SIZE, socket.CMSG_LEN(FDS * 4), flags | socket.MSG_CMSG_CLOEXEC)
    fds = array("i")
    for _, _, content in rights:
        fds.frombytes(content[: len(content) - len(content) % 4])
    return (json.loads(data) if data else None), list(fds)


def address(state: str) -> tuple[int, str]:
    """A short name for STATE/shim.sock, whatever the folder's length: unix(7) allows 107 bytes. (descriptor, name)."""
    folder = os.open(state, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return folder, f"/proc/self/fd/{folder}/{SOCKET_NAME}"
