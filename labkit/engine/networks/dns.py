"""A DNS message in, one out: what the resolver says of the names that it knows. Pure.

dnspython reads and writes the messages: the format (RFC 1035) has compression, truncation and extensions, and what
comes here was written inside a container, so it may be anything.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from labkit.engine.networks.names import View, addresses, name_at, reverse_address

LIFE = 600
"""Seconds for which an answer may be kept (Docker's figure)."""

LEAST_ROOM, MOST_ROOM = 512, 4096
"""Bytes of a UDP answer: what everybody can take, and what we send at most to who can take more (EDNS, RFC 6891)."""


SILENCE = b""
"""No answer at all, for what is no question."""


def answer(query: bytes, views: Callable[[], Sequence[View]], *, stream: bool = False) -> bytes | None:
    """The answer to a query, or None where others have to be asked.

    `views` gives what the asking container sees; `stream` says that the query came over TCP.
    """
    try:
        asked = dns.message.from_wire(query)
    except (dns.exception.DNSException, ValueError):
        return _malformed(query)
    if asked.flags & dns.flags.QR or asked.opcode() != dns.opcode.QUERY or len(asked.question) != 1:
        return SILENCE if asked.flags & dns.flags.QR else _refusal(asked, dns.rcode.NOTIMP)
    question = asked.question[0]
    if question.rdclass != dns.rdataclass.IN:
        return None
    rows = _rows(question, views())
    if rows is None:
        return None
    said = dns.message.make_response(asked, recursion_available=True)
    said.answer += rows
    return _packed(said, asked, stream)


def _rows(question: dns.rrset.RRset, views: Sequence[View]) -> list[dns.rrset.RRset] | None:
    """The records of an answer, none for a name that we know and a kind that it has not, None for an unknown name."""
    name = question.name.to_text()
    if question.rdtype == dns.rdatatype.PTR:
        owner = name_at(views, reverse_address(name))
        return [_record(question, dns.rdatatype.PTR, [f"{_label(owner)}."])] if owner else None
    found = addresses(views, name)
    if not found:
        return None
    if question.rdtype not in (dns.rdatatype.A, dns.rdatatype.ANY):
        return []  # AAAA, MX and so on: the name is there, and has none
    random.shuffle(found)  # who takes the first spreads over all
    return [_record(question, dns.rdatatype.A, found)]


def _record(question: dns.rrset.RRset, kind: dns.rdatatype.RdataType, values: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text(question.name, LIFE, dns.rdataclass.IN, kind, *values)


def _label(name: str) -> str:
    """A name whose spaces and the like are written as a zone file wants them."""
    return dns.name.from_text(name.replace(" ", "\\032"), origin=None).to_text()


def _packed(said: dns.message.Message, asked: dns.message.Message, stream: bool) -> bytes:
    """The bytes; over UDP an answer that does not fit is cut and marked, so that it is asked again over TCP."""
    room = 65535 if stream else min(max(asked.payload or 0, LEAST_ROOM), MOST_ROOM)
    return said.to_wire(max_size=room, prefer_truncation=True)


def _refusal(asked: dns.message.Message, code: dns.rcode.Rcode) -> bytes:
    said = dns.message.make_response(asked, recursion_available=True)
    said.set_rcode(code)
    return said.to_wire()


def _malformed(query: bytes) -> bytes:
    """FORMERR, with no more of the query than its number; nothing where even that is missing."""
    if len(query) < 12 or query[2] & 0x80:
        return SILENCE
    said = dns.message.Message(id=int.from_bytes(query[:2], "big"))
    said.flags |= dns.flags.QR
    said.set_rcode(dns.rcode.FORMERR)
    return said.to_wire()


def failure(query: bytes) -> bytes:
    """SERVFAIL for a query that others should have answered. Empty where it cannot be read."""
    try:
        return _refusal(dns.message.from_wire(query), dns.rcode.SERVFAIL)
    except (dns.exception.DNSException, ValueError):
        return b""
