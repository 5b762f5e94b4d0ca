"""Content-addressed storage: a file's name is the SHA-256 of its bytes, as in an OCI image layout's blobs/sha256.

A file gets its name only once its digest is known, so whatever has a name is whole. Image configs and the
uncompressed tars of layers are kept here as they came, which is why `docker save` gives back the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from labkit.engine.images import beneath
from labkit.engine.images.tarstream import BadArchive

_NEW = ".new."


class Blobs:
    """The blobs in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        algorithm, _, name = digest.partition(":")
        if algorithm != "sha256" or len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise BadArchive(f"{digest!r} is no sha256 digest")
        return self.root / name

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def put(self, pieces: Iterable[bytes], expected: str = "") -> tuple[str, int]:
        """Store bytes while they come; give their digest and size. Raises BadArchive if `expected` is another."""
        with self.spooled(pieces) as (path, digest, size):
            if expected and digest != expected:
                raise BadArchive(f"the content has the digest {digest}, but {expected} was promised")
            path.rename(self.path(digest))
        return digest, size

    @contextlib.contextmanager
    def spooled(self, pieces: Iterable[bytes]) -> Iterator[tuple[Path, str, int]]:
        """Bytes in a file without a name of its own yet, their digest and size; gone at the end."""
        path = self.root / f"{_NEW}{secrets.token_hex(8)}"
        try:
            yield (path, *written(path, pieces))
        finally:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder for files that may become blobs, on the same file system; gone at the end with what is in it."""
        path = self.root / f"{_NEW}{secrets.token_hex(8)}"
        path.mkdir(mode=0o700)
        try:
            yield path
        finally:
            self._discard(path.name)

    def remove(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def digests(self) -> set[str]:
        return {f"sha256:{name}" for name in os.listdir(self.root) if not name.startswith(_NEW)}

    def sweep(self) -> None:
        """Delete what an interrupted engine left half written."""
        for name in os.listdir(self.root):
            if name.startswith(_NEW):
                self._discard(name)

    def _discard(self, name: str) -> None:
        with beneath.opened_folder(self.root) as root:
            beneath.remove_tree(root, name)


def written(path: Path, pieces: Iterable[bytes]) -> tuple[str, int]:
    """Write bytes to a file while they come; give their digest and size."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            file.write(piece)
    return f"sha256:{digest.hexdigest()}", size
