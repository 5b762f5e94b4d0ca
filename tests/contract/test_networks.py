"""Networks that somebody made: names, addresses, who reaches whom, and what is refused."""

import contextlib
import os
import socket
import time

import docker
import pytest
from docker.types import IPAMConfig, IPAMPool

from tests.contract.conftest import LABELS, MINE
from tests.contract.helpers import eventually, output, unique

SERVICES = ("web", "authentication", "catalog", "store")
SERVE = "mkdir /srv; echo I am {name} > /srv/index.html; exec httpd -f -p 80 -h /srv"
SUBNETS = iter(f"10.{200 + n // 250}.{n % 250}.0/24" for n in range(1000))


@pytest.fixture(autouse=True)
def networks_go(client, tidy):
    """Remove the test's networks, after its containers."""
    yield
    for found in client.api.containers(all=True, filters=MINE):
        client.api.remove_container(found["Id"], force=True, v=True)
    for network in client.networks.list(filters=MINE):
        network.remove()


@pytest.fixture
def make(client):
    """Make a network with a name of its own."""

    def make(**options):
        return client.networks.create(unique("lktest"), labels=LABELS, **options)

    return make


@pytest.fixture
def by_hand(client, make):
    """A network whose subnet was chosen: containers may ask for addresses in it. (network, beginning of addresses)"""
    for subnet in SUBNETS:
        with contextlib.suppress(docker.errors.APIError):  # in use on this machine
            made = make(ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]))
            return made, subnet.removesuffix("0/24")
    raise AssertionError("no free subnet")


@pytest.fixture
def run(client, image):
    """Start a container that does nothing until it is removed."""

    def run(name: str = "", command=("sleep", "600"), **options):
        return client.containers.run(image, list(command), detach=True, name=name or unique("lktest"), **options)

    return run


def endpoint(container, network) -> dict:
    container.reload()
    return container.attrs["NetworkSettings"]["Networks"][network.name]


def say(container, command: str) -> str:
    """What a shell line prints in a container; its exit status must be 0."""
    status, said = container.exec_run(["sh", "-c", command])
    assert status == 0, said.decode()
    return said.decode().strip()


def fetch(container, host: str) -> str:
    return eventually(lambda: container.exec_run(["wget", "-q", "-O", "-", f"http://{host}/"])[1].decode().strip())


# --- names -------------------------------------------------------------------------------------------------------


def test_four_services_call_each_other_by_name(client, make, run):
    network = make()
    containers = {
        name: run(
            command=["sh", "-c", SERVE.format(name=name)],
            network=network.name,
            networking_config={network.name: client.api.create_endpoint_config(aliases=[name])},
        )
        for name in SERVICES
    }
    for caller in containers.values():
        for name in SERVICES:
            assert fetch(caller, name) == f"I am {name}"
    containers["catalog"].remove(force=True)
    assert containers["web"].exec_run(["wget", "-q", "-T", "5", "-O", "-", "http://catalog/"])[0] != 0
    assert fetch(containers["web"], "store") == "I am store"


def test_what_a_container_answers_to(make, run):
    network = make()
    one, other = run(network=network.name), run(network=network.name)
    ip = endpoint(one, network)["IPAddress"]
    for name in (one.name, one.short_id, f"{one.name}.{network.name}", one.name.upper()):
        assert f"Address: {ip}" in say(other, f"nslookup -type=a {name}")
    assert f"name = {one.name}.{network.name}" in say(other, f"nslookup {ip}")
    one.rename(renamed := unique("lktest"))
    assert f"Address: {ip}" in say(other, f"nslookup -type=a {renamed}")


def test_a_chosen_hostname_is_an_alias(client, make, run):
    network = make()
    config = {network.name: client.api.create_endpoint_config(aliases=["post"])}
    one = run(network=network.name, networking_config=config, hostname="mail")
    ip = endpoint(one, network)["IPAddress"]
    assert f"Address: {ip}" in say(run(network=network.name), "nslookup -type=a mail")
    # as a client of before API 1.45 is told; later ones have a list of their own for what was not asked for
    old = client.api.get(f"{client.api.base_url}/v1.41/containers/{one.id}/json", timeout=20).json()
    assert old["NetworkSettings"]["Networks"][network.name]["Aliases"] == ["post", one.short_id, "mail"]


