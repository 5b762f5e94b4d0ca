"""The filters of `docker ps`, one by one."""

import pytest

from labkit.engine.containers import filters
from labkit.engine.containers.filters import Context
from labkit.engine.containers.record import State
from labkit.engine.errors import BadParameter, NotFound
from tests.engine.containers.fakes import IMAGE, make_container

OLD = make_container(id="0" * 64, name="old", created="2025-01-01T00:00:00.000000000Z")
IT = make_container(
    config={"ExposedPorts": {"80/tcp": {}}, "Labels": {"colour": "blue", "empty": ""}},
    state=State("exited", exit_code=3),
    endpoints={"bridge": {}},
    mounts=[{"type": "bind", "source": "/srv", "destination": "/data", "options": []}],
)
CONTEXT = Context({"old": OLD, "it": IT}.get, {"busybox": {IMAGE.id}}, {"bridge": "b" * 64})

PASSES = {  # filter: (values that find the container, values that don't)
    "ancestor": (["busybox"], ["debian"]),
    "before": ([], ["old"]),
    "since": (["old"], ["it"]),
    "exited": (["3"], ["0"]),
    "expose": (["80"], ["81"]),
    "health": (["none"], ["healthy"]),
    "id": (["1234567890ab"], ["ffff"]),
    "is-task": (["false"], ["true"]),
    "label": (["colour", "empty"], ["colour=red"]),
    "name": (["^/?merry", "teapot"], ["^teapot"]),
    "network": (["bridge"], ["host"]),
    "publish": ([], ["80"]),
    "status": (["running", "exited"], ["running"]),
    "volume": (["/data"], ["/other"]),
}


@pytest.mark.parametrize("name", PASSES)
def test_filter(name):
    finds, misses = PASSES[name]
    assert filters.passes(IT, {name: finds}, CONTEXT)
    assert not filters.passes(IT, {name: misses}, CONTEXT)


def test_every_filter_of_docker_is_known():
    assert set(PASSES) | {"isolation"} == set(filters.FILTERS)


def test_labels_must_all_be_there():
    assert not filters.passes(IT, {"label": ["colour=blue", "missing"]}, CONTEXT)


def test_two_filters_must_both_pass():
    assert not filters.passes(IT, {"name": ["teapot"], "status": ["running"]}, CONTEXT)


def test_one_that_never_ran_has_no_exit_code():
    assert not filters.passes(make_container(), {"exited": ["0"]}, CONTEXT)


def test_a_pattern_that_is_none_finds_nothing():
    assert not filters.passes(IT, {"name": ["["]}, CONTEXT)


def test_since_a_container_that_is_not_there():
    with pytest.raises(NotFound, match="no such container nobody"):
        filters.passes(IT, {"since": ["nobody"]}, CONTEXT)


REFUSED = {
    "zork": ("1", "invalid filter 'zork'"),
    "status": ("foo", "invalid filter 'status=foo'"),
    "exited": ("x", "invalid syntax"),
    "health": ("zz", "Unrecognised filter value for health: zz"),
    "is-task": ("x", "invalid filter"),
    "publish": ("x", "error while looking up for publish x"),
}


@pytest.mark.parametrize(("name", "case"), REFUSED.items(), ids=REFUSED)
def test_refused(name, case):
    value, words = case
    with pytest.raises(BadParameter) as refusal:
        filters.check({name: [value]})
    assert words in refusal.value.message


@pytest.mark.parametrize(
    ("text", "ports"), [("80", ["80/tcp"]), ("53/udp", ["53/udp"]), ("80-82", ["80/tcp", "81/tcp", "82/tcp"])]
)
def test_port_range(text, ports):
    assert filters.port_range(text) == ports
