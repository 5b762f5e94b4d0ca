"""What registries call what is here.

An image's id is the digest of its config. A registry knows the image by another one, the digest of its *manifest*
(`busybox@sha256:...`, RepoDigests of inspect), and a layer by the digest of the bytes that it was packed as, of which
there may be several. None of these can be computed from what is here, so they are kept at each pull and push:

    STATE/images/digests.json   {"images": {"busybox@sha256:...": image id}, "layers": {diff id: [[digest, size]]}}

Losing the file loses no image: a push would pack a layer anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.engine.state import read_json, write_json

MOST_FORMS = 4  # of one layer; older ones are hardly asked for
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Digests:
    """The digests that one engine's images and layers have in registries."""

    path: Path
    ids: Callable[[], Sequence[str]]
    """The images that are here; what is said of others is out of date."""

    def images(self) -> Mapping[str, str]:
        """Which image each `name@sha256:...` means."""
        known = set(self.ids())
        return {name: image_id for name, image_id in self._read()["images"].items() if image_id in known}

    def remember(self, name: str, image_id: str) -> None:
        """An image has this name in a registry."""
        self._change("images", name, image_id, kept=self.ids())

    def forget(self, names: Collection[str]) -> None:
        """Images lose these names: the last tag of their repository was removed."""
        with _LOCK:
            known = self._read()
            known["images"] = {name: i for name, i in known["images"].items() if name not in names}
            write_json(self.path, known)

    def layer(self, diff_id: str) -> list[tuple[str, int]]:
        """Digest and size of each packed form of a layer that is known, the newest first."""
        return [(str(digest), int(size)) for digest, size in self._read()["layers"].get(diff_id, ())]

    def remember_layer(self, diff_id: str, digest: str, size: int) -> None:
        """A layer was packed as this."""
        older = [known for known in self.layer(diff_id) if known[0] != digest]
        self._change("layers", diff_id, [(digest, size), *older][:MOST_FORMS], kept=None)

    def _read(self) -> dict[str, dict[str, Any]]:
        return {"images": {}, "layers": {}, **read_json(self.path, {})}

    def _change(self, table: str, key: str, value: Any, kept: Collection[str] | None) -> None:
        with _LOCK:
            known = self._read()
            known[table][key] = value
            if kept is not None:  # what was removed meanwhile
                known[table] = {name: image_id for name, image_id in known[table].items() if image_id in kept}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.path, known)
