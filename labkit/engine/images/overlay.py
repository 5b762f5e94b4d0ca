"""The overlay mount: its options as text, and whether this machine lets us have one.

Source: Documentation/filesystems/overlayfs.rst in the kernel's tree.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from labkit import linux
from labkit.engine.errors import ServerError
from labkit.engine.images import beneath

_PAGE = 4096  # mount(2) takes its options as one page
_KERNELS_DEFAULTS = Path("/sys/module/overlay/parameters")


def options(lower: Sequence[Path], folder: Path, *, userxattr: bool, volatile: bool = True) -> list[str]:
    """The options that stack `lower` (topmost first) under `folder`/diff. Raises ServerError if they are too long.

    `volatile` leaves out the sync at unmount, which waits for everybody's dirty pages. A power cut may then lose the
    container's last writes; the engine's own death does not.
    """
    found = [
        "lowerdir=" + ":".join(_escaped(path, "\\:,") for path in lower),
        "upperdir=" + _escaped(folder / "diff", "\\,"),
        "workdir=" + _escaped(folder / "work", "\\,"),
        *(["volatile"] if volatile else []),
        *(["userxattr"] if userxattr else whole_files_only()),
    ]
    if len(os.fsencode(",".join(found))) >= _PAGE:
        raise ServerError(
            f"the image has {len(lower)} layers, and their paths do not fit into one mount(2) call ({_PAGE} bytes): "
            "use a state folder with a shorter path, or an image with fewer layers"
        )
    return found


def _escaped(path: Path, special: str) -> str:
    return "".join("\\" + letter if letter in special else letter for letter in str(path))


@functools.cache
def whole_files_only() -> tuple[str, ...]:
    """Switch off what some kernels have on: then a layer holds only whole files, which any engine can read."""
    found = []
    for feature in ("redirect_dir", "metacopy", "index"):
        with contextlib.suppress(OSError):
            if (_KERNELS_DEFAULTS / feature).read_text().strip() == "Y":
                found.append(f"{feature}=off")
    return tuple(found)


@contextlib.contextmanager
def mounted(target: str, mount_options: Sequence[str]) -> Iterator[int]:
    """An overlay on `target` for as long as the block runs, in the caller's mount namespace; gives its root's fd."""
    linux.mount("overlay", target, "overlay", 0, ",".join(mount_options))
    try:
        with beneath.opened_folder(target) as fd:
            yield fd
    finally:
        linux.umount2(target, linux.MNT_DETACH)


def make_folders(folder: Path) -> None:
    """The three folders that an overlay needs besides its layers. The root that a container sees has diff's mode."""
    for name, mode in (("diff", 0o755), ("work", 0o700), ("merged", 0o700)):
        (folder / name).mkdir()
        (folder / name).chmod(mode)  # mkdir(2) alone would let the umask take bits away


def probe(root: Path, *, userxattr: bool, volatile: bool) -> OSError | None:
    """Try a mount with layers in `root`, write through it, and tell what the system said if it failed."""
    with tempfile.TemporaryDirectory(prefix=".new.", dir=root) as name:
        folder = Path(name)
        make_folders(folder)
        (folder / "lower" / "below").mkdir(parents=True)
        try:
            with mounted(
                str(folder / "merged"), options([folder / "lower"], folder, userxattr=userxattr, volatile=volatile)
            ) as fd:
                os.rmdir("below", dir_fd=fd)  # a whiteout, then a folder that is opaque: the two marks
                os.mkdir("below", dir_fd=fd)
        except OSError as error:
            return error
        finally:
            with beneath.opened_folder(folder) as fd:
                beneath.remove_tree(fd, "work")
    return None
