"""The image store: which images there are, what they are called, and what of them is still needed.

    STATE/blobs/sha256/<hex>          configs and layer tars
    STATE/images/<hex>.json           one file an image: its parent, if it was committed here
    STATE/images/repositories.json    {"busybox:latest": "sha256:..."}

How often a layer is used is never written down, it is counted: a number on disk could be wrong after a crash. An
image is forgotten by deleting its one file, which needs no free space; a name that leads nowhere is then ignored.

Left out: registries; see labkit/engine/registry.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from labkit.engine import crash
from labkit.engine.errors import BadParameter, NoSuchImage
from labkit.engine.images import image, load, make, reference, removal, save
from labkit.engine.images.blobs import Blobs
from labkit.engine.images.digests import Digests
from labkit.engine.images.image import Image
from labkit.engine.images.layers import GraphDriver
from labkit.engine.images.tarstream import BadArchive
from labkit.engine.state import read_json, write_json

# Inside the class, `list` is a method.
Images: TypeAlias = list[Image]
Names: TypeAlias = list[str]
Rows: TypeAlias = list[dict[str, Any]]
_WHOLE_ID = re.compile("[0-9a-f]{64}")


class ImageStore:
    """The images of one engine. Safe to call from several threads; those who change something take turns."""

    def __init__(self, state: Path, driver: GraphDriver) -> None:
        self.driver = driver
        self.blobs = Blobs(Path(state) / "blobs" / "sha256")
        self._records = Path(state) / "images"
        self._records.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.digests = Digests(self._records / "digests.json", self.ids)
        self.lock = threading.RLock()
        self._configs: dict[str, dict[str, Any]] = {}  # a config never changes, so it is parsed once

    # --- find ----------------------------------------------------------------------------------------------------
    def list(self) -> Images:
        """All images, the newest first."""
        names = self.names()
        images = []
        for image_id in self.ids():
            with contextlib.suppress(NoSuchImage):  # removed by another thread just now
                images.append(self._image(image_id, names))
        return sorted(images, key=lambda found: (image.unix_time(found.created), found.created), reverse=True)

    def get(self, ref: str) -> Image:
        """The image of a name, an id or the beginning of one. Raises NoSuchImage or InvalidReference."""
        names = self.names()
        found = self._by_id(ref) or self._by_name(ref, names)
        return self._image(found, names)

    def _by_id(self, ref: str) -> str | None:
        """A whole id, with or without its `sha256:`."""
        bare = ref.removeprefix("sha256:")
        if f"sha256:{bare}" in self.ids():
            return f"sha256:{bare}"
        if _WHOLE_ID.fullmatch(bare):
            raise NoSuchImage(ref)
        return None

    def _by_name(self, ref: str, names: Mapping[str, str]) -> str:
        """A name, or else the beginning of an id: a name wins, as in Docker."""
        parsed = reference.parse(ref).tagged()
        if parsed.digest:  # it says more than a tag beside it
            parsed = replace(parsed, tag="")
        if str(parsed) in names:
            return names[str(parsed)]
        if parsed.digest:  # name@id, for which the id must have that name
            matching = [
                i for name, i in names.items() if i == parsed.digest and reference.parse(name).name == parsed.name
            ]
        else:
            matching = [i for i in self.ids() if i.startswith(f"sha256:{ref.removeprefix('sha256:')}")]
        if len(set(matching)) != 1:
            raise NoSuchImage(str(parsed))
        return matching[0]

    def ids(self) -> Names:
        """The ids of all images."""
        return sorted(f"sha256:{path.stem}" for path in self._records.glob("*.json") if len(path.stem) == 64)

    def tags(self) -> dict[str, str]:
        """Which image each name means."""
        known = set(self.ids())
        written: dict[str, str] = read_json(self._records / "repositories.json", {})
        return {name: image_id for name, image_id in written.items() if image_id in known}

    def names(self) -> Mapping[str, str]:
        """Which image each name means: tags, and digests of registries."""
        return {**self.digests.images(), **self.tags()}

    def history(self, of: Image) -> Rows:
        """How an image was made, newest step first: `GET /images/{name}/history`."""
        rows = image.history(of.config, [self._layer(name)["size"] for name in of.layers])
        step: str = of.id
        for row in rows:  # only steps that are images of their own here have an id
            found = self._image(step, self.names())
            row["Id"], row["Tags"], step = found.id, list(found.tags) or None, found.parent
            if step not in self.ids():
                break
        return rows

    # --- name ----------------------------------------------------------------------------------------------------
    def tag(self, of: Image, ref: str) -> None:
        """Give an image one more name; an image that had it loses it."""
        parsed = reference.parse(ref)
        if parsed.digest:
            raise BadParameter("refusing to create a tag with a digest reference")
        with self.lock:
            self._write_tags({**self.tags(), str(parsed.tagged()): of.id})

    def untag(self, names: Collection[str]) -> None:
        """Take names away."""
        with self.lock:
            self._write_tags({name: i for name, i in self.tags().items() if name not in names})

    # --- make ----------------------------------------------------------------------------------------------------
    def load(self, stream: BinaryIO) -> Iterator[dict[str, Any]]:
        """Take in what `docker save` or an OCI layout holds; gives Docker's progress objects."""
        return load.load(self, stream)

    def save(self, refs: Sequence[str]) -> Iterator[bytes]:
        """Images as one archive, for `docker load` and for OCI tools. Raises NoSuchImage before the first piece."""
        return save.save(self, refs)

    def import_tar(self, stream: BinaryIO, ref: str | None, changes: Sequence[str], message: str) -> Image:
        """An image of one layer out of a file tree: `docker import`."""
        return make.import_tar(self, stream, ref, changes, message)

    def commit(
        self,
        container_id: str,
        base: Image,
        config: dict[str, Any],
        *,
        ref: str | None,
        author: str,
        comment: str,
        changes: Sequence[str],
        created_by: str,
    ) -> Image:
        """An image out of a container: its image's layers, and what the container changed as one more."""
        options = make.Commit(author, comment, tuple(changes), created_by)
        return make.commit(self, container_id, base, config, ref, options)

    def add(self, raw: bytes, files: Mapping[str, Path], *, parent: str = "", ref: str | None = None) -> Image:
        """Store an image: its config as `raw` bytes, and in `files` the tars of its layers by their diff ids.

        A layer that is here already needs no file. Raises BadArchive if one is missing, or is no layer.
        """
        name = str(reference.parse(ref).tagged()) if ref else None
        with self.lock:  # as a whole: a layer without an image is rubbish to everybody else
            stack = image.diff_ids(json.loads(raw))
            try:
                for height in range(1, len(stack) + 1):
                    self._add_layer(stack[:height], files)
            except BaseException:
                self.collect()  # the layers below the one that failed
                raise
            image_id, _ = self.blobs.put([raw])
            record = self._record(image_id)
            if not record.exists():
                write_json(record, {"parent": parent})
            crash.at("image: record written")
            if name:
                self._write_tags({**self.tags(), name: image_id})
            return self._image(image_id, self.names())

    def has_layer(self, stack: Sequence[str]) -> bool:
        """Is the topmost of these diff ids here, unpacked on the others and as a tar?"""
        *_, chain = image.chain_ids(stack)
        return self.driver.layer(image.layer_name(chain)) is not None and self.blobs.has(stack[-1])

    # --- remove --------------------------------------------------------------------------------------------------
    def remove(
        self,
        ref: str,
        *,
        force: bool,
        in_use: Mapping[str, Sequence[str]],
        running: Collection[str] = (),
        prune: bool = True,
    ) -> Rows:
        """Take a name away, and the image with its last one: rows {"Untagged": name} and {"Deleted": id}.

        `in_use` maps image ids to the containers made from them, `running` holds those that run. With `prune`,
        parents without a name go too. Raises NoSuchImage and Conflict. Source: Docker API ImageDelete.
        """
        with self.lock:
            return removal.Removal(self, in_use, frozenset(running)).remove(ref, force=force, prune=prune)

    def forget(self, image_id: str) -> Names:
        """Drop an image's record, and then every layer and blob that nothing needs any more; gives their chain ids.

        Layers that a container stands on stay for it.
        """
        self._record(image_id).unlink(missing_ok=True)
        self._configs.pop(image_id, None)
        return self.collect()

    def collect(self) -> Names:
        """Delete layers and blobs that no image and no container needs; gives the layers' chain ids, top first."""
        images = [self._image(image_id, {}) for image_id in self.ids()]
        with self.driver.lock:  # no container may be created on a layer that is about to go
            needed = {name for found in images for name in found.layers} | self.driver.used_layers()
            gone = [self._layer(name) for name in self.driver.layers() if name not in needed]
            for layer in gone:
                self.driver.remove_layer(image.layer_name(layer["chain_id"]))
        kept = {found.id for found in images} | {self._layer(name)["diff_id"] for name in self.driver.layers()}
        for digest in self.blobs.digests() - kept:
            self.blobs.remove(digest)
        return [layer["chain_id"] for layer in sorted(gone, key=lambda layer: -int(layer.get("depth", 0)))]

    def sweep(self) -> None:
        """Clean up after an engine that was killed: half-made layers and blobs, and what nothing needs."""
        with self.lock:
            self.driver.sweep()
            self.blobs.sweep()
            for image_id in self.ids():
                if not self._whole(image_id):
                    self._record(image_id).unlink()
            self.collect()

    # --- how it is done ------------------------------------------------------------------------------------------
    def _image(self, image_id: str, names: Mapping[str, str]) -> Image:
        config = self.config(image_id)
        layers = tuple(map(image.layer_name, image.chain_ids(image.diff_ids(config))))
        mine = [name for name, named in names.items() if named == image_id]
        return Image(
            id=image_id,
            config=config,
            tags=tuple(sorted(name for name in mine if "@" not in name)),
            digests=tuple(sorted(name for name in mine if "@" in name)),
            layers=layers,
            size=sum(self._layer(name)["size"] for name in layers),
            parent=self._parent(image_id),
            created=config.get("created") or "",
        )

    def config(self, image_id: str) -> dict[str, Any]:
        """An image's config. Raises NoSuchImage."""
        if image_id not in self._configs:
            try:
                self._configs[image_id] = json.loads(self.blobs.path(image_id).read_bytes())
            except FileNotFoundError:
                raise NoSuchImage(image_id) from None
        return self._configs[image_id]

    def _parent(self, image_id: str) -> str:
        return str(read_json(self._record(image_id), {}).get("parent", ""))

    def _layer(self, name: str) -> dict[str, Any]:
        return self.driver.layer(name) or {"diff_id": "", "chain_id": "", "size": 0}

    def _whole(self, image_id: str) -> bool:
        if not self.blobs.has(image_id):
            return False
        chains = image.chain_ids(image.diff_ids(self.config(image_id)))
        return all(self.driver.layer(image.layer_name(chain)) for chain in chains)

    def _add_layer(self, stack: Sequence[str], files: Mapping[str, Path]) -> None:
        """Unpack the topmost layer of a stack of diff ids and keep its tar, unless both are here."""
        *below, chain = image.chain_ids(stack)
        diff_id, kept = stack[-1], self.blobs.path(stack[-1])
        archive = kept if kept.exists() else files.get(diff_id)
        if archive is None:
            raise BadArchive(f"the layer {diff_id} is missing")
        known = self.driver.layer(image.layer_name(chain))
        if known is None:
            parent = image.layer_name(below[-1]) if below else ""
            record = {"diff_id": diff_id, "chain_id": chain, "parent": parent, "depth": len(stack)}
            with archive.open("rb") as file:
                self.driver.add_layer(image.layer_name(chain), file, record)
        elif known["chain_id"] != chain:
            raise BadArchive(f"two layers share the short name {image.layer_name(chain)}; remove the other image")
        crash.at("image: layer added")
        archive.replace(kept)

    def _record(self, image_id: str) -> Path:
        return self._records / f"{image_id.removeprefix('sha256:')}.json"

    def _write_tags(self, names: Mapping[str, str]) -> None:
        write_json(self._records / "repositories.json", dict(sorted(names.items())))
