"""The rules of the channel, without any channel: two ends, and bytes that are handed from one to the other."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.microvm.mux import (
    HEADER,
    MAGIC,
    PIECE,
    WINDOW,
    Ended,
    Event,
    Kind,
    Mux,
    Opened,
    ProtocolError,
    Received,
    Reset,
)


def carry(sender: Mux, receiver: Mux, size: int = 1 << 20) -> list[Event]:
    """Hand over all that one end has to say, in pieces of at most `size` bytes."""
    events: list[Event] = []
    while data := sender.outgoing()[:size]:
        sender.wrote(len(data))
        events += receiver.receive(data)
    return events


def pair() -> tuple[Mux, Mux]:
    """A host's and a guest's end that have greeted each other."""
    host, guest = Mux(host=True), Mux(host=False)
    carry(guest, host)
    carry(host, guest)
    return host, guest


def test_the_host_says_nothing_before_the_guest_has_spoken():
    host = Mux(host=True)
    host.open("engine")
    assert host.outgoing() == b""
    assert host.receive(MAGIC) == []
    assert host.outgoing().startswith(MAGIC)


def test_what_a_kernel_prints_before_the_greeting_is_skipped():
    host = Mux(host=True)
    assert host.receive(b"[    0.0] booting\r\n" + MAGIC[:5]) == []
    host.receive(MAGIC[5:])
    assert host.greeted


def test_a_stream_from_its_beginning_to_its_end():
    host, guest = pair()
    stream = host.open("engine")
    host.send(stream, b"GET /_ping")
    host.end(stream)
    assert carry(host, guest) == [Opened(stream, "engine"), Received(stream, b"GET /_ping"), Ended(stream)]
    guest.send(stream, b"OK")
    guest.end(stream)
    assert carry(guest, host) == [Received(stream, b"OK"), Ended(stream)]
    assert host.room(stream) == guest.room(stream) == 0


def test_both_sides_may_open_at_the_same_moment():
    host, guest = pair()
    ours, theirs = host.open("engine"), guest.open("ports")
    assert ours != theirs
    assert carry(host, guest) == [Opened(ours, "engine")]
    assert carry(guest, host) == [Opened(theirs, "ports")]


@given(
    messages=st.lists(st.tuples(st.integers(0, 2), st.binary(min_size=1, max_size=2000)), max_size=40),
    size=st.integers(1, 3000),
)
def test_every_byte_arrives_once_and_in_order_however_the_channel_cuts_them(messages, size):
    host, guest = pair()
    streams = [host.open(str(number)) for number in range(3)]
    for number, data in messages:
        host.send(streams[number], data)
    events = carry(host, guest, size)
    for number, stream in enumerate(streams):
        arrived = b"".join(e.data for e in events if isinstance(e, Received) and e.stream == stream)
        assert arrived == b"".join(data for sent_on, data in messages if sent_on == number)


@given(used=st.lists(st.integers(0, WINDOW // 2), max_size=20))
def test_credit_grows_by_what_was_used_and_by_no_more(used):
    host, guest = pair()
    stream = host.open("engine")
    sent = received = 0
    for count in used:
        room = host.room(stream)
        host.send(stream, b"x" * room)
        sent += room
        received += sum(len(e.data) for e in carry(host, guest) if isinstance(e, Received))
        guest.used(stream, min(count, received))
        received -= min(count, received)
        carry(guest, host)
        assert host.room(stream) + received <= WINDOW


def test_sending_more_than_there_is_room_for_is_our_own_mistake():
    host, _ = pair()
    stream = host.open("engine")
    with pytest.raises(ValueError, match="room for"):
        host.send(stream, b"x" * (WINDOW + 1))


def test_a_slow_stream_does_not_take_the_room_of_another():
    host, _ = pair()
    slow, other = host.open("slow"), host.open("other")
    host.send(slow, b"x" * WINDOW)
    assert host.room(slow) == 0
    assert host.room(other) == WINDOW


def test_what_was_on_its_way_when_a_stream_was_given_up_is_no_offence():
    host, guest = pair()
    stream = host.open("engine")
    carry(host, guest)
    guest.send(stream, b"late")
    host.reset(stream)
    assert carry(guest, host) == []
    assert carry(host, guest) == [Reset(stream)]


@pytest.mark.parametrize(
    "frame",
    [
        HEADER.pack(99, 1, 0),
        HEADER.pack(Kind.DATA, 1, PIECE + 1),
        HEADER.pack(Kind.DATA, 7, 1) + b"x",
        HEADER.pack(Kind.OPEN, 1, 1) + b"x",
        HEADER.pack(Kind.OPEN, 0, 1) + b"x",
    ],
    ids=["unknown kind", "too long", "never opened", "the other side's number", "stream 0"],
)
def test_a_guest_that_breaks_the_rules_is_refused(frame):
    host, _ = pair()
    with pytest.raises(ProtocolError):
        host.receive(frame)


def test_a_guest_that_sends_more_than_it_may_is_refused():
    host, guest = pair()
    stream = host.open("engine")
    carry(host, guest)
    piece = HEADER.pack(Kind.DATA, stream, PIECE) + bytes(PIECE)
    with pytest.raises(ProtocolError, match="more data"):
        host.receive(piece * (WINDOW // PIECE + 1))


@given(st.binary(max_size=400))
def test_no_bytes_whatever_do_worse_than_that(noise):
    host, _ = pair()
    host.open("engine")
    with contextlib.suppress(ProtocolError):
        host.receive(noise)
