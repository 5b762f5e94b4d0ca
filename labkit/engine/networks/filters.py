"""Which networks a list shows, and which a prune removes. Pure.

Values of one filter are joined with "or", labels and different filters with "and" (Docker Engine API, NetworkList,
NetworkPrune).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from labkit.engine.containers import timestamps
from labkit.engine.errors import BadParameter
from labkit.engine.matching import NO, YES, has_label, search
from labkit.engine.networks.record import Network

Filters = Mapping[str, Sequence[str]]
Test = Callable[[Network, str, bool], bool]

# filter -> has this network, in use or not, this value?
LIST: dict[str, Test] = {
    # as Docker: dangling are those that somebody made and nobody uses
    "dangling": lambda network, value, used: (value in YES) == (network.user_defined and not used),
    "driver": lambda network, value, used: network.driver == value,
    "id": lambda network, value, used: search(value, network.id),
    "label": lambda network, value, used: has_label(network.labels, value),
    "name": lambda network, value, used: search(value, network.name),
    "scope": lambda network, value, used: value == "local",
    "type": lambda network, value, used: (value == "builtin") == network.predefined,
}
"""The filters of `GET /networks`."""

CHOICES = {
    "dangling": (YES + NO, 'must be "true" (or "1"), or "false" (or "0")'),
    "type": (("custom", "builtin"), 'must be "custom" or "builtin"'),
}

PRUNE: dict[str, Test] = {
    "label": LIST["label"],
    "label!": lambda network, value, used: not has_label(network.labels, value),
    "until": lambda network, value, used: timestamps.parse(network.created) < timestamps.moment(value),
}
"""The filters of `POST /networks/prune`."""

ALL_MUST_FIT = ("label", "label!", "until")


def check(filters: Filters, known: Mapping[str, Test] = LIST) -> None:
    """Raise BadParameter for a filter, or a value, that Docker does not have."""
    for name, values in filters.items():
        if name not in known:
            raise BadParameter(f"Invalid filter '{name}'")
        choices, words = CHOICES.get(name, ((), ""))
        for value in values:
            if choices and value not in choices:
                raise BadParameter(f"invalid value for filter '{name}': {value}, {words}")


def passes(network: Network, filters: Filters, used: bool, known: Mapping[str, Test] = LIST) -> bool:
    """Whether a network passes all filters; one without values lets everything pass."""
    return all(
        (all if name in ALL_MUST_FIT else any)(known[name](network, value, used) for value in values)
        for name, values in filters.items()
        if values
    )
