"""Names and sockets outside of a rootless engine's network, with a resolver that is a function."""

import asyncio
import socket

import aiohttp
import dns.flags
import dns.message
import dns.rrset
import pytest

from labkit.engine.networks import upstream
from labkit.engine.registry import reach

HOSTS = """
127.0.0.1 localhost
::1       localhost ip6-localhost
10.0.0.7  Registry.example registry   # ours
"""


@pytest.fixture
def resolver(tmp_path, monkeypatch):
    """A resolver of ours; `says` is what the machine's resolvers answer: {(name, kind): records}."""
    (tmp_path / "hosts").write_text(HOSTS)
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    monkeypatch.setattr(reach, "HOSTS", tmp_path / "hosts")
    monkeypatch.setattr(reach, "RESOLV_CONF", tmp_path / "resolv.conf")
    made = reach.Resolver(socket.socket)
    made.says, made.asked = {}, []

    async def ask(query: bytes, where, outside, *, stream=False):
        assert (list(where), outside) == (["192.0.2.53"], socket.socket)
        question = dns.message.from_wire(query)
        name, kind = question.question[0].name.to_text(), question.question[0].rdtype.name
        made.asked.append((name, kind, stream))
        said = made.says.get((name, kind), [])
        if not isinstance(said, list):
            return said
        answer = dns.message.make_response(question)
        answer.answer = [dns.rrset.from_text(*row) for row in said]
        if "TC" in name and not stream:
            answer.flags |= dns.flags.TC
            answer.answer = []
        return answer.to_wire()

    monkeypatch.setattr(upstream, "ask", ask)
    return made


async def hosts(resolver, name, family=socket.AF_UNSPEC):
    return [found["host"] for found in await resolver.resolve(name, 443, family)]


@pytest.mark.parametrize(
    ("name", "family", "found"),
    [
        ("localhost", socket.AF_UNSPEC, ["127.0.0.1", "::1"]),
        ("localhost", socket.AF_INET, ["127.0.0.1"]),
        ("registry.example", socket.AF_UNSPEC, ["10.0.0.7"]),
        ("REGISTRY", socket.AF_INET, ["10.0.0.7"]),
    ],
)
async def test_names_of_the_file_ask_nobody(resolver, name, family, found):
    assert await hosts(resolver, name, family) == found
    assert resolver.asked == []


async def test_a_name_that_leads_to_another_name(resolver):
    resolver.says["a.example.", "A"] = [
        ("a.example.", 60, "IN", "CNAME", "b.example."),
        ("b.example.", 60, "IN", "A", "192.0.2.1", "192.0.2.2"),
    ]
    resolver.says["a.example.", "AAAA"] = [("a.example.", 60, "IN", "AAAA", "2001:db8::1")]
    found = await hosts(resolver, "a.example")
    assert (set(found[:2]), found[2:]) == ({"192.0.2.1", "192.0.2.2"}, ["2001:db8::1"]), "IPv4 first, in any order"


async def test_what_is_cut_is_asked_again_over_tcp(resolver):
    resolver.says["TC.example.", "A"] = [("TC.example.", 60, "IN", "A", "192.0.2.9")]
    assert await hosts(resolver, "TC.example", socket.AF_INET) == ["192.0.2.9"]
    assert resolver.asked == [("TC.example.", "A", False), ("TC.example.", "A", True)]


@pytest.mark.parametrize("said", [[], None, b"nonsense"])
async def test_a_name_that_nobody_knows(resolver, said):
    resolver.says["no.example.", "A"] = said
    with pytest.raises(OSError, match=r"no\.example"):
        await hosts(resolver, "no.example", socket.AF_INET)


async def test_connections_are_made_with_sockets_from_outside(monkeypatch):
    """What the helper would make is what the connection runs over."""
    made = []

    def outside(family, kind):
        made.append(socket.socket(family, kind))
        return made[-1]

    async def hello(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        writer.close()

    monkeypatch.setattr(reach, "_outside", None)
    reach.through(outside)
    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        aiohttp.ClientSession(connector=reach.connector()) as http,
        http.get(f"http://localhost:{port}/") as answer,
    ):
        assert await answer.text() == "hi"
    assert socket.AF_INET in {one.family for one in made}
