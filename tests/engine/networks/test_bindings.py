"""Published ports as they are asked for and shown."""

import pytest

from labkit.engine.errors import ApiError
from labkit.engine.networks.bindings import EVERYWHERE, parse, rows, shown


def one(port: str, **row):
    (binding,) = parse({"PortBindings": {port: [row]}})
    return binding


def test_a_port():
    binding = one("80/tcp", HostIp="127.0.0.1", HostPort="8080")
    assert (binding.key, binding.addresses, list(binding.numbers)) == ("80/tcp", ("127.0.0.1",), [8080])


def test_what_is_left_out():
    binding = one("80")
    assert (binding.key, binding.addresses, list(binding.numbers)) == ("80/tcp", EVERYWHERE, [0])
    assert one("53/UDP", HostPort="0").key == "53/udp"
    assert parse({"PortBindings": {"80/tcp": None}})[0].addresses == EVERYWHERE


def test_a_range_of_which_one_is_taken():
    assert list(one("80/tcp", HostPort="8000-8002").numbers) == [8000, 8001, 8002]


def test_two_places_for_one_port():
    found = parse({"PortBindings": {"80/tcp": [{"HostPort": "81"}, {"HostPort": "82"}]}})
    assert [binding.numbers[0] for binding in found] == [81, 82]


def test_all_exposed_ports():
    host = {"PublishAllPorts": True, "PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}
    found = parse(host, ["80", "53/udp"])
    assert [(binding.key, binding.numbers[0]) for binding in found] == [("80/tcp", 8080), ("53/udp", 0)]
    assert parse({}, ["80"]) == []


def test_a_network_may_have_an_address_of_its_own_on_the_host():
    assert parse({"PublishAllPorts": True}, ["80"], "127.0.0.1")[0].addresses == ("127.0.0.1",)


REFUSED = [
    ("abc/tcp", {}, 400),
    ("0/tcp", {}, 400),
    ("70000/tcp", {}, 400),
    ("80/xyz", {}, 400),
    ("80/sctp", {}, 501),
    ("80/tcp", {"HostPort": "abc"}, 400),
    ("80/tcp", {"HostPort": "99999"}, 400),
    ("80/tcp", {"HostPort": "9000-8000"}, 400),
    ("80/tcp", {"HostIp": "zz"}, 400),
]


@pytest.mark.parametrize(("port", "row", "status"), REFUSED)
def test_refused(port, row, status):
    with pytest.raises(ApiError) as refusal:
        one(port, **row)
    assert refusal.value.status == status


def test_what_is_shown():
    place = {"HostIp": "0.0.0.0", "HostPort": "8080"}
    ports = shown(["80", "7000/tcp"], {"80/tcp": [place]})
    assert ports == {"80/tcp": [place], "7000/tcp": None}
    assert list(rows(ports)) == [
        {"PrivatePort": 7000, "Type": "tcp"},
        {"IP": "0.0.0.0", "PrivatePort": 80, "Type": "tcp", "PublicPort": 8080},
    ]
