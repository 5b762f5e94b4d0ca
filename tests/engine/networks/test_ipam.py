"""Subnet, range and gateway of a network: asked for, chosen, refused."""

from ipaddress import IPv4Network

import pytest

from labkit.engine.errors import ApiError
from labkit.engine.networks.ipam import plan

TAKEN = [IPv4Network("172.31.0.0/16"), IPv4Network("10.1.0.0/16")]


def config(**row) -> dict:
    return {"Config": [row]}


def test_nothing_asked_is_a_free_range_and_its_first_address():
    made = plan({"Driver": "default", "Config": None}, TAKEN)
    assert (made.subnet, made.gateway, made.by_hand) == ("172.30.0.0/16", "172.30.0.1", False)
    assert made.shown == [{"Subnet": "172.30.0.0/16", "Gateway": "172.30.0.1"}]


def test_all_that_can_be_asked():
    row = {
        "Subnet": "172.28.0.0/16",
        "IPRange": "172.28.5.0/24",
        "Gateway": "172.28.5.254",
        "AuxiliaryAddresses": {"a": "172.28.5.0", "b": "172.28.5.1"},
    }
    made = plan(config(**row), TAKEN)
    assert made.shown == [row], "inspect shows what was asked"
    assert made.by_hand
    assert made.addresses().take() == "172.28.5.2", "in the range, and nobody else's"


def test_a_subnet_may_be_written_as_one_of_its_addresses():
    made = plan(config(Subnet="10.77.7.7/24"), TAKEN)
    assert (made.subnet, made.gateway, made.shown[0]["Subnet"]) == ("10.77.7.0/24", "10.77.7.1", "10.77.7.7/24")


def test_ipv6_is_kept_and_an_ipv4_range_chosen():
    made = plan(config(Subnet="2001:389::/64", Gateway="2001:389::ffff"), TAKEN)
    assert made.subnet == "172.30.0.0/16"
    assert made.shown[1] == {"Subnet": "2001:389::/64", "Gateway": "2001:389::ffff"}


REFUSED = {  # what: (IPAM, status, part of Docker's words)
    "no subnet": (config(Gateway="10.9.0.1"), 400, "Invalid subnet"),
    "nonsense": (config(Subnet="abc"), 400, "invalid CIDR address: abc"),
    "an address": (config(Subnet="10.9.0.1"), 400, "Invalid subnet"),
    "everything": (config(Subnet="0.0.0.0/0"), 400, "not a range"),
    "loopback": (config(Subnet="127.5.0.0/16"), 400, "not a range"),
    "in use": (config(Subnet="10.1.7.0/24"), 403, "Pool overlaps"),
    "too small": (config(Subnet="10.9.0.0/31"), 400, "No available addresses"),
    "foreign gateway": (config(Subnet="10.9.0.0/24", Gateway="10.8.0.1"), 400, "out of range"),
    "no gateway at all": (config(Subnet="10.9.0.0/24", Gateway="x"), 400, "Invalid IPv4 address"),
    "foreign range": (config(Subnet="10.9.0.0/24", IPRange="10.8.0.0/25"), 400, "not in the subnet"),
    "no range at all": (config(Subnet="10.9.0.0/24", IPRange="x"), 400, "subpool"),
    "foreign neighbour": (config(Subnet="10.9.0.0/24", AuxiliaryAddresses={"a": "10.8.0.1"}), 400, "out of range"),
    "neighbour is gateway": (config(Subnet="10.9.0.0/24", AuxiliaryAddresses={"a": "10.9.0.1"}), 403, "in use"),
    "two subnets": ({"Config": [{"Subnet": "10.8.0.0/24"}, {"Subnet": "10.9.0.0/24"}]}, 400, "multiple subnets"),
    "another driver": ({"Driver": "nosuch"}, 404, 'plugin "nosuch" not found'),
}


@pytest.mark.parametrize(("asked", "status", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(asked, status, words):
    with pytest.raises(ApiError, match=words) as refusal:
        plan(asked, TAKEN)
    assert refusal.value.status == status
