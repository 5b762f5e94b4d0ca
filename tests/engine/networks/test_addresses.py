"""The addresses of a network: the next free one, one that was asked for, and rest before reuse."""

from ipaddress import IPv4Network

import pytest

from labkit.engine.errors import ApiError, BadParameter, Forbidden
from labkit.engine.networks.addresses import Addresses, mac_for


@pytest.fixture
def addresses() -> Addresses:
    return Addresses(IPv4Network("10.0.0.0/29"), taken=["10.0.0.1"])


def test_addresses_rest_before_they_are_given_again(addresses):
    first, second = addresses.take(), addresses.take()
    addresses.give_back(first)
    assert [first, second, addresses.take()] == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]


def test_a_full_network_says_so_and_goes_on_when_one_is_free(addresses):
    given = [addresses.take() for _ in range(5)]
    with pytest.raises(ApiError, match="no available IPv4 addresses"):
        addresses.take()
    addresses.give_back(given[2])
    assert addresses.take() == given[2]


def test_an_address_that_was_asked_for(addresses):
    assert addresses.take("10.0.0.5") == "10.0.0.5"
    assert "10.0.0.5" not in [addresses.take() for _ in range(4)]


@pytest.mark.parametrize("address", ["10.0.0.0", "10.0.0.1", "10.0.0.7"])
def test_network_gateway_and_broadcast_are_taken(addresses, address):
    with pytest.raises(Forbidden, match="Address already in use"):
        addresses.take(address)


@pytest.mark.parametrize(("address", "words"), [("10.0.1.2", "does not belong"), ("ten", "Invalid IPv4 address: ten")])
def test_what_is_no_address_of_this_network(addresses, address, words):
    with pytest.raises(BadParameter, match=words):
        addresses.take(address)


def test_a_range_within_the_subnet():
    within = Addresses(IPv4Network("10.0.0.0/24"), IPv4Network("10.0.0.128/30"))
    assert [within.take() for _ in range(4)] == [f"10.0.0.{n}" for n in range(128, 132)]
    assert within.take("10.0.0.5") == "10.0.0.5", "one that is asked for may lie outside the range"


def test_what_lived_on_keeps_its_address(addresses):
    addresses.reserve("10.0.0.2")
    assert addresses.take() == "10.0.0.3"


def test_the_hardware_address_follows_from_the_address():
    assert mac_for("172.17.0.10") == "02:42:ac:11:00:0a"
