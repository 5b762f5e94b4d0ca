"""Which volumes a list shows, and which a prune removes. Pure.

Values of one filter are joined with "or", labels and different filters with "and" (Docker Engine API, VolumeList,
VolumePrune).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from labkit.engine.errors import BadParameter
from labkit.engine.matching import NO, YES, has_label, search

if TYPE_CHECKING:
    from labkit.engine.volumes.store import Volume

Filters = Mapping[str, Sequence[str]]
Test = Callable[["Volume", str, bool], bool]

LIST: dict[str, Test] = {
    "dangling": lambda volume, value, used: (value in YES) != used,
    "driver": lambda volume, value, used: value == "local",
    "label": lambda volume, value, used: has_label(volume.labels or {}, value),
    "name": lambda volume, value, used: search(value, volume.name),
}
"""The filters of `GET /volumes`: has this volume, in use or not, this value?"""

PRUNE: dict[str, Test] = {
    "all": lambda volume, value, used: True,  # says which are looked at: see `everything`
    "label": LIST["label"],
    "label!": lambda volume, value, used: not has_label(volume.labels or {}, value),
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
