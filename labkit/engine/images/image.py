"""What an image is: a config, and the layers that it names. Values only, no disk.

The config is JSON (OCI image spec, config.md), and the image's id is the SHA-256 of its bytes: change anything and it
is another image. The config names its layers by `diff_ids`, digests of their uncompressed tars. A layer on disk goes
by its *chain id*, a digest of its own and all diff ids below: unpacked, the same tar on another base may differ.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

EMPTY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"  # a tar with no entry
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # uname(2)'s words: Go's, which OCI uses
_SHORT = 12


@dataclass(frozen=True)
class Image:
    """An image: its id, its config, its names, and its layers as the graph driver names them, base first.

    `digests` are its names in registries, `busybox@sha256:...`; see digests.py.
    """

    id: str
    config: dict[str, Any]
    tags: tuple[str, ...]
    layers: tuple[str, ...]
    size: int
    parent: str
    created: str
    digests: tuple[str, ...] = ()

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The digests of its layers' tars, base first."""
        return diff_ids(self.config)


def diff_ids(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The layers that a config names, base first."""
    return tuple((config.get("rootfs") or {}).get("diff_ids") or ())


def chain_ids(layers: Sequence[str]) -> Iterator[str]:
    """The chain id of each layer of a stack, base first: OCI image spec, config.md, "Layer ChainID"."""
    chain = ""
    for diff_id in layers:
        chain = digest(f"{chain} {diff_id}".encode()) if chain else diff_id
        yield chain


def layer_name(chain_id: str) -> str:
    """The folder's name of a layer: short, since mount(2) has room for a page of paths."""
    return short_id(chain_id)


def short_id(image_id: str) -> str:
    """The twelve letters that people see of an id."""
    return image_id.partition(":")[2][:_SHORT] or image_id[:_SHORT]


def digest(data: bytes) -> str:
    """A digest as OCI writes it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encoded(value: object) -> bytes:
    """JSON of which the same value gives the same bytes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def now() -> str:
    """The time as image configs have it: RFC 3339, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def unix_time(text: str) -> int:
    """Whole seconds since 1970 of an RFC 3339 time with any number of decimals; 0 for none."""
    try:
        return int(datetime.fromisoformat(text).timestamp()) if text else 0
    except (ValueError, OverflowError):
        return 0


def architecture() -> str:
    """This machine's architecture in OCI's words."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def history(config: Mapping[str, Any], layer_sizes: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of `docker history`, newest first, each with its layer's size; ids are the caller's to fill in.

    Source: Docker API ImageHistory.
    """
    sizes = iter(layer_sizes)
    rows = [
        {
            "Id": "<missing>",
            "Created": unix_time(step.get("created", "")),
            "CreatedBy": step.get("created_by", ""),
            "Tags": None,
            "Size": 0 if step.get("empty_layer") else next(sizes, 0),
            "Comment": step.get("comment", ""),
        }
        for step in config.get("history") or []
    ]
    return rows[::-1]
