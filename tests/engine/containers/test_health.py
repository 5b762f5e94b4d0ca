"""The monitor, on an engine of fakes: when it looks, what it tells, and when it stops."""

import socket
import struct

import pytest

from labkit.engine.containers import execs, health, start, stop
from labkit.engine.containers.spec import Identity
from labkit.engine.errors import BadParameter
from labkit.runtime.create import RuntimeFailed
from tests.engine.containers.fakes import FakeShim, make_engine, new, soon, told

MS = 10**6
CHECK = {"Test": ["CMD", "look"], "Interval": 5 * MS, "Timeout": 200 * MS, "Retries": 2}


class Shim(FakeShim):
    """Each exec prints `output` and ends with `code`, or does not end where that is None."""

    code: int | None = 0
    output = b"fine"

    async def exec(self, key, exec_id, process, *, open_stdin, attach=()) -> int:
        pid = await super().exec(key, exec_id, process, open_stdin=open_stdin, attach=attach)
        sock = attach[0].sock.dup()
        self.open = [sock]
        if self.code is not None:
            sock.sendall(struct.pack(">BxxxI", 1, len(self.output)) + self.output)
            self.on_exit(key, exec_id, self.code, 0.0)
            sock.close()
        return pid


@pytest.fixture(autouse=True)
def root(monkeypatch):
    """Processes that are numbers have no root in which their user could be looked up."""
    monkeypatch.setattr(start, "identity", lambda engine, container, user=None: Identity())


@pytest.fixture
async def shim():
    return Shim()


@pytest.fixture
async def fake(tmp_path, shim):
    fake = make_engine(tmp_path, shim)
    await fake.containers.reconcile()
    yield fake
    await fake.containers.close()


async def checked(fake, **changes):
    container = new(fake, "web", Healthcheck={**CHECK, **changes})
    await start.start(fake, container)
    return container


def seen(fake) -> list[str]:
    return [action for action in told(fake) if action.startswith("health")]


async def test_it_begins_with_starting_and_becomes_healthy(fake):
    container = await checked(fake)
    assert container.state.health == {"Status": "starting", "FailingStreak": 0, "Log": []}
    await soon(lambda: health.status(container) == "healthy")
    assert container.state.health["Log"][0]["Output"] == "fine"
    assert seen(fake) == ["health_status: healthy"]
    assert health.in_words(container) == "healthy"


async def test_no_check_no_health(fake):
    container = new(fake)
    await start.start(fake, container)
    assert container.state.health is None and health.status(container) == "none"
    assert container.monitor is None


async def test_bad_answers_make_it_unhealthy(fake, shim):
    shim.code = 1
    container = await checked(fake)
    await soon(lambda: health.status(container) == "unhealthy")
    assert container.state.health["FailingStreak"] >= 2
    assert seen(fake) == ["health_status: unhealthy"]


async def test_an_answer_that_does_not_come(fake, shim):
    shim.code = None
    container = await checked(fake, Timeout=10 * MS)
    await soon(lambda: container.state.health["Log"])
    (result, *_) = container.state.health["Log"]
    assert (result["ExitCode"], result["Output"]) == (-1, "Health check exceeded timeout (10ms)")
    assert any(call[0] == "kill" and call[2] == 9 for call in shim.calls)


async def test_a_check_that_cannot_run(fake, shim):
    container = await checked(fake)
    shim.fail_with = RuntimeFailed("executable file not found in $PATH")
    await soon(lambda: container.state.health["Log"])
    (result, *_) = container.state.health["Log"]
    assert result["ExitCode"] == -1
    assert 'exec: "look": executable file not found in $PATH' in result["Output"]


async def test_nobody_looks_while_it_is_paused(fake):
    container = await checked(fake)
    await soon(lambda: health.status(container) == "healthy")
    await stop.pause(fake, container)
    assert container.monitor is None and health.status(container) == "unhealthy"
    await stop.unpause(fake, container)
    await soon(lambda: health.status(container) == "healthy")


async def test_nor_when_it_has_ended(fake, shim):
    container = await checked(fake)
    shim.ends(container.id)
    assert container.monitor is None and health.status(container) == "unhealthy"
    await start.start(fake, container)
    assert health.status(container) == "starting"


async def test_a_new_engine_goes_on(fake, tmp_path, shim):
    container = await checked(fake)
    await soon(lambda: health.status(container) == "healthy")
    health.leave(container)
    again = make_engine(tmp_path, shim)
    await again.containers.reconcile()
    found = again.containers.get("web")
    assert health.status(found) == "healthy"
    await soon(lambda: len(found.state.health["Log"]) > 1)
    await again.containers.close()


async def test_output_is_cut():
    ours, theirs = socket.socketpair()
    data = b"x" * (health.KEPT_OUTPUT + 100)
    theirs.sendall(struct.pack(">BxxxI", 2, len(data)) + data)
    theirs.close()
    assert await health.read_output(ours) == "x" * health.KEPT_OUTPUT + "..."


async def test_wrong_numbers_are_refused(fake):
    with pytest.raises(BadParameter, match="Timeout in Healthcheck cannot be less than 1ms"):
        new(fake, Healthcheck={**CHECK, "Timeout": 1})


async def test_its_execs_are_told_like_any_others(fake):
    container = await checked(fake)
    await soon(lambda: health.status(container) == "healthy")
    assert "exec_create: look" in told(fake) and "exec_die" in told(fake)
    assert isinstance(next(iter(container.execs.values())), execs.Exec)
