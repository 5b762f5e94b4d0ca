"""A container's endpoints over its life, without a kernel: reserved, written down, given back."""

import json

import pytest

from labkit.engine.errors import Forbidden
from labkit.engine.networks import attach, bridge
from tests.engine.containers.fakes import make_engine, new


@pytest.fixture
async def ours(tmp_path):
    """An engine whose default bridge is a name."""
    made = make_engine(tmp_path)
    network = made.networks.get("bridge")
    made.networks._bridges[network.id] = bridge.Bridge(network.device, 7)
    return made


def on_bridge(engine, name: str):
    return new(engine, name, HostConfig={"NetworkMode": "bridge"})


async def test_addresses_are_reserved_and_given_back(ours):
    one, other = on_bridge(ours, "one"), on_bridge(ours, "other")
    network = ours.networks.get("bridge")
    for container in (one, other):
        attach.reserve(ours, container)
    ips = {container.attached["bridge"]["ip"] for container in (one, other)}
    assert len(ips) == 2
    assert set(ours.networks.members[network.id]) == {one.id, other.id}
    assert attach.release(ours, one) == [network]
    assert attach.release(ours, one) == [], "twice is as good as once"
    assert set(ours.networks.members[network.id]) == {other.id}


async def test_reserving_twice_keeps_one_address(ours):
    one = on_bridge(ours, "one")
    addresses = ours.networks.addresses_of(ours.networks.get("bridge").id)
    before = len(addresses._used)
    for _ in range(3):
        attach.reserve(ours, one)
    assert len(addresses._used) == before + 1


async def test_a_start_that_nobody_wrote_down_is_read_from_the_oci_config(ours, tmp_path):
    one = on_bridge(ours, "one")
    attach.reserve(ours, one)
    seen, one.attached = one.attached, {}
    (tmp_path / "config.json").write_text(json.dumps({"annotations": {attach.ANNOTATION: json.dumps(seen)}}))
    attach.read_oci_annotations(one, str(tmp_path / "config.json"))
    assert one.attached == seen
    attach.read_oci_annotations(one, str(tmp_path / "missing.json"))
    assert one.attached == seen


async def test_a_network_with_a_container_starting_on_it_cannot_go(ours):
    one = on_bridge(ours, "one")
    attach.reserve(ours, one)
    with pytest.raises(Forbidden):
        await ours.networks.remove(ours.networks.get("bridge"))


async def test_without_a_bridge_a_container_has_loopback_only(tmp_path):
    engine = make_engine(tmp_path)
    one = on_bridge(engine, "one")
    attach.reserve(engine, one)
    assert one.attached["bridge"]["ip"] == ""