def test_an_alias_of_two_has_both_addresses(client, make, run):
    network = make()
    config = {network.name: client.api.create_endpoint_config(aliases=["many"])}
    addresses = {endpoint(run(network=network.name, networking_config=config), network)["IPAddress"] for _ in range(2)}
    seen = say(run(network=network.name), "nslookup -type=a many")
    assert all(f"Address: {ip}" in seen for ip in addresses)


def test_the_resolver_speaks_tcp_too(make, run):
    network = make()
    one = run(network=network.name)
    # for its own A records: number 1, recursion desired, one question: the name, A, IN; before it the length (RFC 1035)
    asked = bytes([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(one.name), *one.name.encode(), 0, 0, 1, 0, 1])
    escaped = "".join(f"\\{byte:03o}" for byte in (0, len(asked), *asked))
    said = say(one, f"(printf '{escaped}'; sleep 1) | nc 127.0.0.11 53 | hexdump -v -e '/1 \"%02x\"'")
    assert said.endswith(socket.inet_aton(endpoint(one, network)["IPAddress"]).hex())


def test_links_are_further_names(client, make, run):
    network = make()
    target = run(network=network.name)
    config = {network.name: client.api.create_endpoint_config(links=[(target.name, "database")])}
    linked = run(network=network.name, networking_config=config)
    assert f"Address: {endpoint(target, network)['IPAddress']}" in say(linked, "nslookup -type=a database")
    assert target.exec_run(["nslookup", "-type=a", "database"])[0] != 0, "a link is the linked container's own"


def test_files_that_name_the_container(make, run):
    network = make()
    one = run(network=network.name, hostname="mail", extra_hosts={"elsewhere": "192.0.2.9"})
    hosts = [line.split() for line in say(one, "cat /etc/hosts").splitlines()]
    assert [endpoint(one, network)["IPAddress"], "mail"] in hosts
    assert ["192.0.2.9", "elsewhere"] in hosts
    conf = say(one, "cat /etc/resolv.conf").splitlines()
    assert "nameserver 127.0.0.11" in conf
    assert any("ndots:0" in line for line in conf)
    assert "127.0.0.11" not in say(run(), "cat /etc/resolv.conf"), "the default bridge has no names"


# --- who reaches whom --------------------------------------------------------------------------------------------


def reaches(container, ip: str) -> bool:
    return container.exec_run(["ping", "-c", "1", "-W", "1", ip])[0] == 0


def test_networks_are_kept_apart(make, run):
    here, there = make(), make()
    one, neighbour, other, default = run(network=here.name), run(network=here.name), run(network=there.name), run()
    assert reaches(one, endpoint(neighbour, here)["IPAddress"])
    assert not reaches(one, endpoint(other, there)["IPAddress"])
    assert one.exec_run(["nslookup", "-type=a", other.name])[0] != 0
    default.reload()
    assert not reaches(one, default.attrs["NetworkSettings"]["IPAddress"])


def test_an_internal_network_has_no_way_out(client, make, run):
    network = make(internal=True)
    assert client.networks.get(network.id).attrs["Internal"]
    one, other = run(network=network.name), run(network=network.name)
    assert reaches(one, other.name), "inside it all is as usual"
    assert one.exec_run(["ping", "-c", "1", "-W", "1", "192.0.2.1"])[0] != 0


def test_two_networks_and_back(make, run):
    front, back = make(), make()
    gate, web, data = run(network=front.name), run(network=front.name), run(network=back.name)
    back.connect(gate, aliases=["gate"])
    assert "eth1" in say(gate, "ip -o link")
    assert reaches(gate, data.name) and reaches(gate, web.name) and reaches(data, "gate")
    gate.reload()
    assert set(gate.attrs["NetworkSettings"]["Networks"]) == {front.name, back.name}
    back.disconnect(gate)
    assert "eth1" not in say(gate, "ip -o link")
    assert not reaches(data, "gate")
    assert reaches(gate, web.name)


def test_the_default_route_moves_when_its_network_is_left(make, run):
    first, second = make(), make()
    one = run(network=first.name)
    second.connect(one)
    first.disconnect(one)
    assert f"default via {endpoint(one, second)['Gateway']}" in say(one, "ip route")


