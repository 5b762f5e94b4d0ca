"""Which volumes a list shows, and which a prune removes. Pure.

Values of one filter are joined with "or", labels and different filters with "and" (Docker Engine API, VolumeList,
VolumePrune).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from labkit.engine.errors import BadParameter

if TYPE_CHECKING:
    from labkit.engine.volumes.store import Volume

Filters = Mapping[str, Sequence[str]]
Test = Callable[["Volume", str, bool], bool]

YES, NO = ("1", "true", "True"), ("0", "false", "False")


def _labelled(volume: Volume, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    labels = volume.labels or {}
    return key in labels and (not equals or labels[key] == value)


def _search(pattern: str, text: str) -> bool:
    """A regular expression found anywhere; one that is none is taken as a text."""
    with contextlib.suppress(re.error):
        return re.search(pattern, text) is not None
    return pattern in text


LIST: dict[str, Test] = {
    "dangling": lambda volume, value, used: (value in YES) != used,
    "driver": lambda volume, value, used: value == "local",
    "label": lambda volume, value, used: _labelled(volume, value),
    "name": lambda volume, value, used: _search(value, volume.name),
}
"""The filters of `GET /volumes`: has this volume, in use or not, this value?"""

PRUNE: dict[str, Test] = {
    "all": lambda volume, value, used: True,  # says which are looked at: see `everything`
    "label": LIST["label"],
    "label!": lambda volume, value, used: not _labelled(volume, value),
}
"""The filters of `POST /volumes/prune`."""

ALL_MUST_FIT = ("label", "label!")


def check(filters: Filters, known: Mapping[str, Test] = LIST) -> None:
    """Raise BadParameter for a filter, or a value, that Docker does not have."""
    for name, values in filters.items():
        if name not in known:
            raise BadParameter(f"invalid filter '{name}'")
        if name in ("dangling", "all") and (len(values) != 1 or values[0] not in YES + NO):
            raise BadParameter(f"invalid filter '{name}=[{' '.join(values)}]'")


def passes(volume: Volume, filters: Filters, *, used: bool, known: Mapping[str, Test] = LIST) -> bool:
    """Whether a volume passes all filters; one without values lets everything pass."""
    return all(
        (all if name in ALL_MUST_FIT else any)(known[name](volume, value, used) for value in values)
        for name, values in filters.items()
        if values
    )


def everything(filters: Filters, api_version: tuple[int, int]) -> bool:
    """Whether a prune takes volumes that somebody named too: before API 1.42 always, since then with `all`."""
    return api_version < (1, 42) or any(value in YES for value in filters.get("all", ()))
