"""The life cycle's picture, text and table: the engine's own table, with one state lit."""

import json

import pytest

from labkit import lifecycle
from labkit.engine.containers import lifecycle as obeyed
from labkit.views import life_cycle
from tests.views.pictures import state


def picture(status: str, code: int | None = None):
    return life_cycle.picture_of(state("one", status=status, code=code))


def test_what_is_drawn_is_what_the_engine_obeys() -> None:
    drawn = {(move["verb"], move["from"], move["to"]) for move in picture("running")["moves"]}
    legal = {
        (verb, start, found.to)
        for verb, row in obeyed.TABLE.items()
        for start, found in row.items()
        if isinstance(found, obeyed.Move)
    }
    assert drawn == legal


def test_every_state_has_a_meaning_and_every_verb_that_can_be_asked_for_a_command() -> None:
    assert life_cycle.MEANINGS.keys() == {*lifecycle.STATES, lifecycle.GONE}
    asked = {verb for verb in lifecycle.MOVES if not verb.startswith("die")}
    assert life_cycle.COMMANDS.keys() == life_cycle.DOES.keys() == asked


@pytest.mark.parametrize(
    ("status", "legal"),
    [
        ("created", "start, restart, remove, remove by force"),
        ("running", "stop, restart, kill, pause, exec, remove by force"),
        ("paused", "stop, restart, kill, unpause, remove by force"),
        ("exited", "start, restart, remove, remove by force"),
        ("removed", "nothing"),
    ],
)
def test_the_text_says_the_state_and_what_is_legal(status: str, legal: str) -> None:
    said = "gone" if status == "removed" else status
    assert life_cycle.text_of(picture(status)) == f"LifeCycle: one is {said} | legal now: {legal}"


def test_an_exit_code_is_told() -> None:
    assert life_cycle.text_of(picture("exited", 137)).startswith("LifeCycle: one is exited (137) | ")


def test_one_state_is_lit() -> None:
    assert [s["name"] for s in picture("paused")["states"] if s["current"]] == ["paused"]
    assert [s["name"] for s in picture("removed")["states"] if s["current"]] == ["gone"]


def test_the_table_has_a_row_for_each_verb() -> None:
    table = life_cycle.table_of(picture("running"))
    assert table.count('<th scope="row">') == len(lifecycle.MOVES)
    assert '<tr><th scope="row">pause</th><td>running</td><td>paused</td><td>pause</td>' in table
    assert "<td>docker rm --force one</td><td>yes</td>" in table
    assert "<td>docker rm one</td><td>no</td>" in table


def test_events_tell_signals_and_exit_codes() -> None:
    killed = {"Action": "kill", "Actor": {"Attributes": {"signal": "15"}}}
    ran = {"Action": "exec_create: true", "Actor": {"Attributes": {}}}
    assert life_cycle.seen_in(killed) == {"action": "kill", "detail": "signal 15"}
    assert life_cycle.seen_in(ran) == {"action": "exec_create", "detail": ""}


def test_a_picture_is_plain_data() -> None:
    shown = picture("exited", 0)
    assert json.loads(json.dumps(shown)) == shown
