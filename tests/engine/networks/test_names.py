"""Who is called what on a network, and by which neighbours."""

import pytest

from labkit.engine.networks.names import Neighbour, View, addresses, links_of, name_at, names_of, reverse_address

WEB = Neighbour("10.0.0.2", ("web", "shop", "0123456789ab"))
ONE, TWO = Neighbour("10.0.0.3", ("db-1", "db")), Neighbour("10.0.0.4", ("db-2", "db"))
ELSEWHERE = Neighbour("10.1.0.2", ("web",))
FRONT, BACK = View("front", (WEB, ONE, TWO), {"database": "db-1"}), View("back net", (ELSEWHERE,), {})

ASKED = {
    "web": ["10.0.0.2"],
    "WEB.": ["10.0.0.2"],
    "shop": ["10.0.0.2"],
    "0123456789ab": ["10.0.0.2"],
    "web.front": ["10.0.0.2"],
    "web.back": [],
    "db": ["10.0.0.3", "10.0.0.4"],
    "database": ["10.0.0.3"],
    "database.front": ["10.0.0.3"],
    "example.com": [],
    "": [],
}


@pytest.mark.parametrize(("name", "found"), ASKED.items())
def test_a_name(name, found):
    assert addresses([FRONT], name) == found


def test_a_container_on_two_networks_sees_both():
    assert addresses([FRONT, BACK], "web") == ["10.0.0.2", "10.1.0.2"]
    assert addresses([], "web") == []


def test_an_address_has_a_name():
    assert name_at([FRONT, BACK], "10.0.0.4") == "db-2.front"
    assert name_at([FRONT], "10.1.0.2") == ""
    assert name_at([FRONT], "") == ""


def test_reverse_names():
    assert reverse_address("4.0.0.10.in-addr.arpa.") == "10.0.0.4"
    assert reverse_address("web.") == reverse_address("0.10.in-addr.arpa.") == reverse_address("1.2.3.4") == ""


def test_what_a_container_answers_to():
    names = names_of("0123456789abcdef", "web", "0123456789ab", {"Aliases": ["shop", "web"]})
    assert names == ("web", "shop", "0123456789ab")
    assert names_of("0123456789abcdef", "web", "mail", {})[-1] == "mail"


def test_links_of_an_endpoint():
    assert links_of({"Links": ["db-1:Database", "web"]}) == {"database": "db-1", "web": "web"}
    assert links_of({}) == {}
