"""Published ports: reached from the host, shown, refused when taken."""

import socket
import threading
import urllib.request

import docker
import pytest

from labkit import linux
from tests.contract.helpers import eventually, unique
from tests.runtime import bundle

SERVE = ["sh", "-c", "echo hello from inside > /index.html; exec httpd -f -p 80 -h /"]
LOCAL = "127.0.0.1"


@pytest.fixture
def run(client, image):
    def run(command=SERVE, **options):
        container = client.containers.run(image, list(command), detach=True, name=unique("lktest"), **options)
        container.reload()
        return container

    return run


def places(container, port: str) -> list[dict]:
    container.reload()
    return container.attrs["NetworkSettings"]["Ports"][port]


def number(container, port: str = "80/tcp") -> int:
    return int(places(container, port)[0]["HostPort"])


def get(port: int, host: str = LOCAL) -> str:
    def once() -> str:
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/", timeout=5) as answer:
                return answer.read().decode().strip()
        except OSError:
            return ""

    return eventually(once)


def free_port() -> int:
    with socket.create_server((LOCAL, 0)) as probe:
        return probe.getsockname()[1]


def test_a_random_port(run):
    container = run(ports={"80/tcp": (LOCAL,)})
    assert get(number(container)) == "hello from inside"
    assert [place["HostIp"] for place in places(container, "80/tcp")] == [LOCAL]


def test_a_port_that_was_asked_for(run):
    wanted = free_port()
    container = run(ports={"80/tcp": (LOCAL, wanted)})
    assert places(container, "80/tcp") == [{"HostIp": LOCAL, "HostPort": str(wanted)}]
    assert get(wanted) == "hello from inside"


def test_all_addresses_of_the_host(run):
    container = run(ports={"80/tcp": None})
    assert places(container, "80/tcp")[0]["HostIp"] == "0.0.0.0"
    assert get(number(container)) == "hello from inside"


def test_udp(run):
    bundle.needs_root()  # to serve in the container's namespace: busybox has no server for UDP
    container = run(["sleep", "600"], ports={"53/udp": (LOCAL,)})
    with linux.in_namespace(container.attrs["State"]["Pid"], "net", linux.CLONE_NEWNET):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server, client:
        server.bind(("0.0.0.0", 53))
        for end in (server, client):
            end.settimeout(10)
        client.connect((LOCAL, number(container, "53/udp")))
        for _ in range(3):
            client.send(b"anybody?")
            said, came_from = server.recvfrom(100)
            server.sendto(said * 2, came_from)
            assert client.recv(100) == b"anybody?anybody?"


def test_on_a_network_that_somebody_made(client, run):
    network = client.networks.create(unique("lktest"))
    try:
        container = run(network=network.name, ports={"80/tcp": (LOCAL,)})
        assert get(number(container)) == "hello from inside"
        container.remove(force=True)
    finally:
        network.remove()


def test_large_and_many(run):
    """A few megabytes, by several clients at once."""
    container = run(
        ["sh", "-c", "head -c 3000000 /dev/zero > /index.html; exec httpd -f -p 80 -h /"], ports={"80/tcp": (LOCAL,)}
    )
    port, seen = number(container), []
    eventually(lambda: container.exec_run(["sh", "-c", "test $(wc -c < /index.html) = 3000000"])[0] == 0)
    clients = [threading.Thread(target=lambda: seen.append(len(get(port)))) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(30)
    assert seen == [3_000_000] * 4


def test_all_exposed_ports(client, image, run):
    container = run(publish_all_ports=True, ports={"80/tcp": None})
    assert get(number(container)) == "hello from inside"


def test_exposed_is_not_published(client, image):
    made = client.api.create_container(image, ["sleep", "60"], ports=[7000], name=unique("lktest"))
    client.api.start(made)
    assert client.api.inspect_container(made)["NetworkSettings"]["Ports"] == {"7000/tcp": None}


def test_a_row_of_the_list(client, run):
    container = run(ports={"80/tcp": (LOCAL,)})
    port = number(container)
    (row,) = client.api.containers(filters={"id": container.id})
    assert row["Ports"] == [{"IP": LOCAL, "PrivatePort": 80, "PublicPort": port, "Type": "tcp"}]
    assert client.containers.list(filters={"publish": f"{port}/tcp", "id": container.id}) == [container]
    assert client.containers.list(filters={"publish": "80/tcp", "id": container.id}) == [], "it is the host's port"


def test_a_port_goes_with_the_container_and_comes_back(run):
    wanted = free_port()
    container = run(ports={"80/tcp": (LOCAL, wanted)})
    assert get(wanted)
    container.stop(timeout=0)
    container.reload()
    assert container.attrs["NetworkSettings"]["Ports"] == {}
    with pytest.raises(OSError):
        socket.create_connection((LOCAL, wanted), timeout=5).close()
    container.start()
    assert get(wanted) == "hello from inside"


def test_a_port_that_another_container_has(client, image, run):
    taken = number(run(ports={"80/tcp": (LOCAL,)}))
    other = client.containers.create(image, SERVE, name=unique("lktest"), ports={"80/tcp": (LOCAL, taken)})
    with pytest.raises(docker.errors.APIError, match="port is already allocated") as refusal:
        other.start()
    assert refusal.value.status_code == 500
    other.reload()
    assert other.status == "created"


def test_a_port_that_another_program_has(client, image):
    with socket.create_server((LOCAL, 0)) as server:
        taken = server.getsockname()[1]
        other = client.containers.create(image, SERVE, name=unique("lktest"), ports={"80/tcp": (LOCAL, taken)})
        with pytest.raises(docker.errors.APIError, match="address already in use") as refusal:
            other.start()
        assert refusal.value.status_code == 500


@pytest.mark.parametrize("port", ["abc", "99999", "9000-8000"])
def test_no_port_at_all(client, image, port):
    with pytest.raises(docker.errors.APIError, match="invalid port specification") as refusal:
        client.containers.create(image, SERVE, ports={"80/tcp": port})
    assert refusal.value.status_code == 400


def test_of_a_range_the_first_that_is_free(run):
    first = free_port()
    numbers = {number(run(ports={"80/tcp": (LOCAL, f"{first}-{first + 9}")})) for _ in range(2)}
    assert len(numbers) == 2
    assert all(first <= one <= first + 9 for one in numbers)
