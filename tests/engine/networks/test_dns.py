"""DNS messages: what the resolver answers by itself, and what it leaves to others."""

import dns.flags
import dns.message
import dns.rcode
import pytest

from labkit.engine.networks.dns import LEAST_ROOM, SILENCE, answer, failure
from labkit.engine.networks.names import Neighbour, View

MANY = tuple(Neighbour(f"10.0.1.{n}", (f"many-{n}", "many")) for n in range(60))
VIEWS = [View("front", (Neighbour("10.0.0.2", ("web", "my web")), *MANY), {"shop": "web"})]


def ask(name: str, kind: str = "A", *, stream: bool = False, payload: int = -1) -> dns.message.Message | None:
    query = dns.message.make_query(name, kind, use_edns=payload if payload > 0 else False, payload=max(payload, 512))
    said = answer(query.to_wire(), lambda: VIEWS, stream=stream)
    if said is None:
        return None
    message = dns.message.from_wire(said)
    assert query.is_response(message)
    return message


def texts(message: dns.message.Message) -> list[str]:
    return [record.to_text() for rows in message.answer for record in rows]


@pytest.mark.parametrize("name", ["web", "WEB", "web.front", "shop"])
def test_a_name_that_we_know(name):
    said = ask(name)
    assert texts(said) == ["10.0.0.2"]
    assert said.flags & dns.flags.RA, "or a client looks for another resolver"


def test_a_name_that_we_do_not_know_is_for_others():
    assert ask("example.com") is None
    assert ask("9.9.0.10.in-addr.arpa", "PTR") is None


@pytest.mark.parametrize("kind", ["AAAA", "MX", "TXT"])
def test_a_kind_that_a_name_of_ours_has_not(kind):
    said = ask("web", kind)
    assert (said.rcode(), said.answer) == (dns.rcode.NOERROR, [])


def test_an_address():
    assert texts(ask("2.0.0.10.in-addr.arpa", "PTR")) == ["web.front."]


def test_an_alias_of_many():
    assert sorted(texts(ask("many", stream=True))) == sorted(n.ip for n in MANY)
    assert len({tuple(texts(ask("many", stream=True))) for _ in range(5)}) > 1, "in turns"


def test_what_does_not_fit_is_asked_again_over_tcp():
    said = ask("many")
    assert said.flags & dns.flags.TC
    assert len(said.to_wire()) <= LEAST_ROOM
    assert not ask("many", payload=4096).flags & dns.flags.TC


def test_another_class_is_for_others():
    query = dns.message.make_query("version.bind", "TXT", rdclass="CH")
    assert answer(query.to_wire(), lambda: VIEWS) is None


def test_what_is_no_question():
    response = dns.message.make_response(dns.message.make_query("web", "A"))
    assert answer(response.to_wire(), lambda: VIEWS) == SILENCE
    status = bytearray(dns.message.make_query("web", "A").to_wire())
    status[2] = 2 << 3  # another opcode than a query's, RFC 1035
    assert dns.message.from_wire(answer(bytes(status), lambda: VIEWS)).rcode() == dns.rcode.NOTIMP


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 11, b"\xff" * 200])
def test_noise_gets_no_answer(data):
    assert answer(data, lambda: VIEWS) == SILENCE
    assert failure(data) == b""


def test_a_broken_question_gets_its_number_back():
    query = dns.message.make_query("web", "A").to_wire()
    said = dns.message.from_wire(answer(query[:-3], lambda: VIEWS))
    assert (said.id, said.rcode()) == (int.from_bytes(query[:2], "big"), dns.rcode.FORMERR)


def test_failure():
    query = dns.message.make_query("example.com", "A")
    assert dns.message.from_wire(failure(query.to_wire())).rcode() == dns.rcode.SERVFAIL
