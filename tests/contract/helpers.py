"""Small tools that the contract tests share: waiting with a limit, threads with a result, tars, frames."""

import io
import queue
import secrets
import tarfile
import threading
import time
from collections.abc import Callable

from docker.utils.socket import frames_iter

# A main process that ends at once on SIGTERM. Process 1 of a pid namespace has no default actions for signals
# (pid_namespaces(7)): without the trap nothing but SIGKILL would end it.
OBEDIENT = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]
STUBBORN = ["sleep", "600"]


def unique(prefix: str = "lk") -> str:
    """A name that no other session uses on a shared engine."""
    return f"{prefix}-{secrets.token_hex(4)}"


def eventually(condition: Callable[[], object], seconds: float = 10) -> object:
    """The first true value of `condition`, asked again and again for so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still not true after {seconds} s"
        time.sleep(0.05)
    return value


class Background:
    """A call in a thread; `result` waits for it, with a limit, and raises what it raised."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._answers: queue.Queue = queue.Queue()
        threading.Thread(target=self._run, args=[call], daemon=True).start()

    def _run(self, call: Callable[[], object]) -> None:
        try:
            self._answers.put((call(), None))
        except Exception as error:
            self._answers.put((None, error))

    def result(self, seconds: float = 20) -> object:
        value, error = self._answers.get(timeout=seconds)
        if error:
            raise error
        return value


def tar_of(files: dict[str, bytes], mode: int = 0o644, uid: int = 0) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.mtime = len(content), mode, uid, 1_000_000_000
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def open_tar(chunks) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(b"".join(chunks)))


def output(container) -> str:
    """All that the container has printed."""
    return container.logs().decode()


def read_frames(sock, tty: bool = False, seconds: float = 20) -> dict[int, bytes]:
    """Read a hijacked stream to its end: {1: stdout, 2: stderr}."""
    sock._sock.settimeout(seconds)
    streams: dict[int, bytes] = {}
    for stream, data in frames_iter(sock, tty):
        streams[stream] = streams.get(stream, b"") + data
    return streams


def read_until(sock, wanted: bytes, seconds: float = 20) -> bytes:
    """Read raw bytes of a hijacked stream until `wanted` was among them."""
    sock._sock.settimeout(seconds)
    seen = b""
    while wanted not in seen:
        data = sock._sock.recv(4096)
        assert data, f"the stream ended before {wanted!r}; seen: {seen!r}"
        seen += data
    return seen