def test_a_connection_made_while_it_stands_still_is_there_at_the_start(client, image, make):
    network = make()
    one = client.containers.create(image, ["sleep", "600"], name=unique("lktest"))
    network.connect(one, aliases=["later"])
    client.networks.get("bridge").disconnect(one)
    one.start()
    assert endpoint(one, network)["IPAddress"]
    assert list(one.attrs["NetworkSettings"]["Networks"]) == [network.name]
    one.restart(timeout=0)
    assert endpoint(one, network)["IPAddress"]


def test_the_network_of_another_container(make, run):
    network = make()
    owner = run(network=network.name)
    guest = run(network_mode=f"container:{owner.id}")
    assert say(guest, "ip -4 -o address show eth0") == say(owner, "ip -4 -o address show eth0")
    assert say(guest, "hostname") == owner.short_id
    guest.reload()
    assert guest.attrs["NetworkSettings"]["Networks"] == {}


def test_the_hosts_network_comes_with_the_hosts_name(client, run):
    one = run(network_mode="host")
    name = client.info()["Name"]
    assert say(one, "hostname; cat /etc/hostname; echo $HOSTNAME").split() == [name] * 3
    assert one.attrs["Config"]["Hostname"] == name
    assert say(run(network_mode="host", hostname="mine"), "hostname") == "mine"


@pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv6"), reason="this machine's kernel has no IPv6")
def test_no_address_of_ipv6_that_nobody_gave(make, run):
    """A device that may make itself one asks all neighbours about it, at every start."""
    one = run(network=make().name)
    assert say(one, "cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6") == "1"
    assert "fe80" not in say(one, "cat /proc/net/if_inet6")


# --- addresses ---------------------------------------------------------------------------------------------------


def test_an_address_that_was_asked_for(client, by_hand, run):
    network, beginning = by_hand
    config = {network.name: client.api.create_endpoint_config(ipv4_address=f"{beginning}23")}
    one = run(network=network.name, networking_config=config)
    there = endpoint(one, network)
    assert (there["IPAddress"], there["IPPrefixLen"]) == (f"{beginning}23", 24)
    assert there["MacAddress"].startswith("02:42:0a:"), "derived from the address, as Docker does"
    with pytest.raises(docker.errors.APIError, match="Address already in use"):
        network.connect(run(), ipv4_address=f"{beginning}23")


def test_addresses_that_cannot_be_had(client, make, by_hand, run):
    network, _ = by_hand
    one = run()
    with pytest.raises(docker.errors.APIError, match="does not belong to any of this network's subnets"):
        network.connect(one, ipv4_address="192.0.2.7")
    with pytest.raises(docker.errors.APIError, match="user configured subnets") as refusal:
        make().connect(one, ipv4_address="192.0.2.7")
    assert refusal.value.status_code == 400
    with pytest.raises(docker.errors.APIError, match="on user defined networks only"):
        client.networks.get("bridge").connect(run(network=network.name), ipv4_address="172.17.0.99")


def test_a_hardware_address_that_was_asked_for(run):
    one = run(mac_address="02:42:ac:11:00:0a")
    assert "02:42:ac:11:00:0a" in say(one, "ip link show eth0").lower()


def test_links_on_the_default_bridge(run):
    target = run(environment={"COLOUR": "blue"}, ports={"5432/tcp": None})
    linked = run(links={target.name: "my-db"}, command=["sh", "-c", "env; cat /etc/hosts"])
    linked.wait(timeout=20)
    target.reload()
    ip = target.attrs["NetworkSettings"]["IPAddress"]
    said = output(linked).splitlines()
    assert {
        f"MY_DB_NAME=/{linked.name}/my-db",
        f"MY_DB_PORT=tcp://{ip}:5432",
        f"MY_DB_PORT_5432_TCP_ADDR={ip}",
        "MY_DB_ENV_COLOUR=blue",
    } <= set(said)
    assert f"{ip}\tmy-db {target.short_id} {target.name}" in said


# --- the records -------------------------------------------------------------------------------------------------


