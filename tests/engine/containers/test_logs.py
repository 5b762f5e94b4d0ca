"""Reading a json-file log: which lines, in which form, and what comes later."""

import asyncio
import contextlib
import json

import pytest

from labkit.engine.containers import logs, timestamps
from labkit.engine.containers.logs import Wanted, frame


def line(text: str, stream: str = "stdout", second: int = 0) -> str:
    return json.dumps({"log": text, "stream": stream, "time": timestamps.rfc3339(second * 10**9)}) + "\n"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.json"
    path.write_text(line("one\n", second=1) + line("err\n", "stderr", 2) + line("three\n", second=3))
    return path


async def read(path, ended=None, **wanted) -> bytes:
    return b"".join([piece async for piece in logs.read(str(path), Wanted(raw=True, **wanted), ended)])


WANTED = {
    "all": ({}, b"one\nerr\nthree\n"),
    "stdout": ({"stderr": False}, b"one\nthree\n"),
    "stderr": ({"stdout": False}, b"err\n"),
    "tail": ({"tail": 2}, b"err\nthree\n"),
    "tail of nothing": ({"tail": 0}, b""),
    "tail, then the stream": ({"tail": 2, "stderr": False}, b"three\n"),
    "since": ({"since": 2.0}, b"err\nthree\n"),
    "until": ({"until": 2.0}, b"one\nerr\n"),
}


@pytest.mark.parametrize(("wanted", "text"), WANTED.values(), ids=WANTED)
async def test_which_lines(log, wanted, text):
    assert await read(log, **wanted) == text


async def test_frames(log):
    pieces = [piece async for piece in logs.read(str(log), Wanted())]
    assert b"".join(pieces) == frame(1, b"one\n") + frame(2, b"err\n") + frame(1, b"three\n")


def test_a_frame_is_eight_bytes_and_the_payload():
    assert frame(2, b"abc") == b"\x02\0\0\0\0\0\0\x03abc"


async def test_timestamps(log):
    assert (await read(log, tail=1, timestamps=True)) == b"1970-01-01T00:00:03.000000000Z three\n"


async def test_a_long_line_in_pieces_has_one_timestamp(log):
    log.write_text(line("be", second=1) + line("gin\n", second=1))
    assert (await read(log, timestamps=True)) == b"1970-01-01T00:00:01.000000000Z begin\n"


async def test_files_that_were_pushed_aside_come_first(log):
    log.with_suffix(".json.1").write_text(line("older\n"))
    log.with_suffix(".json.2").write_text(line("oldest\n"))
    assert (await read(log, stderr=False)) == b"oldest\nolder\none\nthree\n"


async def test_half_a_line_is_passed_over(log):
    with log.open("a") as file:
        file.write('{"log": "cut o')
    assert await read(log, tail=1) == b"three\n"


async def test_no_file_at_all(tmp_path):
    assert await read(tmp_path / "log.json") == b""


async def test_a_large_log(log):
    log.write_text(line("x" * 1000 + "\n") * 1000)
    assert len(await read(log)) == 1001 * 1000


# --- following ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def following(log):
    """Pieces as they come, and a future that stands for the container's end."""
    ended = asyncio.get_running_loop().create_future()
    pieces = logs.read(str(log), Wanted(raw=True), ended)
    assert await anext(pieces) == b"one\nerr\nthree\n"
    yield pieces, ended
    with contextlib.suppress(RuntimeError):
        await pieces.aclose()


async def test_what_comes_later(log, following):
    pieces, _ = following
    coming = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0.05)
    assert not coming.done()
    with log.open("a") as file:
        file.write(line("four\n"))
    assert await asyncio.wait_for(coming, 3) == b"four\n"


async def test_it_ends_with_the_container_and_loses_nothing(log, following):
    pieces, ended = following
    with log.open("a") as file:
        file.write(line("last words\n"))
    ended.set_result(0)
    assert [piece async for piece in pieces] == [b"last words\n"]


async def test_a_new_file_takes_the_place_of_a_full_one(log, following):
    pieces, ended = following
    with log.open("a") as file:
        file.write(line("four\n"))
    log.rename(log.with_suffix(".json.1"))
    log.write_text(line("five\n"))
    ended.set_result(0)
    assert b"".join([piece async for piece in pieces]) == b"four\nfive\n"


async def test_following_until_a_time(log):
    ended = asyncio.get_running_loop().create_future()
    soon = timestamps.parse(timestamps.now()) + 0.1
    assert await asyncio.wait_for(read(log, ended, until=soon), 3) == b"one\nerr\nthree\n"
