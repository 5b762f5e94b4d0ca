"""The filters of `GET /images/json` and `POST /images/prune`, as a table: name -> does this image pass?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase

from labkit.engine.containers import timestamps
from labkit.engine.errors import BadParameter
from labkit.engine.images.image import Image, unix_time
from labkit.engine.matching import has_label

Find = Callable[[str], "Image"]
"""From a name or id to its image; raises NoSuchImage."""
Test = Callable[["Image"], bool]

TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def created(image: Image) -> int:
    """When an image was made, in whole seconds since 1970."""
    return unix_time(image.created)


def made_at(image: Image) -> float:
    """The same with its fraction: two images of one second have an order too."""
    try:
        return timestamps.parse(image.created)
    except ValueError:
        return created(image)


def labels(image: Image) -> dict[str, str]:
    """The labels in an image's config."""
    return (image.config.get("config") or {}).get("Labels") or {}


def dangling(images: Sequence[Image]) -> set[str]:
    """The ids of images without a name that no other image was made from."""
    parents = {image.parent for image in images}
    return {image.id for image in images if not image.tags and image.id not in parents}


def _reference(values: Sequence[str], find: Find, images: Sequence[Image]) -> Test:
    """A pattern such as `lab*/base:*`; without a tag it means any. A `*` stops at a slash, as in Go's path.Match."""

    def matches(tag: str, pattern: str) -> bool:
        name = tag.rpartition(":")[0]
        return any(n.count("/") == pattern.count("/") and fnmatchcase(n, pattern) for n in (tag, name))

    return lambda image: any(matches(tag, pattern) for tag in image.tags for pattern in values)


def _label(values: Sequence[str], find: Find, images: Sequence[Image]) -> Test:
    return lambda image: all(has_label(labels(image), value) for value in values)


def _without_label(values: Sequence[str], find: Find, images: Sequence[Image]) -> Test:
    return lambda image: not any(has_label(labels(image), value) for value in values)


def _dangling(values: Sequence[str], find: Find, images: Sequence[Image]) -> Test:
    wanted = truth("dangling", values)
    unnamed = dangling(images)
    return lambda image: (image.id in unnamed) == wanted


def _before(values: Sequence[str], find: Find, images: Sequence[Image]) -> Test:
    limit = min(made_at(find(value)) for value in values)
    return lambda image: made_at(image) < limit


def _since(values: Sequence[str], find: Find, images: Sequence[Image]) -> Test:
    limit = max(made_at(find(value)) for value in values)
    return lambda image: made_at(image) > limit


def _until(values: Sequence[str], find: Find, images: Sequence[Image]) -> Test:
    limit = min(_moment(value) for value in values)
    return lambda image: created(image) < limit


FILTERS: dict[str, Callable[[Sequence[str], Find, Sequence[Image]], Test]] = {
    "before": _before,
    "dangling": _dangling,
    "label": _label,
    "label!": _without_label,
    "reference": _reference,
    "since": _since,
    "until": _until,
}

UNITS = {"s": 1, "m": 60, "h": 3600}


def _moment(text: str) -> float:
    """A time in seconds since 1970, from such a number, a date (RFC 3339), or a time ago such as `10m`."""
    try:
        if text[-1:] in UNITS:
            return time.time() - float(text[:-1]) * UNITS[text[-1]]
        return float(text) if text.replace(".", "", 1).isdigit() else datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise BadParameter(f"invalid filter 'until={text}': a time, a date or a duration such as 10m") from None


def truth(name: str, values: Sequence[str]) -> bool:
    """The yes or no of a filter, in the words that Go takes. Raises BadParameter."""
    if all(value in TRUE for value in values):
        return True
    if all(value in FALSE for value in values):
        return False
    raise BadParameter(f"invalid filter '{name}={values}': true or false is needed")


def choose(images: Iterable[Image], filters: Mapping[str, Sequence[str]], find: Find) -> list[Image]:
    """The images that pass all filters. Raises BadParameter for a filter that Docker does not have."""
    everything = list(images)
    if unknown := sorted(set(filters) - set(FILTERS)):
        raise BadParameter(f"invalid filter '{unknown[0]}'")
    tests = [FILTERS[name](values, find, everything) for name, values in filters.items() if values]
    return [image for image in everything if all(test(image) for test in tests)]
