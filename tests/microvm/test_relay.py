"""Both ends of the channel in one process: a client at the host's end, a server at the guest's."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from labkit.microvm.channel import Channel, ChannelClosed
from labkit.microvm.mux import WINDOW
from labkit.microvm.relay import HEAD_SECONDS, Relay

SECONDS = 10


class Ends:
    """A host's relay with a listener, a guest's relay, and the server behind it; each relay in a thread."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        front = socket.socket(socket.AF_UNIX)  # as the engine's: how much is unread can be asked
        front.bind(b"")  # the kernel finds a name, unix(7)
        front.listen()
        self.front = front.getsockname()
        host, guest = socket.socketpair()
        relays = [
            Relay(Channel(host.fileno()), host=True, on_open=lambda target: None),
            Relay(Channel(guest.fileno()), host=False, on_open=self._connect),
        ]
        relays[0].listen(front, "server", lambda piece: 4 if piece.startswith(b"head") else 0)
        self._kept = (host, guest, front)
        self._threads = [threading.Thread(target=_turn, args=(relay,), daemon=True) for relay in relays]
        for thread in self._threads:
            thread.start()

    def _connect(self, target: str) -> socket.socket | None:
        return socket.create_connection(self.server.getsockname()) if target == "server" else None

    def client(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(SECONDS)
        client.connect(self.front)
        return client

    def accept(self) -> socket.socket:
        self.server.settimeout(SECONDS)
        accepted = self.server.accept()[0]
        accepted.settimeout(SECONDS)
        return accepted

    def close(self) -> None:
        self._kept[0].shutdown(socket.SHUT_RDWR)  # ends both loops
        for thread in self._threads:
            thread.join(SECONDS)
        for sock in (*self._kept, self.server):
            sock.close()


def _turn(relay: Relay) -> None:
    try:
        while True:
            relay.turn()
    except ChannelClosed:
        pass


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(1 << 16):
        data += piece
    return data


def test_bytes_pass_in_both_directions(ends: Ends):
    with ends.client() as client, ends.accept() as server:
        client.sendall(b"ask")
        assert server.recv(10) == b"ask"
        server.sendall(b"answer")
        assert client.recv(10) == b"answer"


def test_one_direction_may_end_before_the_other(ends: Ends):
    """`docker attach` does this: it ends its input and goes on to read."""
    with ends.client() as client, ends.accept() as server:
        client.sendall(b"all of it")
        client.shutdown(socket.SHUT_WR)
        assert read_all(server) == b"all of it"
        server.sendall(b"still heard")
        server.close()
        assert read_all(client) == b"still heard"


def test_much_more_than_the_credit_passes(ends: Ends):
    content = bytes(range(256)) * 8192  # 2 MiB
    with ends.client() as client, ends.accept() as server:
        writer = threading.Thread(target=lambda: (client.sendall(content), client.shutdown(socket.SHUT_WR)))
        writer.start()
        assert read_all(server) == content
        writer.join(SECONDS)


def test_a_reader_who_does_not_read_stops_nobody_else(ends: Ends):
    with ends.client() as stuck, ends.accept() as never_reads, ends.client() as other, ends.accept() as server:
        stuck.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                stuck.send(bytes(WINDOW))
        other.sendall(b"through")
        assert server.recv(10) == b"through"
        assert never_reads


@pytest.mark.parametrize("pieces", [(b"headbody",), (b"head", b"body")], ids=["in one piece", "in two"])
def test_what_follows_a_head_waits_until_the_head_was_taken(ends: Ends, pieces: tuple[bytes, ...]):
    with ends.client() as client, ends.accept() as server:
        for piece in pieces:
            server.sendall(piece)
            time.sleep(0.02)
        assert client.recv(100) == b"head"
        assert client.recv(100) == b"body"


def test_a_head_that_nobody_takes_does_not_hold_the_rest_for_ever(ends: Ends):
    with ends.client() as client, ends.accept() as server:
        server.sendall(b"headbody")
        time.sleep(HEAD_SECONDS + 0.2)
        assert client.recv(100) == b"headbody"


def test_a_target_that_nobody_knows_closes_the_connection():
    host, guest = socket.socketpair()
    relay = Relay(Channel(host.fileno()), host=True, on_open=lambda target: None)
    other = Relay(Channel(guest.fileno()), host=False, on_open=lambda target: None)
    client, ours = socket.socketpair()
    relay.connect(ours, "nowhere")
    client.settimeout(0.01)
    for _ in range(100):
        relay.turn(0.01)
        other.turn(0.01)
        try:
            assert client.recv(1) == b""
            break
        except TimeoutError:
            continue
    else:
        pytest.fail("the connection stayed open")
    for sock in (host, guest, client):
        sock.close()
