"""A small image for tests, made without a network: the machine's static busybox, a link for each of its applets.

The archive is the same on each call (no times, sorted names), so its layer has the same digest on every engine.
"""

import io
import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tests.backends import backend_missing

BUSYBOX = Path("/bin/busybox")
FOLDERS = {  # path: (mode, uid)
    "bin": (0o755, 0),
    "dev": (0o755, 0),
    "etc": (0o755, 0),
    "proc": (0o755, 0),
    "root": (0o700, 0),
    "sys": (0o755, 0),
    "tmp": (0o1777, 0),
    "var": (0o755, 0),
    "var/opt": (0o755, 0),
    "home": (0o755, 0),
    "home/postgres": (0o755, 70),
}
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70:Postgres:/home/postgres:/bin/sh\n",
    "etc/group": "root:x:0:\npostgres:x:70:\nstaff:x:50:postgres\n",
    "etc/motd": "hello from the image\n",
}


def archive() -> bytes:
    """The file tree as a tar, ready for `docker import`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, (mode, uid) in FOLDERS.items():
            tar.addfile(entry(name, type=tarfile.DIRTYPE, mode=mode, uid=uid, gid=uid))
        for name, text in FILES.items():
            add_file(tar, name, text.encode())
        add_file(tar, "bin/busybox", BUSYBOX.read_bytes(), mode=0o755)
        for applet in applets():
            tar.addfile(entry(f"bin/{applet}", type=tarfile.SYMTYPE, linkname="busybox"))
    return buffer.getvalue()


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    tar.addfile(entry(name, size=len(content), mode=mode), io.BytesIO(content))


def applets() -> list[str]:
    """Every command that this busybox can be called as; the machine must have a static one."""
    if not os.access(BUSYBOX, os.X_OK):
        backend_missing("busybox", "apt-get install busybox-static")
    listed = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True, timeout=10).stdout
    return sorted(set(listed.split()) - {"busybox"})


def import_image(client, repository: str, tag: str = "latest", changes: Sequence[str] = ()) -> str:
    """Import the tree as `repository:tag` and return that name."""
    client.api.import_image_from_data(archive(), repository=repository, tag=tag, changes=list(changes))
    return f"{repository}:{tag}"
