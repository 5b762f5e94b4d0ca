"""Publishing, with a server of the test's own in the container's place."""

import asyncio
import contextlib
import errno
import socket

import pytest

from labkit.engine.networks import proxy
from labkit.engine.networks.bindings import EVERYWHERE, Binding
from labkit.engine.networks.ports import CannotPublish, Publisher

HERE = ("127.0.0.1",)
ANY = range(0, 1)


@pytest.fixture
async def publisher():
    made = Publisher()
    yield made
    for container in list(made._published):
        made.withdraw(container)


@pytest.fixture
async def echo():
    """The port of a TCP server that says back all that it hears, to its end."""

    async def serve(reader, writer):
        writer.write(await reader.read())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def publish(
    publisher, port: int, protocol: str = "tcp", numbers: range = ANY, name: str = "web", ip: str = "127.0.0.1"
):
    ports = publisher.publish(name, [Binding(port, protocol, HERE, numbers)], lambda: ip)
    return int(ports[f"{port}/{protocol}"][0]["HostPort"])


async def say(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    said = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return said


async def test_all_bytes_and_each_end_pass_through(publisher, echo):
    data = bytes(range(256)) * 8192
    assert await say(publish(publisher, echo), data) == data


async def test_many_at_once(publisher, echo):
    port = publish(publisher, echo)
    said = await asyncio.gather(*(say(port, b"%d" % n) for n in range(50)))
    assert said == [b"%d" % n for n in range(50)]


@pytest.mark.parametrize("ip", ["", "127.0.0.1"])
async def test_nobody_there_is_an_end_and_no_hang(publisher, ip):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = publish(publisher, closed.getsockname()[1], ip=ip)
        with contextlib.suppress(OSError):  # it may be cut off at once, too
            assert await say(port, b"x") == b""


async def test_withdrawing_drops_who_is_connected(publisher, echo):
    port = publish(publisher, echo)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.05)
    publisher.withdraw("web")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    with pytest.raises(OSError):
        await say(port, b"x")
    writer.close()


async def test_udp_answers_find_back_to_each_client(publisher):
    loop = asyncio.get_running_loop()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.setblocking(False)
    port = publish(publisher, server.getsockname()[1], "udp")
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for number, client in enumerate(clients):
        client.setblocking(False)
        client.connect(("127.0.0.1", port))
        await loop.sock_sendall(client, b"%d" % number)
    for _ in clients:
        data, came_from = await loop.sock_recvfrom(server, 100)
        await loop.sock_sendto(server, data * 2, came_from)
    said = [await asyncio.wait_for(loop.sock_recv(client, 100), 5) for client in clients]
    assert said == [b"00", b"11", b"22"]
    for sock in (*clients, server):
        sock.close()


async def test_udp_clients_are_not_remembered_without_end(publisher, monkeypatch):
    monkeypatch.setattr(proxy, "MOST_CONNECTIONS", 2)
    port = publish(publisher, 9, "udp")
    (one,) = publisher._published["web"].proxies
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(5)]
    for client in clients:
        client.sendto(b"x", ("127.0.0.1", port))
        await asyncio.sleep(0.02)
        client.close()
    assert len(one._clients) == 2


# --- which port --------------------------------------------------------------------------------------------------


async def test_both_kinds_of_addresses_share_a_random_port(publisher):
    ports = publisher.publish("web", [Binding(80, "tcp", EVERYWHERE, ANY)], lambda: "")
    places = ports["80/tcp"]
    assert [place["HostIp"] for place in places] in (["0.0.0.0", "::"], ["0.0.0.0"])
    assert len({place["HostPort"] for place in places}) == 1


async def test_a_port_of_ours_is_allocated_and_anothers_in_use(publisher):
    port = publish(publisher, 80)
    with pytest.raises(CannotPublish, match=f"Bind for 127.0.0.1:{port} failed: port is already allocated"):
        publish(publisher, 80, numbers=range(port, port + 1), name="other")
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(CannotPublish, match=f"listen tcp4 127.0.0.1:{taken}: bind: address already in use"):
            publish(publisher, 80, numbers=range(taken, taken + 1), name="other")


async def test_of_a_range_the_first_free_one(publisher):
    first = publish(publisher, 80)
    assert publish(publisher, 80, numbers=range(first, first + 20), name="other") > first


async def test_an_address_that_is_not_this_machines(publisher):
    binding = Binding(80, "tcp", ("203.0.113.7",), ANY)
    with pytest.raises(CannotPublish, match="cannot assign requested address"):
        publisher.publish("web", [binding], lambda: "")


async def test_all_or_none(publisher):
    port = publish(publisher, 80)
    good, bad = Binding(80, "tcp", HERE, ANY), Binding(81, "tcp", HERE, range(port, port + 1))
    with pytest.raises(CannotPublish):
        publisher.publish("other", [good, bad], lambda: "")
    assert not publisher.has("other")


async def test_out_of_descriptors_the_proxy_rests(publisher, echo, monkeypatch):
    """accept(2) fails, and the client goes on waiting: who asked again at once would do nothing else."""
    monkeypatch.setattr(proxy, "REST_SECONDS", 0.2)
    port = publish(publisher, echo)
    (one,) = publisher._published["web"].proxies
    tried, real = [], one._sock

    class Full:
        fileno = real.fileno
        close = real.close

        def accept(self):
            tried.append(1)
            raise OSError(errno.EMFILE, "too many open files")

    one._sock = Full()
    waiting = asyncio.create_task(say(port, b"patience"))
    await asyncio.sleep(0.3)
    assert 1 <= len(tried) <= 2
    one._sock = real
    assert await waiting == b"patience"
