"""Debian's docker-registry (the CNCF's "distribution"), started for a test on a free port of this machine."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.backends import program

PASSWORDS = "learner:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"  # htpasswd -nbB learner secret
READY_SECONDS = 10

CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
LOGIN = "auth: {{htpasswd: {{realm: course, path: {folder}/passwords}}}}\n"


@contextlib.contextmanager
def running(folder: Path, *, login: bool = False) -> Iterator[str]:
    """The registry's `host:port`; it ends with the block. With `login` it wants learner and secret."""
    binary = program("docker-registry", "registry", "apt-get install docker-registry")
    port = free_port()
    config = (CONFIG + (LOGIN if login else "")).format(folder=folder, port=port)
    (folder / "config.yml").write_text(config)
    (folder / "passwords").write_text(PASSWORDS)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        wait_for(port, process, folder / "log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    """Until somebody listens on the port."""
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"docker-registry did not get ready; its log:\n{log.read_text()[-2000:]}")
