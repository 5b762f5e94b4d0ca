"""A terminal line that must not be overfilled: what is under way on it, and the parcels beside it."""

import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.microvm.channel import LINE, SMALL, Channel, ChannelClosed, LineFromHost, LineToGuest


@pytest.fixture
def line(tmp_path: Path):
    """Both ends of a line that is a pair of sockets here."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield LineToGuest(ours.fileno(), tmp_path), LineFromHost(theirs.fileno(), str(tmp_path)), theirs


def test_small_pieces_go_on_the_line_and_large_ones_as_files(line, tmp_path):
    host, guest, _ = line
    small, large = b"s" * SMALL, b"l" * (SMALL + 1)
    assert host.write(small) == len(small)
    assert host.write(large) == len(large)
    assert len(list(tmp_path.iterdir())) == 1
    assert guest.read() == small + large


def test_a_parcel_is_removed_when_the_guest_has_told_that_it_was_read(line, tmp_path):
    host, guest, _ = line
    host.write(bytes(5000))
    guest.read()
    host.acknowledged(guest.owed())
    assert list(tmp_path.iterdir()) == []


def test_no_more_than_the_line_holds_is_ever_under_way(line):
    host, _, wire = line
    while host.write(b"x" * SMALL):
        pass
    assert len(wire.recv(1 << 20)) <= LINE


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=3000), max_size=30))
def test_every_byte_arrives_in_order(line, pieces):
    host, guest, _ = line
    arrived = b""
    for piece in pieces:
        while not host.write(piece):
            arrived += guest.read()
            host.acknowledged(guest.owed())
    while data := guest.read():
        arrived += data
        host.acknowledged(guest.owed())
    assert arrived == b"".join(pieces)


def test_the_end_of_the_other_side_is_told():
    ours, theirs = socket.socketpair()
    with ours:
        channel = Channel(ours.fileno())
        assert channel.read() == b""
        theirs.close()
        with pytest.raises(ChannelClosed):
            channel.read()
