"""What a container printed: by stream, by number of lines, by time, and as it comes."""

import calendar
import re
import time

import docker
import pytest

from tests.contract.helpers import Background, eventually

PRINTS = "for i in 1 2 3 4 5; do echo out $i; sleep 0.04; echo err $i >&2; sleep 0.04; done"
STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")
OUT = [f"out {i}" for i in range(1, 6)]
ERR = [f"err {i}" for i in range(1, 6)]


def finished(client, image, script, **options):
    container = client.containers.run(image, ["sh", "-c", script], detach=True, **options)
    container.wait(timeout=20)
    return container


def lines(container, **options) -> list[str]:
    return container.logs(**options).decode().splitlines()


def test_both_streams_in_order(client, image):
    container = finished(client, image, PRINTS)
    assert lines(container) == [line for pair in zip(OUT, ERR, strict=True) for line in pair]


def test_one_stream_at_a_time(client, image):
    container = finished(client, image, PRINTS)
    assert lines(container, stderr=False) == OUT
    assert lines(container, stdout=False) == ERR


def test_no_stream_is_refused(client, image):
    container = finished(client, image, "true")
    with pytest.raises(docker.errors.APIError, match="must choose at least one stream"):
        container.logs(stdout=False, stderr=False)


@pytest.mark.parametrize(("tail", "wanted"), [(0, 0), (1, 1), (3, 3), (50, 10), ("all", 10)])
def test_tail(client, image, tail, wanted):
    container = finished(client, image, PRINTS)
    both = [line for pair in zip(OUT, ERR, strict=True) for line in pair]
    assert lines(container, tail=tail) == both[len(both) - wanted :]


def test_tail_counts_lines_before_a_stream_is_chosen(client, image):
    assert lines(finished(client, image, PRINTS), tail=3, stderr=False) == ["out 5"]


def test_timestamps_rise(client, image):
    stamped = lines(finished(client, image, PRINTS), timestamps=True, stderr=False)
    assert all(STAMP.match(line) for line in stamped)
    assert stamped == sorted(stamped)
    assert [STAMP.sub("", line) for line in stamped] == OUT


def test_since_and_until_cut_by_time(client, image):
    container = finished(client, image, "echo early; sleep 2.2; echo late")
    _, late = container.logs(timestamps=True).decode().splitlines()
    moment = seconds_of(late)
    assert lines(container, since=moment) == ["late"]
    assert lines(container, until=moment) == ["early"]
    assert lines(container, since=moment + 60) == []


def seconds_of(stamped: str) -> int:
    """The whole second before a line of `logs --timestamps`; the SDK sends whole seconds."""
    return calendar.timegm(time.strptime(stamped[:19], "%Y-%m-%dT%H:%M:%S"))


def test_follow_prints_as_it_comes_and_ends_with_the_container(client, image):
    script = "echo one; read x; echo two"
    container = client.containers.create(image, ["sh", "-c", script], stdin_open=True)
    container.start()
    stream = container.logs(stream=True, follow=True)
    assert next(stream) == b"one\n"
    feed = container.attach_socket(params={"stdin": 1, "stream": 1})
    feed._sock.sendall(b"\n")
    assert list(stream) == [b"two\n"]
    feed.close()


def test_follow_of_a_stopped_container_ends(client, image):
    container = finished(client, image, PRINTS)
    assert Background(lambda: b"".join(container.logs(stream=True, follow=True, stderr=False))).result() == (
        "".join(f"{line}\n" for line in OUT).encode()
    )


def test_logs_of_a_container_that_never_ran_are_empty(client, image):
    assert client.containers.create(image).logs() == b""


def test_logs_of_all_runs_are_kept(client, image):
    container = finished(client, image, "echo again")
    container.start()
    container.wait(timeout=20)
    assert lines(container) == ["again", "again"]


def test_a_terminal_has_one_stream_and_its_line_ends(client, image):
    container = finished(client, image, "echo out; echo err >&2", tty=True)
    assert container.logs() == b"out\r\nerr\r\n"


def test_bytes_come_back_as_they_were(client, image):
    container = finished(client, image, r"printf 'caf\303\251 \000\377 no line end'")
    assert container.logs().startswith("café ".encode())
    assert container.logs().endswith(b" no line end")


def test_a_line_of_many_kilobytes_stays_one(client, image):
    container = finished(client, image, "head -c 100000 /dev/zero | tr '\\0' x; echo")
    assert container.logs() == b"x" * 100_000 + b"\n"


def test_a_reader_that_goes_away_does_not_hold_the_container(client, image):
    container = client.containers.run(image, ["sh", "-c", "while :; do echo tick; sleep 0.02; done"], detach=True)
    stream = container.logs(stream=True, follow=True)
    assert next(stream) == b"tick\n"
    stream.close()
    before = len(lines(container))
    eventually(lambda: len(lines(container)) > before + 5)
