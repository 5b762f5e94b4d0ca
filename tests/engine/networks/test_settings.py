"""What a container asks of its networks, and what is refused to it."""

import pytest

from labkit.engine.errors import BadParameter
from labkit.engine.networks import create, settings
from labkit.engine.networks.record import Network

BRIDGE = Network("b" * 64, "bridge", "")
AUTO = create.network({"Name": "auto"}, "a" * 64, [])
BY_HAND = create.network({"Name": "hand", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}}, "c" * 64, [])
NAMES = {"c0ffee": "web"}

ALIAS = {"Aliases": ["db"]}
WANTED = {  # NetworkMode, EndpointsConfig: the record's endpoints
    "nothing": ("default", {}, {"bridge": {}}),
    "a name": ("web", {}, {"web": {}}),
    "an id": ("c0ffee", {}, {"web": {}}),
    "none": ("none", {}, {"none": {}}),
    "host": ("host", {"web": {}}, {"host": {}}),
    "of another": ("container:abc", {"web": {}}, {}),
    "settings": ("web", {"c0ffee": ALIAS}, {"web": ALIAS}),
    "settings say it all": ("default", {"web": None}, {"web": {}}),
    "the mode's network first": ("web", {"other": {}, "web": ALIAS}, {"web": ALIAS, "other": {}}),
    "what is shown is not what is asked": ("web", {"web": {"IPAddress": "1.2.3.4", "Links": []}}, {"web": {}}),
}


@pytest.mark.parametrize(("mode", "asked", "endpoints"), WANTED.values(), ids=WANTED)
def test_wanted(mode, asked, endpoints):
    found = settings.wanted(mode, asked, lambda ref: NAMES.get(ref, ref))
    assert list(found.items()) == list(endpoints.items())


@pytest.mark.parametrize("mac", ["02:42:ac:11:00:0a", "02-42-AC-11-00-0A"])
def test_a_hardware_address(mac):
    assert settings.check_mac(mac) == "02:42:ac:11:00:0a"


@pytest.mark.parametrize("mac", ["zz", "02:42:ac:11:00", "01:00:5e:00:00:01"])
def test_no_hardware_address_of_one_machine(mac):
    with pytest.raises(BadParameter, match="invalid MAC address"):
        settings.kept({"MacAddress": mac})


OWN = {"IPAMConfig": {"IPv4Address": "10.9.0.9"}}
REFUSED = {
    "an address on the default bridge": (BRIDGE, OWN, settings.NO_OWN_IP),
    "an alias on the default bridge": (BRIDGE, ALIAS, settings.NO_ALIAS),
    "an address where nobody chose the subnet": (AUTO, OWN, "user configured subnets"),
    "nonsense": (BY_HAND, {"IPAMConfig": {"IPv4Address": "x"}}, "Invalid IPv4 address"),
    "a nonsensical second address": (BRIDGE, {"IPAMConfig": {"LinkLocalIPs": ["x"]}}, "Invalid IPv4 address"),
}


@pytest.mark.parametrize(("network", "asked", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(network, asked, words):
    with pytest.raises(BadParameter, match=words):
        settings.check_on(network, asked)


def test_what_can_be_had():
    settings.check_on(BY_HAND, OWN | ALIAS)
    settings.check_on(BRIDGE, {"IPAMConfig": {"LinkLocalIPs": ["169.254.8.8"]}})


CONNECT = {  # network, NetworkMode, networks that it is on: the words
    "host's container": ("web", "host", ["host"], settings.SHARES),
    "container of another": ("web", "container:abc", [], settings.SHARES),
    "to host": ("host", "default", ["bridge"], settings.IS_HOST),
    "to none": ("none", "default", ["bridge"], settings.IS_NONE),
    "from none": ("web", "none", ["none"], settings.IS_NONE),
}


@pytest.mark.parametrize(("network", "mode", "present", "words"), CONNECT.values(), ids=CONNECT)
def test_connect_refused(network, mode, present, words):
    with pytest.raises(BadParameter) as refusal:
        settings.check_connect(Network("", network, ""), mode, {name: {} for name in present})
    assert refusal.value.message == words


def test_connect_to_a_second_network():
    settings.check_connect(AUTO, "default", {"bridge": {}})
    settings.check_connect(AUTO, "none", {})
