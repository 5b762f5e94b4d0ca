"""The graph driver for where overlay is refused: each layer and each container is a full copy of what is below.

Slow to create and large on disk, but it needs no mount at all: an old kernel, or a state folder that is itself on
an overlay (an engine inside a container), still runs. Docker has the same driver under the same name.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labkit.engine.images import beneath
from labkit.engine.images.changes import Kind, Tree, changes
from labkit.engine.images.copying import copy_content
from labkit.engine.images.extract import Extracted, extract
from labkit.engine.images.layers import GraphDriver
from labkit.engine.images.mountpoints import make_mount_points
from labkit.engine.images.tarstream import Readable

if TYPE_CHECKING:
    from labkit.engine.images.image import Image


class VfsDriver(GraphDriver):
    """Layers as full copies. `diff` holds everything that a container sees, not only what differs."""

    name: ClassVar[str] = "vfs"

    def rootfs(self, container_id: str) -> list[dict[str, Any]]:
        source = str(self._diff(container_id))
        return [{"destination": "/", "type": "bind", "source": source, "options": ["rbind", "rw"]}]

    def data(self, container_id: str) -> dict[str, str]:
        return {}

    def image_data(self, image: Image) -> dict[str, str]:
        return {}

    @contextlib.contextmanager
    def opened(self, container_id: str) -> Iterator[int]:
        with beneath.opened_folder(self._diff(container_id)) as fd:
            yield fd

    def size(self, container_id: str) -> int:
        seen: dict[int, int] = {}
        with self._tree(container_id) as tree:
            for path, kind in changes(tree):
                there = beneath.lstat(tree.upper, path.lstrip("/")) if kind is not Kind.DELETED else None
                if there and not stat.S_ISDIR(there.st_mode):
                    seen[there.st_ino] = there.st_size
        return sum(seen.values())

    def _new_diff(self, folder: Path, parent: str) -> Path:
        diff = super()._new_diff(folder, parent)
        if parent:
            copy_tree(self._diff(parent), diff)
        return diff

    def _unpack(self, archive: Readable, root: int) -> Extracted:
        return extract(archive, root, layer=True, apply_deletes=True)

    def _new_container(self, folder: Path, init: str) -> None:
        self._new_diff(folder, init)
        (folder / "merged").mkdir(mode=0o700)

    def _fill_init(self, folder: Path, layers: Sequence[str]) -> None:
        with beneath.opened_folder(self._new_diff(folder, layers[-1] if layers else "")) as root:
            make_mount_points(root)

    @contextlib.contextmanager
    def _tree(self, container_id: str) -> Iterator[Tree]:
        init = self._diff(self._record(container_id)["init"])
        with beneath.opened_folder(init) as below, beneath.opened_folder(self._diff(container_id)) as upper:
            yield Tree(upper, [below], complete=True)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder's content, with owners, modes, links and attributes."""
    with beneath.opened_folder(source) as old, beneath.opened_folder(target) as new:
        copy_content(old, new)
