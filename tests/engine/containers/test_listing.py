"""`docker ps`: the text of a row is kept, and made anew whenever anything in it changes."""

import json

import pytest

from labkit.engine.containers import listing
from labkit.engine.containers.record import State
from labkit.engine.errors import BadParameter
from labkit.engine.networks import attach
from tests.engine.containers.fakes import make_engine, new

LATER = "2026-01-01T12:00:00Z"


@pytest.fixture
def engine(tmp_path):
    return make_engine(tmp_path)


def listed(engine, **how):
    return json.loads(listing.text(engine, listing.chosen(engine, how.pop("wanted", {}), all=True, **how)))


def running(container):
    container.state = State("running", 7, started_at=LATER)


def rename(engine, container):
    engine.containers.rename(container, "another")
    engine.containers.save(container)


def move_the_tag(engine, container):
    engine.images.tags = lambda: {"busybox:latest": "sha256:" + "b" * 64}


def replace_the_network(engine, container):
    engine.networks.ids = lambda: {"host": "another id"}


def link(engine, container):
    new(engine, "parent").links = {"db": container.id}


CHANGES = {
    "Names": [rename, link],
    "Image": [move_the_tag],
    "State": [lambda engine, container: running(container)],
    "Status": [lambda engine, container: running(container)],
    "NetworkSettings": [replace_the_network],
}


@pytest.mark.parametrize(("field", "change"), [(field, one) for field, many in CHANGES.items() for one in many])
def test_a_change_is_seen(engine, field, change):
    container = new(engine, "one")
    before = listed(engine)[0]
    change(engine, container)
    after = next(row for row in listed(engine) if row["Id"] == container.id)
    assert after[field] != before[field]


async def test_a_further_network_is_seen(engine):
    container = new(engine, "one", HostConfig={"NetworkMode": "bridge"})
    assert listed(engine)[0]["NetworkSettings"]["Networks"].keys() == {"bridge"}
    await attach.disconnect(engine, container, "bridge")
    assert listed(engine)[0]["NetworkSettings"]["Networks"].keys() == set()


def test_what_has_not_changed_is_not_made_again(engine, monkeypatch):
    new(engine, "one")
    before = listed(engine)
    monkeypatch.setattr(listing.views, "summary", lambda *_: pytest.fail("the row was made again"))
    assert listed(engine) == before


def test_the_newest_comes_first_and_a_limit_takes_those(engine):
    for name in ("one", "two", "three"):
        new(engine, name)
    assert [row["Names"] for row in listed(engine)] == [["/three"], ["/two"], ["/one"]]
    assert [row["Names"] for row in listed(engine, limit=2)] == [["/three"], ["/two"]]


def test_a_filter_that_docker_does_not_have(engine):
    with pytest.raises(BadParameter, match="invalid filter 'colour'"):
        listing.chosen(engine, {"colour": ["blue"]})


async def test_sizes_stand_in_rows_where_they_are_asked_for(engine):
    new(engine, "one")
    row = (await listing.with_sizes(engine, listing.chosen(engine, {}, all=True)))[0]
    assert (row["SizeRw"], row["SizeRootFs"]) == (10, 1010)
    assert row.items() >= listed(engine)[0].items()
