"""Address ranges: read from the routing table, and chosen so that they collide with nothing in it."""

import ipaddress

import pytest

from labkit.engine.networks import pools
from labkit.engine.networks.pools import POOLS, destinations, free_pool, routes, uplinks

TABLE = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
vpn\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_routes_are_read_and_the_default_left_out():
    assert [str(network) for network in destinations(routes(TABLE))] == ["172.17.0.0/16", "192.168.0.0/16"]


def test_the_way_to_the_world_is_the_default_route():
    assert uplinks(routes(TABLE)) == ["eth0"]


def test_a_free_range_collides_with_no_route():
    taken = [ipaddress.IPv4Network("172.31.0.0/16"), ipaddress.IPv4Network("172.16.0.0/13")]
    assert not any(free_pool(taken).overlaps(net) for net in taken)
    assert str(free_pool([])) == "172.31.0.0/16"


def test_every_range_can_be_given_once():
    assert free_pool(POOLS[:-1]) == POOLS[-1]
    with pytest.raises(OSError, match="no free address range"):
        free_pool(POOLS)


def test_the_machine_tells_its_routes_and_no_table_is_no_error():
    assert all(isinstance(device, str) for device, _ in pools.host_routes())
    assert pools.host_routes("/no/such/table") == []
