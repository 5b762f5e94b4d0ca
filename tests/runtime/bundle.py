"""A bundle to run in tests: the busybox tree in a folder, and an OCI config made as the engine makes it."""

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from labkit.engine.containers.spec import Identity, Surroundings, oci_config
from tests import busybox

# Python 3.12 wants a word on whom to trust; Debian 12's 3.11.2 does not know the question
TRUSTED: Any = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: the kernel makes namespaces for root only (rootless is tested through the engine)")


def tree(folder: Path) -> Path:
    """Unpack the busybox image into a folder."""
    with tarfile.open(fileobj=io.BytesIO(busybox.archive())) as tar:
        tar.extractall(folder, **TRUSTED)
    return folder


def overlay(lower: Path, scratch: Path) -> tuple[str, list[dict[str, Any]]]:
    """(root.path, rootfs mounts) of a read-write layer in `scratch` over `lower`."""
    upper, work, merged = (scratch / name for name in ("upper", "work", "merged"))
    for folder in (upper, work, merged):
        folder.mkdir(parents=True)
    options = [f"lowerdir={lower}", f"upperdir={upper}", f"workdir={work}"]
    return str(merged), [{"destination": "/", "type": "overlay", "source": "overlay", "options": options}]


def config(merged: str, *command: str, key: str = "test", host: dict[str, Any] | None = None, **more: Any) -> Any:
    """The OCI config of a container that runs a command."""
    asked = {"Cmd": list(command), "Env": ["PATH=/bin"], "Hostname": "inside", **more}
    return oci_config(asked, host or {}, Identity(), Surroundings(key, merged))
