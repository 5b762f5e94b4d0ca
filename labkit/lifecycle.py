"""The life of a container as a table: its states, and every move from one to another. Pure, and imported by both sides.

The engine obeys this table and the life-cycle picture draws it, so the picture cannot be wrong about the engine. What
is left out: the moves that are refused, and Docker's words for each; they stand beside the engine, in
`labkit/engine/containers/lifecycle.py`.

Source: Docker Engine API, "Containers" (what each verb answers in each state).
"""

from __future__ import annotations

from dataclasses import dataclass

STATES = ("created", "running", "paused", "restarting", "exited", "removing", "dead")
GONE = "gone"
"""Where a removed container is: nowhere. Not a state that anybody can see."""


@dataclass(frozen=True)
class Move:
    """A legal move: the state it leads to, and the event that tells of it ("" where another move tells it)."""

    to: str
    event: str = ""


# verb -> state -> the legal move from there. "die" and "die and restart" are the process's own verbs: nobody asks for
# them. Docker tells kill and die on the way of a stop, and a restart is told as die, stop, start, restart.
MOVES: dict[str, dict[str, Move]] = {
    "start": {
        "created": Move("running", "start"),
        "exited": Move("running", "start"),
    },
    "stop": {
        "running": Move("exited", "stop"),
        "paused": Move("exited", "stop"),
        "restarting": Move("exited", "stop"),
    },
    "restart": {
        "created": Move("running", "restart"),
        "running": Move("running", "restart"),
        "paused": Move("running", "restart"),
        "restarting": Move("running", "restart"),
        "exited": Move("running", "restart"),
    },
    "kill": {
        "running": Move("exited", "kill"),
        "paused": Move("exited", "kill"),
        "restarting": Move("exited", "kill"),
    },
    "pause": {
        "running": Move("paused", "pause"),
    },
    "unpause": {
        "paused": Move("running", "unpause"),
    },
    "exec": {
        "running": Move("running", "exec_create"),
    },
    "remove": {
        "created": Move(GONE, "destroy"),
        "exited": Move(GONE, "destroy"),
        "dead": Move(GONE, "destroy"),
    },
    "remove by force": {
        "created": Move(GONE, "destroy"),
        "running": Move(GONE, "destroy"),
        "paused": Move(GONE, "destroy"),
        "restarting": Move(GONE, "destroy"),
        "exited": Move(GONE, "destroy"),
        "dead": Move(GONE, "destroy"),
    },
    "die": {
        "running": Move("exited", "die"),
        "paused": Move("exited", "die"),
    },
    "die and restart": {
        "running": Move("restarting", "die"),
        "paused": Move("restarting", "die"),
    },
}


def moves() -> list[tuple[str, str, str, str]]:
    """Every legal move as (verb, from, to, event), in the order of the table: what the picture draws."""
    return [(verb, state, move.to, move.event) for verb, row in MOVES.items() for state, move in row.items()]
