"""The bridge: address ranges and messages without root, and a real cable between two namespaces with it."""

import ipaddress
import os
import socket
import subprocess
import sys

import pytest

from labkit import linux
from labkit.engine import network, rtnetlink
from labkit.engine.network import Bridge, free_pool, routes
from labkit.engine.state import State
from tests.runtime import bundle

TABLE = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
vpn\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_routes_are_read_and_the_default_left_out():
    assert [str(r) for r in routes(TABLE)] == ["172.17.0.0/16", "192.168.0.0/16"]


def test_a_free_range_collides_with_no_route():
    taken = [ipaddress.IPv4Network("172.31.0.0/16"), ipaddress.IPv4Network("172.16.0.0/13")]
    assert not any(free_pool(taken).overlaps(net) for net in taken)
    assert str(free_pool([])) == "172.31.0.0/16"


def test_a_full_machine_says_so():
    with pytest.raises(OSError, match="no free address range"):
        free_pool([ipaddress.IPv4Network("0.0.0.0/0")])


def test_an_attribute_is_padded_to_four_bytes():
    assert rtnetlink.attribute(3, b"lo\0") == b"\x07\0\x03\0lo\0\0"


def test_addresses_rest_before_they_are_given_again():
    bridge = Bridge("none", ipaddress.IPv4Network("10.0.0.0/29"))
    first, second = bridge._endpoint(), bridge._endpoint()
    bridge.release(first)
    assert [e.ip for e in (first, second, bridge._endpoint())] == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
    with pytest.raises(OSError, match="no free address"):
        for _ in range(9):
            bridge._endpoint()


@pytest.fixture
def sleeper():
    """A process in a network namespace of its own."""
    bundle.needs_root()
    script = "from labkit import linux; linux.unshare(linux.CLONE_NEWNET); print(1, flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout and child.stdout.readline()
    yield child.pid
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()


async def test_a_cable_carries(sleeper: int, tmp_path):
    bridge = await Bridge.create(State(tmp_path, tmp_path))
    try:
        assert bridge.error == ""
        endpoint = bridge.attach("c0ffee123456789", sleeper)
        with linux.in_namespace(sleeper, "net", linux.CLONE_NEWNET):
            server = socket.create_server((endpoint.ip, 8080))
        client = socket.create_connection((endpoint.ip, 8080), timeout=5)
        server.settimeout(5)
        peer, address = server.accept()
        assert address[0] == endpoint.gateway, "the host speaks from the bridge's address"
        for end in (peer, client, server):
            end.close()
        again = await Bridge.create(State(tmp_path, tmp_path))
        assert again.describe() == bridge.describe(), "a second engine process finds the same bridge"
        again.close()
    finally:
        bridge.remove()
        bridge.close()


async def test_mode_none_has_loopback_only(sleeper: int, tmp_path):
    bridge = Bridge("none", network.POOLS[0])
    assert bridge.attach("id", sleeper, "none").ip == ""
    with open(f"/proc/{sleeper}/net/dev") as file:
        devices = [line.split(":")[0].strip() for line in file.readlines()[2:]]
    assert "lo" in devices and not any(d.startswith("eth") for d in devices)
    with linux.in_namespace(sleeper, "net", linux.CLONE_NEWNET):
        server = socket.create_server(("127.0.0.1", 8080))
    server.close()
    assert os.readlink("/proc/self/ns/net") != os.readlink(f"/proc/{sleeper}/ns/net"), "we are back home"
