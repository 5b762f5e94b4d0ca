"""The graph driver: where layers lie on disk, and how a stack of them becomes one root file system.

    STATE/overlay/0123456789ab/diff         an image layer, unpacked once; layer.json beside it
    STATE/overlay/0123456789ab-init/diff    on top of an image: the mount points that every container needs
    STATE/overlay/<container id>/diff       a container's own, writable layer, with overlay's `work` and `merged`

Overlay stacks them: `lowerdir` (image layers, topmost first) is read, `upperdir` (the container's layer) is written.
So an image is shared by all its containers and stays the same bytes. Where overlay is refused, vfs.py copies.

Source: mount option names, Documentation/filesystems/overlayfs.rst; the verbs, Docker's graph drivers.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labkit import linux
from labkit.engine.errors import NoSuchImage, NotFound, StateError
from labkit.engine.images import beneath, overlay, whiteouts
from labkit.engine.images.changes import Kind, Tree, changes
from labkit.engine.images.extract import Extracted, extract
from labkit.engine.images.mountpoints import make_mount_points
from labkit.engine.images.pack import END, Packer, empty_file, walk
from labkit.engine.images.tarstream import Readable
from labkit.engine.state import read_json, write_json

if TYPE_CHECKING:
    from labkit.engine.images.image import Image

INIT = "-init"  # the end of the name of a layer of mount points; see mountpoints.py
NEW = ".new."  # the beginning of a name that nobody relies on yet, or any more


class GraphDriver:
    """Layers on overlay, the kernel's union file system.

    `userxattr`: for an engine in a user namespace, whose root may not write `trusted.*` attributes.
    `volatile`: leave out the sync at unmount (Linux 5.10); pick() finds out.
    """

    name: ClassVar[str] = "overlay2"

    def __init__(self, root: Path, *, userxattr: bool = False, volatile: bool = True) -> None:
        self.root, self.userxattr, self.volatile = Path(root), userxattr, volatile
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._mounting: dict[str, threading.Lock] = {}

    # --- image layers --------------------------------------------------------------------------------------------
    def layer(self, name: str) -> dict[str, Any] | None:
        """A layer's record (diff_id, chain_id, parent, size), or None if it is not here."""
        record = read_json(self.root / name / "layer.json")
        return record if record and "chain_id" in record else None

    def layers(self) -> list[str]:
        """The names of all image layers here."""
        return [name for name in self._folders() if self.layer(name)]

    def add_layer(self, name: str, archive: Readable, record: dict[str, Any]) -> None:
        """Unpack a layer's tar. The folder gets its name last, so a layer is either whole or not there."""
        with self._temporary() as folder:
            diff = self._new_diff(folder, record["parent"])
            with beneath.opened_folder(diff) as root:
                done = self._unpack(archive, root)
            write_json(folder / "layer.json", {**record, "size": done.size})
            os.rename(folder, self.root / name)

    def remove_layer(self, name: str) -> None:
        """Delete an image layer and the init layer above it."""
        with self.lock:
            self._discard(name + INIT)
            self._discard(name)

    def used_layers(self) -> set[str]:
        """The layers that containers stand on."""
        return {layer for container in self.containers() for layer in self._record(container)["layers"]}

    def containers(self) -> list[str]:
        """The ids of the containers that have a layer here."""
        return [name for name in self._folders() if (self.root / name / "container.json").exists()]

    def sweep(self) -> None:
        """Delete what an interrupted engine left half made."""
        for name in os.listdir(self.root):
            if name.startswith(NEW):
                self._remove(name)

    # --- containers ----------------------------------------------------------------------------------------------
    def create(self, container_id: str, image: Image) -> None:
        """Make a container's read-write layer on top of an image."""
        with self.lock:  # with the store's collect(): no layer may go while somebody builds on it
            if not all(map(self.layer, image.layers)):
                raise NoSuchImage(image.id)
            init = self._init_layer(image.layers)
            with self._temporary() as folder:
                self._new_container(folder, init)
                record = {"layers": list(image.layers), "init": init}
                write_json(folder / "container.json", record)
                os.rename(folder, self.root / container_id)

    def remove(self, container_id: str) -> None:
        """Delete a container's layer, and all that was written into it. Not there is fine."""
        self._mounting.pop(container_id, None)
        with contextlib.suppress(OSError):  # EINVAL: not mounted, as it should be
            linux.umount2(self.merged(container_id), linux.MNT_DETACH)  # else deleting would go through the mount
        self._discard(container_id)

    def rootfs(self, container_id: str) -> list[dict[str, Any]]:
        """The mounts that make the container's root: OCI runtime spec, mounts. Ask anew before each start."""
        self._forget_volatile(container_id)
        return [{"destination": "/", "type": "overlay", "source": "overlay", "options": self._options(container_id)}]

    def merged(self, container_id: str) -> str:
        """The folder on which the root is mounted: OCI runtime spec, root.path."""
        return str(self.root / container_id / "merged")

    def data(self, container_id: str) -> dict[str, str]:
        """Where the layers lie: inspect's GraphDriver.Data."""
        return {
            "LowerDir": ":".join(str(path) for path in self._lower(container_id)),
            "MergedDir": self.merged(container_id),
            "UpperDir": str(self._diff(container_id)),
            "WorkDir": str(self.root / container_id / "work"),
        }

    def image_data(self, image: Image) -> dict[str, str]:
        """Where an image's layers lie: GraphDriver.Data of `GET /images/{name}/json`."""
        *below, top = [str(self._diff(layer)) for layer in image.layers] or [""]
        return {"LowerDir": ":".join(reversed(below)), "UpperDir": top} if below else {"UpperDir": top}

    @contextlib.contextmanager
    def opened(self, container_id: str) -> Iterator[int]:
        """A descriptor of a stopped container's root, mounted for as long as the block runs.

        A running container has its own mount; use its /proc/PID/root instead.
        """
        with self._mounting.setdefault(container_id, threading.Lock()):
            merged, options = self.merged(container_id), self.rootfs(container_id)[0]["options"]
            with overlay.mounted(merged, options) as fd:
                yield fd

    # --- what a container changed --------------------------------------------------------------------------------
    def changes(self, container_id: str) -> list[dict[str, Any]]:
        """`docker diff`: [{"Path": "/x", "Kind": 0}], 0 changed, 1 added, 2 deleted, sorted."""
        with self._tree(container_id) as tree:
            return [{"Path": change.path, "Kind": int(change.kind)} for change in changes(tree)]

    def diff_tar(self, container_id: str) -> Iterator[bytes]:
        """The container's changes as a layer: added and changed files, and whiteouts for deleted ones."""
        with self._tree(container_id) as tree:
            packer = Packer()
            for path, kind in changes(tree):
                name = path.lstrip("/")
                if kind is Kind.DELETED:
                    folder, base = os.path.split(name)
                    yield empty_file(os.path.join(folder, whiteouts.PREFIX + base))
                else:
                    yield from packer.add(tree.upper, name, name)
            yield END

    def size(self, container_id: str) -> int:
        """Bytes of the files in the container's own layer, each inode once: `docker ps -s`, SizeRw."""
        return folder_size(self._diff(container_id))

    # --- how it is done ------------------------------------------------------------------------------------------
    def _folders(self) -> list[str]:
        return sorted(e.name for e in os.scandir(self.root) if e.is_dir() and not e.name.startswith(NEW))

    def _diff(self, name: str) -> Path:
        return self.root / name / "diff"

    def _record(self, container_id: str) -> dict[str, Any]:
        record: dict[str, Any] | None = read_json(self.root / container_id / "container.json")
        if record is None:
            raise NotFound(f"no layer for container {container_id} in {self.root}: was it removed meanwhile?")
        return record

    def _lower(self, container_id: str) -> list[Path]:
        """The folders below a container's own, topmost first, as overlay wants them."""
        record = self._record(container_id)
        return [self._diff(record["init"]), *(self._diff(layer) for layer in reversed(record["layers"]))]

    def _options(self, container_id: str) -> list[str]:
        return self._stack(self._lower(container_id), self.root / container_id)

    def _stack(self, lower: Sequence[Path], folder: Path) -> list[str]:
        return overlay.options(lower, folder, userxattr=self.userxattr, volatile=self.volatile)

    def _new_diff(self, folder: Path, parent: str) -> Path:
        """The folder that a layer is unpacked in."""
        diff = folder / "diff"
        diff.mkdir()
        diff.chmod(0o755)  # whatever the umask
        return diff

    def _unpack(self, archive: Readable, root: int) -> Extracted:
        return extract(archive, root, layer=True, userxattr=self.userxattr)

    def _new_container(self, folder: Path, init: str) -> None:
        overlay.make_folders(folder)

    def _init_layer(self, layers: Sequence[str]) -> str:
        """The layer of mount points on top of an image, made with the first container of that image."""
        name = (layers[-1] if layers else "empty") + INIT
        if not self._diff(name).exists():
            with self._temporary() as folder:
                self._fill_init(folder, layers)
                os.rename(folder, self.root / name)
        return name

    def _fill_init(self, folder: Path, layers: Sequence[str]) -> None:
        overlay.make_folders(folder)
        (folder / "nothing").mkdir()  # an image may have no layer at all, and overlay wants one
        lower = [*(self._diff(layer) for layer in reversed(layers)), folder / "nothing"]
        with overlay.mounted(str(folder / "merged"), self._stack(lower, folder)) as root:
            make_mount_points(root)

    @contextlib.contextmanager
    def _tree(self, container_id: str) -> Iterator[Tree]:
        with contextlib.ExitStack() as stack:
            lowers = [stack.enter_context(beneath.opened_folder(path)) for path in self._lower(container_id)]
            upper = stack.enter_context(beneath.opened_folder(self._diff(container_id)))
            yield Tree(upper, lowers, userxattr=self.userxattr)

    def _forget_volatile(self, container_id: str) -> None:
        """Allow another mount: the kernel leaves a mark that data may be lost, which is so after a power cut only.

        The mark is a folder, work/work/incompat/volatile (overlayfs.rst, "Volatile mount").
        """
        with (
            beneath.opened_folder(self.root / container_id) as folder,
            contextlib.suppress(FileNotFoundError),
            beneath.opened(folder, "work/work", resolve=beneath.NO_LINKS) as work,
        ):
            beneath.remove_tree(work, "incompat")

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A fresh folder under a name that sweep() knows; gone at the end unless it was renamed."""
        folder = self.root / f"{NEW}{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            if folder.exists():
                self._remove(folder.name)

    def _discard(self, name: str) -> None:
        """Delete a folder in two steps: first its name, so that half a layer is never taken for a whole one."""
        doomed = f"{NEW}{secrets.token_hex(8)}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.root / name, self.root / doomed)
            self._remove(doomed)

    def _remove(self, name: str) -> None:
        with beneath.opened_folder(self.root) as root:
            beneath.remove_tree(root, name)


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder, each inode once, folders themselves not counted, as Docker counts."""
    seen: dict[tuple[int, int], int] = {}
    with beneath.opened_folder(path) as root:
        for _, there in walk(root):
            if not stat.S_ISDIR(there.st_mode):
                seen[there.st_dev, there.st_ino] = there.st_size
    return sum(seen.values())


def pick(root: Path, *, userxattr: bool = False) -> GraphDriver:
    """The best driver that this machine allows on `root`: overlay, or full copies where overlay is refused.

    The choice is kept: layers of one kind mean nothing to the other. Raises StateError if they can't be used now.
    """
    from labkit.engine.images.vfs import VfsDriver  # it is built on GraphDriver

    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = read_json(root / "driver.json")
    refusal: OSError | None = None
    for volatile in () if kept == VfsDriver.name else (True, False):
        refusal = overlay.probe(root, userxattr=userxattr, volatile=volatile)
        if refusal is None:
            write_json(root / "driver.json", GraphDriver.name)
            return GraphDriver(root, userxattr=userxattr, volatile=volatile)
    if kept == GraphDriver.name:
        raise StateError(
            f"the layers in {root} need overlay mounts, which are refused now ({refusal}); "
            "start the engine as it was started before, or choose another state folder"
        )
    write_json(root / "driver.json", VfsDriver.name)
    return VfsDriver(root, userxattr=userxattr)
