"""Lines on their way to the client: in order, few at once, and the end of either side ends the other."""

import asyncio

import pytest

from labkit.engine.build.progress import MOST_WAITING, Quiet, lines


async def test_lines_come_in_order_and_the_error_last():
    async def work(tell):
        for number in range(3):
            await tell({"n": number})
        raise ValueError("broken")

    seen = []
    with pytest.raises(ValueError, match="broken"):
        async for line in lines(work, asyncio.Event()):
            seen.append(line["n"])
    assert seen == [0, 1, 2]


async def test_the_work_waits_for_a_slow_client():
    told = 0

    async def work(tell):
        nonlocal told
        for _ in range(10 * MOST_WAITING):
            await tell({})
            told += 1

    source = lines(work, asyncio.Event())
    await anext(source)
    await asyncio.sleep(0.05)
    assert told <= MOST_WAITING + 1
    assert 1 + len([line async for line in source]) == told == 10 * MOST_WAITING


@pytest.mark.parametrize("told_before", [0, 1, MOST_WAITING])
async def test_a_client_that_leaves_ends_the_work_which_tidies_up(told_before):
    gone, tidied = asyncio.Event(), []

    async def work(tell):
        try:
            for _ in range(told_before):
                await tell({})
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            await tell({"too": "late"})
            tidied.append(True)

    asyncio.get_running_loop().call_later(0.05, gone.set)
    async with asyncio.timeout(5):
        assert len([line async for line in lines(work, gone)]) == told_before
    assert tidied == [True]


async def test_closed_early():
    tidied = []

    async def work(tell):
        try:
            await tell({})
            await asyncio.sleep(60)
        finally:
            tidied.append(True)

    source = lines(work, asyncio.Event())
    await anext(source)
    await source.aclose()
    assert tidied == [True]


async def test_quiet_keeps_all():
    quiet, heard = Quiet(), []

    async def tell(line):
        heard.append(line)

    await quiet.tell({"a": 1})
    await quiet.tell({"b": 2})
    assert heard == []
    await quiet.pass_on(tell)
    assert heard == [{"a": 1}, {"b": 2}]
