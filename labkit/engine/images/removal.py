"""`docker rmi`: when an image may go, and Docker's words when it may not.

A *hard* conflict cannot be forced: a container runs on it, or another image was committed on top. A *soft* one can:
a stopped container was made from it, or it has other names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labkit.engine.errors import Conflict
from labkit.engine.images import reference
from labkit.engine.images.image import Image, short_id

if TYPE_CHECKING:
    from labkit.engine.images.store import ImageStore

HARD, SOFT = "cannot be forced", "must be forced"


@dataclass
class Removal:
    """One request to remove; `rows` is what the client is told."""

    store: ImageStore
    in_use: Mapping[str, Sequence[str]]
    running: frozenset[str]
    rows: list[dict[str, str]] = field(default_factory=list)

    def remove(self, ref: str, *, force: bool, prune: bool) -> list[dict[str, str]]:
        """Take away what `ref` says: a name, or an image by its id."""
        found = self.store.get(ref)
        if found.tags and ref in found.digests:  # one name fewer, and there are others
            self.store.digests.forget([ref])
            self.rows.append({"Untagged": ref})
            return self.rows
        if self._is_name(ref, found):
            self._check_last_name(ref, found, force)
            self._untag(found, [reference.normalize(ref)])
            if len(found.tags) == 1 and self._conflict(found, force) is None:
                self._delete(found, prune)
            return self.rows
        conflict = self._conflict(found, force)
        if not force and len(found.tags) > 1 and (conflict is None or conflict[0] == SOFT):
            conflict = SOFT, "image is referenced in multiple repositories"
        if conflict:
            hardness, reason = conflict
            raise Conflict(f"conflict: unable to delete {short_id(found.id)} ({hardness}) - {reason}")
        self._untag(found, found.tags)
        self._delete(found, prune)
        return self.rows

    def _is_name(self, ref: str, found: Image) -> bool:
        return not ref.startswith("sha256:") and reference.normalize(ref) in found.tags

    def _check_last_name(self, ref: str, found: Image, force: bool) -> None:
        """Without its last name an image in use would hang about unnamed; that must be meant."""
        users = self.in_use.get(found.id, ())
        if users and not force and len(found.tags) == 1:
            raise Conflict(
                f'conflict: unable to remove repository reference "{ref}" (must force) - '
                f"container {short_id(users[0])} is using its referenced image {short_id(found.id)}"
            )

    def _conflict(self, found: Image, force: bool) -> tuple[str, str] | None:
        """Why the image must stay, names aside: how hard, and the reason."""
        users = self.in_use.get(found.id, ())
        if any(other.parent == found.id for other in self.store.list()):
            return HARD, "image has dependent child images"
        if runs := [user for user in users if user in self.running]:
            return HARD, f"image is being used by running container {short_id(runs[0])}"
        if users and not force:
            return SOFT, f"image is being used by stopped container {short_id(users[0])}"
        return None

    def _untag(self, found: Image, names: Sequence[str]) -> None:
        if names:
            self.store.untag(names)
        left = {reference.parse(tag).name for tag in found.tags if tag not in names}
        gone = [name for name in found.digests if name.partition("@")[0] not in left]
        if gone:  # a digest goes with the last tag of its repository
            self.store.digests.forget(gone)
        self.rows += [{"Untagged": name} for name in (*names, *gone)]

    def _delete(self, found: Image, prune: bool) -> None:
        """Delete the image, and parents that nobody named and nobody uses."""
        layers = self.store.forget(found.id)
        self.rows += [{"Deleted": found.id}, *({"Deleted": chain} for chain in layers)]
        if prune and found.parent in self.store.ids():
            parent = self.store.get(found.parent)
            if not parent.tags and self._conflict(parent, force=False) is None:
                self._delete(parent, prune)
