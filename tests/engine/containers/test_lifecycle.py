"""The table of states and moves: whole, in Docker's words, and drawn as it is obeyed."""

import pytest

from labkit.engine.containers import lifecycle
from labkit.engine.containers.lifecycle import GONE, STATES, TABLE, Move, Refusal
from labkit.engine.errors import Conflict, NotModified

ID, NAME = "1" * 64, "web"
ASKED_FOR = [verb for verb in TABLE if not verb.startswith("die")]


@pytest.mark.parametrize("verb", ASKED_FOR)
def test_every_verb_has_an_outcome_in_every_state(verb):
    assert TABLE[verb].keys() == set(STATES)


def test_moves_lead_to_states():
    assert {to for _, _, to, _ in lifecycle.moves()} <= {*STATES, GONE}


def test_every_state_that_lasts_can_be_reached_and_left():
    lasting = {"created", "running", "paused", "restarting", "exited"}
    assert lasting - {"created"} <= {to for _, _, to, _ in lifecycle.moves()}
    assert lasting <= {state for _, state, _, _ in lifecycle.moves()}


def test_a_legal_move():
    assert lifecycle.check("start", "exited", ID, NAME) == Move("running", "start")


# Docker's words, as dockerd 20.10 said them.
WORDS = {
    ("start", "paused"): "cannot start a paused container, try unpause instead",
    ("pause", "paused"): f"Container {ID} is already paused",
    ("pause", "exited"): f"Container {ID} is not running",
    ("unpause", "running"): f"Container {ID} is not paused",
    ("kill", "exited"): f"Cannot kill container: web: Container {ID} is not running",
    ("exec", "paused"): "Container web is paused, unpause the container before exec",
    ("remove", "running"): f"You cannot remove a running container {ID}. "
    "Stop the container before attempting removal or force remove",
    ("remove", "paused"): f"You cannot remove a paused container {ID}. "
    "Unpause and then stop the container before attempting removal or force remove",
    ("remove", "removing"): "removal of container web is already in progress",
}


@pytest.mark.parametrize(("move", "words"), WORDS.items(), ids=lambda value: str(value)[:30])
def test_a_refusal_in_dockers_words(move, words):
    with pytest.raises(Conflict) as refusal:
        lifecycle.check(*move, ID, NAME)
    assert (refusal.value.status, refusal.value.message) == (409, words)


@pytest.mark.parametrize(("verb", "state"), [("start", "running"), ("stop", "exited"), ("stop", "created")])
def test_nothing_to_do_is_304(verb, state):
    with pytest.raises(NotModified):
        lifecycle.check(verb, state, ID, NAME)


def test_the_dead_do_not_die():
    assert isinstance(lifecycle.outcome("die", "exited"), Refusal)


@pytest.mark.parametrize("state", ["created", "running", "exited"])
def test_attach_is_allowed(state):
    lifecycle.check_attach(state, ID, NAME)


@pytest.mark.parametrize("state", ["paused", "restarting", "removing", "dead"])
def test_attach_is_refused(state):
    with pytest.raises(Conflict):
        lifecycle.check_attach(state, ID, NAME)
