"""The resolver over its sockets: UDP and TCP, questions passed on, and limits. Here on ordinary loopback."""

import asyncio
import socket

import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from labkit.engine.networks import resolver, upstream
from labkit.engine.networks.names import Neighbour, View
from labkit.engine.networks.resolver import Resolver

VIEWS = [View("front", (Neighbour("10.0.0.2", ("web",)),), {})]


def ends() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket at one port of loopback."""
    streams = socket.create_server(("127.0.0.1", 0))
    packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packets.bind(streams.getsockname())
    streams.setblocking(False)
    packets.setblocking(False)
    return packets, streams


@pytest.fixture
async def others(monkeypatch):
    """Another resolver, which knows example.com; `silent` makes it deaf."""
    made = Resolver(ends(), lambda: [View("", (Neighbour("192.0.2.1", ("example.com",)),), {})], lambda: [])
    monkeypatch.setattr(upstream, "PORT", made._packets.getsockname()[1])
    yield made
    made.close()


@pytest.fixture
async def ours():
    made = Resolver(ends(), lambda: VIEWS, lambda: ["127.0.0.1"])
    yield made
    made.close()


async def ask(server: Resolver, name: str, way=dns.asyncquery.udp) -> dns.message.Message:
    port = server._packets.getsockname()[1]
    return await way(dns.message.make_query(name, "A"), "127.0.0.1", port=port, timeout=5)


WAYS = [dns.asyncquery.udp, dns.asyncquery.tcp]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "ip"), [("web", "10.0.0.2"), ("example.com", "192.0.2.1")])
async def test_names_of_ours_and_of_others(ours, others, way, name, ip):
    said = await ask(ours, name, way)
    assert said.answer[0][0].to_text() == ip


@pytest.mark.parametrize("way", WAYS)
async def test_nobody_to_ask_is_a_failure_at_once(way):
    alone = Resolver(ends(), lambda: VIEWS, lambda: [])
    said = await ask(alone, "example.com", way)
    assert said.rcode() == dns.rcode.SERVFAIL
    alone.close()


async def test_a_resolver_that_does_not_answer_is_waited_for_a_while(ours, monkeypatch):
    monkeypatch.setattr(upstream, "SECONDS", 0.2)
    deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    deaf.bind(("127.0.0.1", 0))
    monkeypatch.setattr(upstream, "PORT", deaf.getsockname()[1])
    slow, quick = await asyncio.gather(ask(ours, "example.com"), ask(ours, "web"))
    assert (slow.rcode(), quick.rcode()) == (dns.rcode.SERVFAIL, dns.rcode.NOERROR), "names of ours do not wait"
    deaf.close()


async def test_a_strangers_answer_is_not_taken(ours, monkeypatch):
    """Who answers with another number than the one asked with is passed over."""
    loop = asyncio.get_running_loop()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.setblocking(False)
    monkeypatch.setattr(upstream, "PORT", server.getsockname()[1])
    asked = loop.create_task(ask(ours, "example.com"))
    query, client = await loop.sock_recvfrom(server, 512)
    good = dns.message.make_response(dns.message.from_wire(query)).to_wire()
    await loop.sock_sendto(server, bytes([good[0] ^ 1]) + good[1:], client)
    await asyncio.sleep(0.1)
    assert not asked.done()
    await loop.sock_sendto(server, good, client)
    assert (await asked).rcode() == dns.rcode.NOERROR
    server.close()


async def test_too_many_questions_at_once_are_dropped(ours, monkeypatch):
    monkeypatch.setattr(resolver, "MOST_WAITING", 2)
    monkeypatch.setattr(upstream, "PORT", 9)
    monkeypatch.setattr(upstream, "ask", lambda *_, **__: asyncio.sleep(30))
    flood = [asyncio.create_task(ask(ours, "example.com")) for _ in range(9)]
    await asyncio.sleep(0.2)
    assert len(ours._waiting) == 2
    assert (await ask(ours, "web")).answer
    for task in flood:
        task.cancel()


async def test_noise_over_tcp_ends_the_conversation(ours):
    reader, writer = await asyncio.open_connection(*ours._streams.getsockname())
    writer.write(b"\0\1x")
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()


def test_who_is_asked():
    of_host = "# comment\nnameserver 127.0.0.53\nnameserver ::1\nnameserver x\nsearch a b\nnameserver\n"
    assert upstream.servers(of_host) == ["127.0.0.53", "::1"]
    assert upstream.servers(of_host, ["192.0.2.9"]) == ["192.0.2.9"]
    assert len(upstream.servers("nameserver 192.0.2.1\n" * 9)) == upstream.MOST_SERVERS
