"""The record: what is written comes back, and what only the running engine knows is not written."""

import json

from labkit.engine.containers import timestamps
from labkit.engine.containers.record import Container, State, from_json, to_json
from tests.engine.containers.fakes import make_container


def test_there_and_back():
    container = make_container(attached={"bridge": {"ip": "10.0.0.2"}}, restart_count=2, stopped_by_user=True)
    container.began(77, 1234, "boot")
    assert from_json(json.loads(json.dumps(to_json(container)))) == container


def test_what_the_running_engine_knows_is_not_written():
    assert (
        not {"lock", "waiters", "attaching", "execs", "held", "restarting", "restart_delay"}
        & to_json(make_container()).keys()
    )


def test_a_newer_engine_may_have_written_more():
    kept = to_json(make_container()) | {"unheard_of": 1}
    kept["state"] = {**kept["state"], "unheard_of": 1}
    assert from_json(kept) == make_container()


def test_began_and_ended():
    container = make_container()
    container.began(77, 1234, "boot")
    assert (container.state.status, container.state.pid) == ("running", 77)
    container.ended(3, 1e9)
    assert (container.state.status, container.state.pid, container.state.exit_code) == ("exited", 0, 3)
    assert container.state.finished_at == "2001-09-09T01:46:40.000000000Z"


def test_a_new_run_forgets_the_failure_of_the_last():
    container = make_container(
        state=State("exited", exit_code=3, error="no", oom_killed=True, finished_at="2001-01-01T00:00:00Z")
    )
    container.began(77, 1234, "boot")
    seen = container.state
    assert (seen.exit_code, seen.error, seen.oom_killed, seen.finished_at) == (0, "", False, "2001-01-01T00:00:00Z")


def test_what_did_not_start_stays_where_it_was():
    container = make_container()
    container.failed(127, "not found")
    assert (container.state.status, container.state.exit_code, container.state.error) == ("created", 127, "not found")
    assert container.state.started_at == timestamps.NEVER


def test_a_restarting_one_counts_as_alive_but_has_no_process():
    container = make_container(state=State("restarting"))
    assert container.state.alive
    assert not container.state.has_process


def test_two_containers_can_stand_in_one_set():
    assert len({make_container(), make_container(id="f" * 64)}) == 2
    assert isinstance(make_container(), Container)
