"""The filters of `docker volume ls` and `docker volume prune`."""

import pytest

from labkit.engine.errors import BadParameter
from labkit.engine.volumes import filters
from labkit.engine.volumes.store import Volume

VOLUME = Volume("data-1", "/v", "2026-01-01T12:00:00Z", {"a": "b", "empty": ""})


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ({}, True),
        ({"name": ["ata"]}, True),
        ({"name": ["^1", "^data"]}, True),
        ({"name": ["("]}, False),
        ({"name": ["other"]}, False),
        ({"label": ["a", "empty="]}, True),
        ({"label": ["a=b", "none"]}, False),
        ({"label": ["a=c"]}, False),
        ({"driver": ["local"]}, True),
        ({"driver": ["foo"]}, False),
        ({"dangling": ["true"]}, False),
        ({"dangling": ["0"]}, True),
    ],
)
def test_of_a_volume_in_use(wanted, shown):
    assert filters.passes(VOLUME, wanted, used=True) is shown


@pytest.mark.parametrize(
    "wanted", [{"foo": ["x"]}, {"label!": ["x"]}, {"dangling": ["foo"]}, {"dangling": ["true", "false"]}]
)
def test_what_docker_does_not_have(wanted):
    with pytest.raises(BadParameter, match="invalid filter"):
        filters.check(wanted)


def test_prune_knows_what_not_to_take():
    filters.check({"label!": ["x"], "all": ["true"]}, filters.PRUNE)
    assert not filters.passes(VOLUME, {"label!": ["a"]}, used=False, known=filters.PRUNE)
    assert filters.passes(VOLUME, {"label!": ["a=c", "x"]}, used=False, known=filters.PRUNE)


@pytest.mark.parametrize(
    ("wanted", "version", "expected"),
    [({}, (1, 41), True), ({}, (1, 42), False), ({"all": ["1"]}, (1, 45), True), ({"all": ["false"]}, (1, 45), False)],
)
def test_named_volumes_are_spared_since_1_42(wanted, version, expected):
    assert filters.everything(wanted, version) is expected
