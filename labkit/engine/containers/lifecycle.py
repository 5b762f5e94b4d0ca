"""The life of a container: its states, the verbs, and which verb is legal in which state. Pure.

The engine obeys `TABLE`; the life-cycle picture of the lessons draws the same one. A move is legal and leads to a
state, or it is refused with Docker's status and words.

Source: Docker Engine API, "Containers" (statuses of each verb), and what dockerd answers on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.engine.errors import ApiError, Conflict, NotModified

STATES = ("created", "running", "paused", "restarting", "exited", "removing", "dead")
GONE = "gone"
"""Where a removed container is: nowhere. Not a state that anybody can see."""

ALIVE = frozenset({"running", "paused", "restarting"})
"""The states in which Docker says `Running: true`. A restarting container counts: it will run again by itself."""

WITH_PROCESS = frozenset({"running", "paused"})
"""The states in which there is a process, and so a pid, streams and namespaces."""


@dataclass(frozen=True)
class Move:
    """A legal move: the state it leads to, and the event that tells of it ("" where another move tells it)."""

    to: str
    event: str = ""


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

# verb -> state -> what becomes of it. "die" and "die and restart" are the process's own verbs: nobody asks for them.
# Docker tells kill and die on the way of a stop, and a restart is told as die, stop, start, restart.
TABLE: dict[str, dict[str, Outcome]] = {
    "start": {
        "created": Move("running", "start"),
        "running": ALREADY,
        "paused": UNPAUSE_FIRST,
        "restarting": ALREADY,
        "exited": Move("running", "start"),
        "removing": LEAVING,
        "dead": LEAVING,
    },
    "stop": {
        "created": ALREADY,
        "running": Move("exited", "stop"),
        "paused": Move("exited", "stop"),
        "restarting": Move("exited", "stop"),
        "exited": ALREADY,
        "removing": ALREADY,
        "dead": ALREADY,
    },
    "restart": {
        "created": Move("running", "restart"),
        "running": Move("running", "restart"),
        "paused": Move("running", "restart"),
        "restarting": Move("running", "restart"),
        "exited": Move("running", "restart"),
        "removing": LEAVING,
        "dead": LEAVING,
    },
    "kill": {
        "created": CANNOT_KILL,
        "running": Move("exited", "kill"),
        "paused": Move("exited", "kill"),
        "restarting": Move("exited", "kill"),
        "exited": CANNOT_KILL,
        "removing": CANNOT_KILL,
        "dead": CANNOT_KILL,
    },
    "pause": {
        "created": NOT_RUNNING,
        "running": Move("paused", "pause"),
        "paused": ALREADY_PAUSED,
        "restarting": IS_RESTARTING,
        "exited": NOT_RUNNING,
        "removing": NOT_RUNNING,
        "dead": NOT_RUNNING,
    },
    "unpause": {
        "created": NOT_PAUSED,
        "running": NOT_PAUSED,
        "paused": Move("running", "unpause"),
        "restarting": NOT_PAUSED,
        "exited": NOT_PAUSED,
        "removing": NOT_PAUSED,
        "dead": NOT_PAUSED,
    },
    "exec": {
        "created": NOT_RUNNING,
        "running": Move("running", "exec_create"),
        "paused": EXEC_PAUSED,
        "restarting": IS_RESTARTING,
        "exited": NOT_RUNNING,
        "removing": NOT_RUNNING,
        "dead": NOT_RUNNING,
    },
    "remove": {
        "created": Move(GONE, "destroy"),
        "running": STOP_FIRST,
        "paused": UNPAUSE_AND_STOP_FIRST,
        "restarting": RESTARTING_STOP_FIRST,
        "exited": Move(GONE, "destroy"),
        "removing": BEING_REMOVED,
        "dead": Move(GONE, "destroy"),
    },
    "remove by force": {
        "created": Move(GONE, "destroy"),
        "running": Move(GONE, "destroy"),
        "paused": Move(GONE, "destroy"),
        "restarting": Move(GONE, "destroy"),
        "exited": Move(GONE, "destroy"),
        "removing": BEING_REMOVED,
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


def outcome(verb: str, state: str) -> Outcome:
    """What the table says of a verb in a state. A dead process cannot die: that pair is refused as not running."""
    return TABLE[verb].get(state, NOT_RUNNING)


def check(verb: str, state: str, container_id: str, name: str) -> Move:
    """The legal move, or Docker's error: 304 where it is so already, 409 where the state forbids it."""
    found = outcome(verb, state)
    if isinstance(found, Refusal):
        raise found.to_error(container_id, name)
    return found


def moves() -> list[tuple[str, str, str, str]]:
    """Every legal move as (verb, from, to, event), in the order of the table: what the picture draws."""
    return [
        (verb, state, found.to, found.event)
        for verb, row in TABLE.items()
        for state, found in row.items()
        if isinstance(found, Move)
    ]


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
