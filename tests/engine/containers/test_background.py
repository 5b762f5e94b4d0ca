"""Work that nobody waits for: called off before it began, or failing, it leaves nothing but a line in the log."""

import asyncio
import gc
import warnings

from labkit.engine.containers.background import background
from labkit.engine.errors import Conflict


async def test_work_called_off_before_it_began_is_closed():
    begun = []

    async def work() -> None:
        begun.append(True)

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        coroutine = work()
        task = background(coroutine, "some work")
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)  # the callbacks of a task run after it has ended
        gc.collect()
    assert task.cancelled() and not begun
    assert coroutine.cr_frame is None, "closed: it can't be begun any more"


async def test_a_failure_goes_to_the_log(caplog):
    async def work() -> None:
        raise Conflict("it is in use")

    await background(work(), "some work")
    assert "some work: it is in use" in caplog.text
