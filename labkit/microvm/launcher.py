"""The process that has a machine: `python -m labkit.microvm --socket PATH --state DIR`, as if it were the engine.

From outside it looks like one: the same socket, of mode 0600, the same lock and engine.json. What is behind is told
by the name of the kind in engine.json. It ends on SIGTERM, when the machine ends, or when nobody holds it any more:
whoever connects to `hold.sock` beside the engine's socket holds it as long as he keeps that connection, and the kernel
closes it for him when he dies. The first to let go of the last hold ends the machine.
"""

import argparse
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from labkit.engine.errors import StateError
from labkit.engine.state import State, default_run, default_socket, default_state
from labkit.errors import EngineNotStarted
from labkit.microvm import boot
from labkit.microvm.guest import default_files
from labkit.microvm.kinds import KINDS
from labkit.microvm.mux import ProtocolError
from labkit.microvm.relay import ChannelClosed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a machine until told to stop. The exit status: 0, or 1 when it could not start or broke down."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        state = State.at(options.state, default_run(options.state))
        state.lock()
        kinds = [kind for kind in KINDS if options.kind in ("", kind.name)]
        guest = boot.boot(kinds, options.files, _to_log, options.share)
    except (EngineNotStarted, StateError, OSError) as error:
        print(f"the machine cannot start: {error}", file=sys.stderr, flush=True)
        return 1
    with contextlib.closing(_Ending(guest)):
        return serve(guest, state, options)


class _Ending:
    def __init__(self, guest: boot.Guest) -> None:
        self.close = guest.end


def _leave(signum: int, frame: object) -> NoReturn:
    raise SystemExit(0)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m labkit.microvm", description="The engine, in a virtual machine.")
    parser.add_argument("--state", type=_absolute, default=default_state(), help="folder for its files")
    parser.add_argument("--socket", type=_absolute, default=default_socket(), help="unix socket to listen on")
    parser.add_argument("--files", type=_absolute, default=default_files(), help="the guest's files")
    parser.add_argument("--kind", choices=[kind.name for kind in KINDS], default="", help="try only this kind")
    parser.add_argument("--share", default="", help="a folder that the guest may write to")
    parser.add_argument("--held", action="store_true", help="end when the last connection to hold.sock ends")
    return parser.parse_args(arguments)


def _absolute(path: str) -> Path:
    return Path(path).absolute()


def _to_log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def serve(guest: boot.Guest, state: State, options: argparse.Namespace) -> int:
    """Carry the engine's socket until the machine ends."""
    options.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    guest.relay.listen(private_listener(options.socket), "engine")
    state.write_engine(id=state.id(), socket=str(options.socket), machine=guest.kind.name)
    print("ready", flush=True)
    try:
        while True:
            guest.relay.turn()
    except (ChannelClosed, ProtocolError) as error:
        print(f"the machine ended: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        with contextlib.suppress(OSError):
            options.socket.unlink()


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
