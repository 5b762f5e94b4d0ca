"""Messages to the kernel without root, and with it real cables between real namespaces."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from labkit import linux
from labkit.engine import rtnetlink
from labkit.engine.networks import bridge, endpoint, inside
from labkit.engine.networks.endpoint import Endpoint
from labkit.engine.networks.resolver import sockets
from labkit.engine.rtnetlink import Rtnetlink
from tests.runtime import bundle

GATEWAY = "10.213.77.1"
FIRST = Endpoint("c0ffee" + "1" * 58, "", "10.213.77.2", 24, GATEWAY, "02:42:0a:d5:4d:02", 0, ("169.254.8.8",))
SECOND = Endpoint("c0ffee" + "2" * 58, "", "10.213.77.3", 24, "", "02:42:0a:d5:4d:03", 1)


def test_an_attribute_is_padded_to_four_bytes():
    assert rtnetlink.attribute(3, b"lo\0") == b"\x07\0\x03\0lo\0\0"


def test_an_endpoint_survives_its_record():
    assert endpoint.from_json(FIRST.to_json()) == FIRST
    assert (SECOND.device, len(SECOND.cable)) == ("eth1", 14)
    assert len(endpoint.new_id()) == 64


def test_the_lowest_free_interface():
    assert [endpoint.free_number(taken) for taken in ([], [0, 1], [1, 2], [0, 2])] == [0, 2, 0, 1]


@pytest.fixture
def first() -> Endpoint:
    """With an id of its own in each test: the cable of the one before may still be on its way out."""
    return replace(FIRST, id=endpoint.new_id())


@pytest.fixture
def second() -> Endpoint:
    return replace(SECOND, id=endpoint.new_id())


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


@pytest.fixture
def link():
    bundle.needs_root()
    with Rtnetlink() as made:
        yield made


@pytest.fixture
def switch(link):
    made = bridge.stand_up(link, f"lkt{os.getpid()}", GATEWAY, 24, 1400)
    yield made
    bridge.take_down(link, made.name)
    assert made.name not in [name for _, name in socket.if_nameindex()]


def seen(pid: int, *command: str) -> str:
    return subprocess.run(["nsenter", "-t", str(pid), "-n", *command], capture_output=True, text=True).stdout


def test_a_bridge_is_found_again(link, switch):
    assert bridge.stand_up(link, switch.name, GATEWAY, 24, 1400) == switch


def test_a_cable_carries(link, switch, sleeper, first):
    bridge.plug_in(link, sleeper, [(first, switch)], GATEWAY)
    with linux.in_namespace(sleeper, "net", linux.CLONE_NEWNET):
        server = socket.create_server((first.ip, 8080))
    client = socket.create_connection((first.ip, 8080), timeout=5)
    server.settimeout(5)
    peer, address = server.accept()
    assert address[0] == GATEWAY, "the host speaks from the bridge's address"
    for end in (peer, client, server):
        end.close()


def test_two_cables_in_one_go(link, switch, sleeper, first, second):
    bridge.plug_in(link, sleeper, [(first, switch), (second, switch)], GATEWAY)
    addresses = seen(sleeper, "ip", "-4", "-o", "address")
    assert all(ip in addresses for ip in (first.ip, second.ip, "169.254.8.8/16"))
    assert "mtu 1400" in seen(sleeper, "ip", "link", "show", "eth1")
    assert f"default via {GATEWAY} dev eth0" in seen(sleeper, "ip", "route")


def container_with(sysctls: dict[str, str] | None) -> SimpleNamespace:
    return SimpleNamespace(host_config={"Sysctls": sysctls})


@pytest.mark.parametrize(
    ("sysctls", "off"),
    [(None, True), ({"net.ipv4.ip_forward": "1"}, True), ({"net.ipv6.conf.all.disable_ipv6": "0"}, False)],
)
def test_no_container_asks_its_neighbours_in_ipv6(link, switch, sleeper, first, sysctls, off):
    if not os.path.exists(inside.IPV6_OFF):
        pytest.skip("this kernel has no IPv6: start it without ipv6.disable=1")
    inside.ipv4_only(container_with(sysctls), sleeper)
    bridge.plug_in(link, sleeper, [(first, switch)], GATEWAY)
    assert ("fe80:" not in seen(sleeper, "ip", "-6", "-o", "address", "show", "eth0")) is off
    assert "::1/128" in seen(sleeper, "ip", "-6", "-o", "address", "show", "lo")


def test_a_cable_is_pulled_out(link, switch, sleeper, first, second):
    bridge.plug_in(link, sleeper, [(first, switch), (second, switch)], GATEWAY)
    bridge.take_down(link, first.cable)
    bridge.take_down(link, first.cable)
    bridge.configure(sleeper, [rtnetlink.default_route(GATEWAY)])
    assert "eth0" not in seen(sleeper, "ip", "link")
    assert f"default via {GATEWAY} dev eth1" in seen(sleeper, "ip", "route")


def test_without_a_cable_there_is_loopback_only(link, sleeper):
    bridge.plug_in(link, sleeper, [])
    packets, streams = sockets(sleeper)
    assert packets.getsockname() == streams.getsockname() == ("127.0.0.11", 53)
    packets.close()
    streams.close()
    assert "eth" not in seen(sleeper, "ip", "-o", "address")
    assert os.readlink("/proc/self/ns/net") != os.readlink(f"/proc/{sleeper}/ns/net"), "we are back home"
