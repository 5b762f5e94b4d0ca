"""The life of a container as the engine obeys it: the legal moves, and Docker's refusal of every other. Pure.

The moves are those of `labkit/lifecycle.py`, which the life-cycle picture of the lessons draws too. Here each verb gets
an answer in every state: it leads on, or it is refused with Docker's status and words.

Source: Docker Engine API, "Containers" (statuses of each verb), and what dockerd answers on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.engine.errors import ApiError, Conflict, NotModified
from labkit.lifecycle import GONE as GONE
from labkit.lifecycle import MOVES, Move
from labkit.lifecycle import STATES as STATES
from labkit.lifecycle import moves as moves

ALIVE = frozenset({"running", "paused", "restarting"})
"""The states in which Docker says `Running: true`. A restarting container counts: it will run again by itself."""

WITH_PROCESS = frozenset({"running", "paused"})
"""The states in which there is a process, and so a pid, streams and namespaces."""


@dataclass(frozen=True)
class Refusal:
    """A move that is refused: the error's class and its words, where {id} and {name} are the container's."""

    error: type[ApiError]
    words: str = ""

    def to_error(self, container_id: str, name: str) -> ApiError:
        """The exception to raise."""
        words = self.words.format(id=container_id, name=name)
        return self.error(words) if words else NotModified()


ALREADY = Refusal(NotModified)
NOT_RUNNING = Refusal(Conflict, "Container {id} is not running")
NOT_PAUSED = Refusal(Conflict, "Container {id} is not paused")
IS_RESTARTING = Refusal(Conflict, "Container {id} is restarting, wait until the container is running")
CANNOT_KILL = Refusal(Conflict, "Cannot kill container: {name}: Container {id} is not running")
UNPAUSE_FIRST = Refusal(Conflict, "cannot start a paused container, try unpause instead")
ALREADY_PAUSED = Refusal(Conflict, "Container {id} is already paused")
EXEC_PAUSED = Refusal(Conflict, "Container {name} is paused, unpause the container before exec")
LEAVING = Refusal(Conflict, "container is marked for removal and cannot be started")
BEING_REMOVED = Refusal(Conflict, "removal of container {name} is already in progress")
STOP_FIRST = Refusal(
    Conflict,
    "You cannot remove a running container {id}. Stop the container before attempting removal or force remove",
)
UNPAUSE_AND_STOP_FIRST = Refusal(
    Conflict,
    "You cannot remove a paused container {id}. "
    "Unpause and then stop the container before attempting removal or force remove",
)
RESTARTING_STOP_FIRST = Refusal(
    Conflict,
    "You cannot remove a restarting container {id}. Stop the container before attempting removal or force remove",
)

Outcome = Move | Refusal

# verb -> state -> why not. With the legal moves, each verb that somebody can ask for has an answer in every state.
REFUSALS: dict[str, dict[str, Refusal]] = {
    "start": {
        "running": ALREADY,
        "paused": UNPAUSE_FIRST,
        "restarting": ALREADY,
        "removing": LEAVING,
        "dead": LEAVING,
    },
    "stop": {
        "created": ALREADY,
        "exited": ALREADY,
        "removing": ALREADY,
        "dead": ALREADY,
    },
    "restart": {
        "removing": LEAVING,
        "dead": LEAVING,
    },
    "kill": {
        "created": CANNOT_KILL,
        "exited": CANNOT_KILL,
        "removing": CANNOT_KILL,
        "dead": CANNOT_KILL,
    },
    "pause": {
        "created": NOT_RUNNING,
        "paused": ALREADY_PAUSED,
        "restarting": IS_RESTARTING,
        "exited": NOT_RUNNING,
        "removing": NOT_RUNNING,
        "dead": NOT_RUNNING,
    },
    "unpause": {
        "created": NOT_PAUSED,
        "running": NOT_PAUSED,
        "restarting": NOT_PAUSED,
        "exited": NOT_PAUSED,
        "removing": NOT_PAUSED,
        "dead": NOT_PAUSED,
    },
    "exec": {
        "created": NOT_RUNNING,
        "paused": EXEC_PAUSED,
        "restarting": IS_RESTARTING,
        "exited": NOT_RUNNING,
        "removing": NOT_RUNNING,
        "dead": NOT_RUNNING,
    },
    "remove": {
        "running": STOP_FIRST,
        "paused": UNPAUSE_AND_STOP_FIRST,
        "restarting": RESTARTING_STOP_FIRST,
        "removing": BEING_REMOVED,
    },
    "remove by force": {
        "removing": BEING_REMOVED,
    },
}

TABLE: dict[str, dict[str, Outcome]] = {verb: {**row, **REFUSALS.get(verb, {})} for verb, row in MOVES.items()}
"""Verb -> state -> what becomes of it."""


def outcome(verb: str, state: str) -> Outcome:
    """What the table says of a verb in a state. A dead process cannot die: that pair is refused as not running."""
    return TABLE[verb].get(state, NOT_RUNNING)


def check(verb: str, state: str, container_id: str, name: str) -> Move:
    """The legal move, or Docker's error: 304 where it is so already, 409 where the state forbids it."""
    found = outcome(verb, state)
    if isinstance(found, Refusal):
        raise found.to_error(container_id, name)
    return found


def check_attach(state: str, container_id: str, name: str) -> None:
    """Raise Docker's error where nobody may attach: a paused container could not answer. Before a start one may."""
    refusals = {
        "paused": Refusal(Conflict, "Container {id} is paused, unpause the container before attach"),
        "restarting": IS_RESTARTING,
        "removing": BEING_REMOVED,
        "dead": LEAVING,
    }
    if refusal := refusals.get(state):
        raise refusal.to_error(container_id, name)