def test_a_network_and_who_is_on_it(client, make, run):
    network = make(options={"com.docker.network.driver.mtu": "1400"})
    one = run(network=network.name)
    seen = client.networks.get(network.name).attrs
    there = endpoint(one, network)
    assert seen["Containers"][one.id] == {
        "Name": one.name,
        "EndpointID": there["EndpointID"],
        "MacAddress": there["MacAddress"],
        "IPv4Address": f"{there['IPAddress']}/{there['IPPrefixLen']}",
        "IPv6Address": "",
    }
    assert (seen["Driver"], seen["Scope"], seen["Options"]) == (
        "bridge",
        "local",
        {"com.docker.network.driver.mtu": "1400"},
    )
    assert "mtu 1400" in say(one, "ip link show eth0")
    assert client.containers.list(filters={"network": network.name}) == [one]


def test_a_network_in_use_stays_and_then_goes(client, make, run):
    network = make()
    one = run(network=network.name)
    with pytest.raises(docker.errors.APIError, match="has active endpoints") as refusal:
        network.remove()
    assert refusal.value.status_code == 403
    one.kill()
    one.wait(timeout=20)
    network.remove()
    with pytest.raises(docker.errors.APIError, match="not found") as missing:
        one.start()
    assert missing.value.status_code == 404


REFUSED = {  # what: (options of create, status)
    "the host's driver": ({"driver": "host"}, (403,)),
    "a name that every engine has": ({"name": "bridge"}, (403,)),
    "a driver that nobody has": ({"driver": "labkit-no-such"}, (404,)),
    "a swarm's driver": ({"driver": "overlay"}, (500, 503)),  # dockerd up to 20.10 calls that a server error
    "no subnet": ({"ipam": IPAMConfig(pool_configs=[IPAMPool(subnet="x")])}, (400, 500)),  # as above
}


@pytest.mark.parametrize(("options", "statuses"), REFUSED.values(), ids=REFUSED)
def test_create_refused(client, options, statuses):
    with pytest.raises(docker.errors.APIError) as refusal:
        client.networks.create(**{"name": unique("lktest"), "labels": LABELS} | options)
    assert refusal.value.status_code in statuses


def test_a_name_that_is_taken(client, make):
    with pytest.raises(docker.errors.APIError, match="already exists") as refusal:
        client.networks.create(make().name, check_duplicate=True)
    assert refusal.value.status_code == 409


def test_connections_refused(client, make, run):
    network, one = make(), run()
    network.connect(one)
    cases = {
        "twice": (lambda: network.connect(one), 403, "already exists in network"),
        "to host": (lambda: client.networks.get("host").connect(one), 400, "host network"),
        "to none": (lambda: client.networks.get("none").connect(one), 400, "private (none) mode"),
        "host's": (lambda: network.connect(run(network_mode="host")), 400, "cannot be connected to any other network"),
        "no container": (lambda: network.connect("labkit-no-such"), 404, "No such container"),
        "not connected": (lambda: make().disconnect(one), 500, "is not connected to network"),
        "pre-defined": (lambda: client.networks.get("bridge").remove(), 403, "pre-defined"),
    }
    for case, (call, status, words) in cases.items():
        with pytest.raises(docker.errors.APIError) as refusal:
            call()
        assert (refusal.value.status_code, words in refusal.value.explanation) == (status, True), case


def test_events(client, make, run):
    since = int(time.time())
    network = make()
    one = run(network=network.name)
    one.kill()
    one.wait(timeout=20)
    network.remove()
    until = int(time.time()) + 1
    told = [e for e in client.events(since=since, until=until, decode=True) if e["Actor"]["ID"] in (network.id, one.id)]
    order = ["create", "create", "connect", "start", "kill", "die", "disconnect", "destroy"]
    assert [event["Action"] for event in told] == order
    connected = told[2]["Actor"]["Attributes"]
    assert connected == {"container": one.id, "name": network.name, "type": "bridge"}


def test_list_and_prune(client, make, run):
    used, unused = make(), make()
    run(network=used.name)
    dangling = client.networks.list(filters=MINE | {"dangling": True})
    assert unused.id in [network.id for network in dangling]  # dockerd's list does not look whether the other is used
    assert client.networks.prune(filters=MINE)["NetworksDeleted"] == [unused.name]
    assert client.networks.list(names=[unused.name]) == []
