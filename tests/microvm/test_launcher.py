"""What the launcher adds to the channel: it knows the head of an answer that goes on as a stream."""

import pytest

from labkit.microvm.launcher import head_length

HEAD = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n"


@pytest.mark.parametrize(
    ("piece", "length"),
    [
        (HEAD, len(HEAD)),
        (HEAD + b"\1\0\0\0\0\0\0\2hi", len(HEAD)),
        (HEAD[:-2], 0),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}", 0),
        (b"\1\0\0\0\0\0\0\2hi", 0),
    ],
    ids=["alone", "with output", "not whole", "JSON", "output"],
)
def test_the_head_of_a_stream_is_recognised(piece, length):
    assert head_length(piece) == length
