"""Which networks a list shows and a prune removes."""

import pytest

from labkit.engine.errors import BadParameter
from labkit.engine.networks import filters
from labkit.engine.networks.record import Network

BRIDGE = Network("b" * 64, "bridge", "2026-01-01T00:00:00Z")
WEB = Network("c0ffee" + "0" * 58, "web", "2026-01-02T00:00:00Z", labels={"a": "1", "empty": ""})
DATA = Network("d" * 64, "web-data", "2026-01-03T00:00:00Z")
HOST = Network("e" * 64, "host", "2026-01-01T00:00:00Z", "host")
USED = {WEB.id}

LISTED = {  # filters: names
    "nothing": ({}, ["bridge", "web", "web-data", "host"]),
    "part of a name": ({"name": ["we"]}, ["web", "web-data"]),
    "a pattern": ({"name": ["^web$", "ost"]}, ["web", "host"]),
    "no pattern": ({"name": ["("]}, []),
    "beginning of an id": ({"id": ["c0ffee"]}, ["web"]),
    "driver": ({"driver": ["host", "null"]}, ["host"]),
    "label": ({"label": ["a"]}, ["web"]),
    "labels are joined by and": ({"label": ["a=1", "b"]}, []),
    "made by somebody": ({"type": ["custom"]}, ["web", "web-data"]),
    "always there": ({"type": ["builtin"]}, ["bridge", "host"]),
    "nobody uses": ({"dangling": ["true"]}, ["web-data"]),
    "all others": ({"dangling": ["0"]}, ["bridge", "web", "host"]),
    "scope": ({"scope": ["swarm"]}, []),
    "two filters": ({"type": ["custom"], "name": ["data"]}, ["web-data"]),
}


@pytest.mark.parametrize(("wanted", "names"), LISTED.values(), ids=LISTED)
def test_list(wanted, names):
    filters.check(wanted)
    networks = (BRIDGE, WEB, DATA, HOST)
    assert [n.name for n in networks if filters.passes(n, wanted, n.id in USED)] == names


PRUNED = {
    "label": ({"label": ["a=1"]}, ["web"]),
    "but not a label": ({"label!": ["a"]}, ["web-data"]),
    "older than": ({"until": ["2026-01-02T12:00:00Z"]}, ["web"]),
}


@pytest.mark.parametrize(("wanted", "names"), PRUNED.values(), ids=PRUNED)
def test_prune(wanted, names):
    filters.check(wanted, filters.PRUNE)
    assert [n.name for n in (WEB, DATA) if filters.passes(n, wanted, False, filters.PRUNE)] == names


@pytest.mark.parametrize("wanted", [{"colour": ["x"]}, {"type": ["x"]}, {"dangling": ["x"]}, {"until": ["1h"]}])
def test_what_docker_does_not_have(wanted):
    with pytest.raises(BadParameter):
        filters.check(wanted)
