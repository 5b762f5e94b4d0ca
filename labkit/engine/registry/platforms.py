"""Which of several architectures: an index holds one manifest for each, and this machine can run few of them.

An architecture may have variants: an arm v7 runs what was built for v6, never the other way round. What is asked for
comes first, then what it also runs, and no variant at all is taken for the least that the architecture demands.

Source: OCI image spec, image-index.md, "platform variants".
"""

from __future__ import annotations

import platform as machine
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.engine.errors import BadParameter
from labkit.engine.images import image

VARIANTS: Mapping[str, tuple[str, ...]] = {
    "amd64": ("v4", "v3", "v2", "v1", ""),
    "arm64": ("v9", "v8", ""),
    "arm": ("v8", "v7", "v6", "v5", ""),
}
"""What runs what: each variant runs all that stand after it."""

PLAIN = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
"""The variant that is meant where none is named."""

SPELLINGS = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm/v6"}
MACHINES = {"armv5l": "arm/v5", "armv6l": "arm/v6", "armv7l": "arm/v7", "i686": "386"}


@dataclass(frozen=True)
class Platform:
    """An operating system, an architecture in Go's words and a variant of it."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def runs(self) -> list[Platform]:
        """The platforms whose programs run here, the best first."""
        known = VARIANTS.get(self.architecture, ("",))
        variant = self.variant or PLAIN.get(self.architecture, "")
        usable = known[known.index(variant) :] if variant in known else (variant,)
        return [Platform(self.os, self.architecture, one) for one in usable]


def from_fields(fields: Any) -> Platform | None:
    """The platform of an index's entry, or of an image config; None where it says nothing."""
    if not isinstance(fields, Mapping) or not fields.get("architecture"):
        return None
    return Platform(str(fields.get("os")), str(fields["architecture"]), str(fields.get("variant") or ""))


def parse(text: str) -> Platform:
    """What `--platform` says: `linux/arm64/v8`, `arm64`, or nothing for this machine's. Raises BadParameter."""
    if not text:
        return here()
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(part.replace("-", "").replace("_", "").isalnum() for part in parts):
        raise BadParameter(f'"{text}": unknown operating system or architecture: invalid argument')
    if len(parts) == 1:
        parts = [parts[0], here().architecture] if parts[0] == "linux" else ["linux", parts[0]]
    os, architecture, *variant = parts
    return Platform(os, *(SPELLINGS.get(architecture, architecture).split("/") + variant)[:2])


def here() -> Platform:
    """This machine's platform."""
    name = machine.machine()
    return Platform("linux", *MACHINES.get(name, image.architecture()).split("/"))


def best(offered: Iterable[Platform | None], wanted: Platform) -> int | None:
    """Which of those offered to take for `wanted`, by its number; None if none runs there."""
    numbers = {platform: number for number, platform in reversed(list(enumerate(offered))) if platform}
    return next((numbers[platform] for platform in wanted.runs() if platform in numbers), None)
