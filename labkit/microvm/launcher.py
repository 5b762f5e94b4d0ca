"""The process that has a machine: `python -m labkit.microvm --socket PATH --state DIR`, as if it were the engine.

From outside it looks like one: the same socket, of mode 0600, the same lock and engine.json. What is behind is told
by the name of the kind in engine.json. It ends on SIGTERM, when the machine ends, and, if it was started for somebody
(`--held-by`), when nobody holds it any more. Whoever connects to `hold.sock` beside the engine's socket holds it as
long as that connection is open; when he is killed, the kernel closes it for him. While nobody asks for anything the
machine is stopped, see idle.py.
"""

import argparse
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from labkit.engine.errors import StateError
from labkit.engine.state import State, default_run, default_socket, default_state
from labkit.errors import EngineNotStarted
from labkit.microvm import boot
from labkit.microvm.channel import ChannelClosed
from labkit.microvm.guest import default_files
from labkit.microvm.idle import SECONDS, Idle
from labkit.microvm.kinds import KINDS
from labkit.microvm.mux import ProtocolError

HOLD = "hold.sock"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a machine until told to stop. The exit status: 0, or 1 when it could not start or broke down."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        state = State.at(options.state, default_run(options.state))
        state.lock()
        kinds = [kind for kind in KINDS if options.kind in ("", kind.name)]
        holders = Holders(options.held_by)
        guest = boot.boot(kinds, options.files, _to_log, holders.join, options.share)
    except (EngineNotStarted, StateError, OSError) as error:
        said = error.said if isinstance(error, EngineNotStarted) else error
        print(f"the machine cannot start: {said}", file=sys.stderr, flush=True)
        return 1
    try:
        return serve(guest, holders, state, options)
    finally:
        guest.end()


def _leave(signum: int, frame: object) -> NoReturn:
    raise SystemExit(0)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m labkit.microvm", description="The engine, in a virtual machine.")
    parser.add_argument("--state", type=_absolute, default=default_state(), help="folder for its files")
    parser.add_argument("--socket", type=_absolute, default=default_socket(), help="unix socket to listen on")
    parser.add_argument("--files", type=_absolute, default=default_files(), help="the guest's files")
    kind = os.environ.get("LABKIT_VM_KIND", "")
    parser.add_argument("--kind", choices=[kind.name for kind in KINDS], default=kind, help="try only this kind")
    share = tempfile.gettempdir()
    parser.add_argument("--share", default=share, help="a folder for bind mounts that containers may write to")
    parser.add_argument("--idle", type=float, default=SECONDS, help="seconds without a request until it is stopped")
    parser.add_argument("--held-by", type=int, metavar="FD", help="a socket: end when this and all of hold.sock end")
    return parser.parse_args(arguments)


def _absolute(path: str) -> Path:
    return Path(path).absolute()


def _to_log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Holders:
    """Those for whose sake the machine runs: each an open connection."""

    def __init__(self, first: int | None) -> None:
        self._held = {socket.socket(fileno=first)} if first is not None else set()

    def join(self, guest: boot.Guest) -> None:
        """Notice in the guest's loop when a holder leaves."""
        for holder in self._held:
            self._watch(guest, holder)

    def listen(self, guest: boot.Guest, listener: socket.socket) -> None:
        def accept() -> None:
            holder = listener.accept()[0]
            self._held.add(holder)
            self._watch(guest, holder)

        guest.relay.watch(listener.fileno(), accept)

    def _watch(self, guest: boot.Guest, holder: socket.socket) -> None:
        def leave() -> None:
            """Nobody ever writes: what can be read is the end."""
            guest.relay.ignore(holder.fileno())
            holder.close()
            self._held.discard(holder)
            if not self._held:
                raise SystemExit(0)

        guest.relay.watch(holder.fileno(), leave)


def serve(guest: boot.Guest, holders: Holders, state: State, options: argparse.Namespace) -> int:
    """Carry the engine's socket until the machine ends."""
    options.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    guest.relay.listen(private_listener(options.socket), "engine", head_length)
    if options.held_by is not None:
        holders.listen(guest, private_listener(options.socket.with_name(HOLD)))
    state.write_engine(id=state.id(), socket=str(options.socket), machine=guest.kind.name)
    print("ready", flush=True)
    heart, idle = boot.Heartbeat(guest), Idle(guest, options.idle)
    try:
        while True:
            guest.relay.turn(min(boot.BEAT, idle.patience))
            idle.check()
            heart.check()
    except (ChannelClosed, ProtocolError) as error:
        print(f"the machine ended: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        for path in (options.socket, options.socket.with_name(HOLD)):
            path.unlink(missing_ok=True)


def head_length(piece: bytes) -> int:
    """How long the head is, where an answer begins that goes on as a plain stream (Docker Engine API, "Attach")."""
    head, blank, _ = piece.partition(b"\r\n\r\n")
    becomes_stream = head.startswith(b"HTTP/1.1 ") and b"vnd.docker." in head
    return len(head + blank) if becomes_stream and blank else 0


def private_listener(path: Path) -> socket.socket:
    """A listening unix socket of mode 0600; the mode comes with bind(2), a chmod would leave a moment for others."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(128)
    return listener
