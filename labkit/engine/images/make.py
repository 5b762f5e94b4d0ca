"""New images: out of a file tree (`docker import`), and out of a container (`docker commit`).

Either way the result is one more layer and a new config that names it. Nothing that existed is changed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from labkit.engine.images import instructions, reference
from labkit.engine.images.image import EMPTY_LAYER, Image, architecture, encoded, now
from labkit.engine.images.tarstream import decompressed

if TYPE_CHECKING:
    from labkit.engine.images.store import ImageStore

# What a container's config shares with an image's: OCI image spec, config.md. The rest, such as its hostname or
# whether a terminal was attached, belongs to that one container.
IMAGE_FIELDS = (
    "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "StopTimeout",
    "Healthcheck", "Shell", "OnBuild", "ArgsEscaped",
)  # fmt: skip

PLATFORM_FIELDS = ("architecture", "variant", "os", "os.version", "os.features")


@dataclass(frozen=True)
class Commit:
    """What a person may say with a commit: Docker API ImageCommit."""

    author: str = ""
    comment: str = ""
    changes: tuple[str, ...] = ()
    created_by: str = ""


def import_tar(store: ImageStore, stream: BinaryIO, ref: str | None, changes: Sequence[str], message: str) -> Image:
    """An image with one layer, the given tar (compressed or not), and a config made of `changes` alone."""
    _check_name(ref)
    config = instructions.apply({}, changes)
    step = {"created": now(), "comment": message or "Imported from -"}
    with store.blobs.spooled(decompressed(stream)) as (path, diff_id, _):
        raw = image_config(config, [diff_id], [step], comment=step["comment"])
        return store.add(encoded(raw), {diff_id: path}, ref=ref)


def commit(
    store: ImageStore, container_id: str, base: Image, config: Mapping[str, Any], ref: str | None, words: Commit
) -> Image:
    """The base's layers plus what the container changed. No change, no layer: then only the config is new."""
    _check_name(ref)
    kept = {key: copy.deepcopy(config[key]) for key in IMAGE_FIELDS if config.get(key)}
    changed = instructions.apply(kept, words.changes)
    with store.blobs.spooled(store.driver.diff_tar(container_id)) as (path, diff_id, _):
        step = history_step(words, empty=diff_id == EMPTY_LAYER)
        layers = [*base.diff_ids, *([diff_id] if diff_id != EMPTY_LAYER else [])]
        steps = [*(base.config.get("history") or []), step]
        raw = image_config(changed, layers, steps, comment=words.comment, author=words.author, like=base.config)
        return store.add(encoded(raw), {diff_id: path}, parent=base.id, ref=ref)


def history_step(words: Commit, *, empty: bool) -> dict[str, Any]:
    """One entry of a config's history: OCI image spec, config.md."""
    said = {"author": words.author, "created_by": words.created_by, "comment": words.comment}
    return {"created": now(), **{k: v for k, v in said.items() if v}, **({"empty_layer": True} if empty else {})}


def image_config(
    config: Mapping[str, Any],
    layers: Sequence[str],
    steps: Sequence[Mapping[str, Any]],
    *,
    comment: str = "",
    author: str = "",
    like: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """An image config: OCI image spec, config.md, with Docker's `comment`. The platform is that of `like`."""
    here = {"architecture": architecture(), "os": "linux"}
    return {
        **{key: value for key, value in (like or here).items() if key in PLATFORM_FIELDS},
        "created": steps[-1]["created"],
        **({"author": author} if author else {}),
        **({"comment": comment} if comment else {}),
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": list(layers)},
        "history": list(steps),
    }


def _check_name(ref: str | None) -> None:
    """Before the work, not after: a bad name must cost nothing."""
    if ref:
        reference.parse(ref)
