"""From a request to the record of a network, and back from its file."""

import json

import pytest

from labkit.engine.errors import ApiError
from labkit.engine.networks import record
from labkit.engine.networks.create import network, warning

ID = "0123456789ab" + "0" * 52


def test_a_plain_network():
    made = network({"Name": "web"}, ID, [])
    assert (made.name, made.driver, made.device) == ("web", "bridge", "lk-0123456789ab")
    assert len(made.device) < 16, "IFNAMSIZ, netdevice(7)"
    assert made.user_defined and made.external and made.masquerade and warning(made) == ""


def test_a_record_survives_its_file():
    body = {"Name": "test 01", "Internal": True, "EnableIPv6": True, "Labels": {"a": "1"}, "Options": {"o": "p"}}
    row = {"Subnet": "10.9.0.0/24", "AuxiliaryAddresses": {"x": "10.9.0.9"}}
    made = network(body | {"IPAM": {"Config": [row]}}, ID, [])
    assert record.from_json(json.loads(json.dumps(record.to_json(made)))) == made
    assert not made.external
    assert "IPv6" in warning(made)


def test_what_clients_see_has_dockers_fields():
    shown = record.shown(network({"Name": "web", "Labels": {"a": "1"}}, ID, []))
    assert shown["Labels"] == {"a": "1"}
    assert shown["IPAM"]["Config"][0].keys() == {"Subnet", "Gateway"}
    assert (shown["Scope"], shown["Containers"], shown["Internal"]) == ("local", {}, False)


REFUSED = {  # what: (body, status, part of the words)
    "no name": ({"Name": ""}, 400, "invalid name"),
    "a blank": ({"Name": " "}, 400, "invalid name"),
    "a slash": ({"Name": "a/b"}, 400, "invalid name"),
    "a mode": ({"Name": "container:a"}, 400, "invalid name"),
    "bridge": ({"Name": "bridge"}, 403, "predefined bridge"),
    "default": ({"Name": "default"}, 403, "predefined default"),
    "host driver": ({"Driver": "host"}, 403, 'only one instance of "host" network'),
    "null driver": ({"Driver": "null"}, 403, 'only one instance of "null" network'),
    "overlay": ({"Driver": "overlay"}, 503, "not a swarm manager"),
    "macvlan": ({"Driver": "macvlan"}, 501, "macvlan"),
    "unknown driver": ({"Driver": "nosuch"}, 404, 'plugin "nosuch" not found'),
    "ingress": ({"Ingress": True}, 403, "Ingress"),
    "another scope": ({"Scope": "swarm"}, 503, "swarm"),
    "configuration only": ({"ConfigOnly": True}, 501, "ConfigOnly"),
    "kept apart": ({"Options": {record.BETWEEN_CONTAINERS: "false"}}, 501, "enable_icc"),
    "mtu": ({"Options": {record.MTU: "abc"}}, 400, "driver.mtu value: abc"),
    "device": ({"Options": {record.BRIDGE_NAME: "a name of many letters"}}, 400, "bridge.name"),
    "host address": ({"Options": {record.HOST_ADDRESS: "x"}}, 400, "Invalid IPv4 address"),
}


@pytest.mark.parametrize(("body", "status", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(body, status, words):
    with pytest.raises(ApiError, match=words) as refusal:
        network({"Name": "web"} | body, ID, [])
    assert refusal.value.status == status
