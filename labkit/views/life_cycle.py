"""The life cycle: the engine's own table of states and moves, with one container's state lit.

What is drawn is `labkit.lifecycle`, the table that labkit's engine obeys; the state comes from the engine, and each
legal move can be made from the picture. `docker container inspect` and `docker events` say the same in words.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docker.models.containers import Container

from labkit import lifecycle, observe
from labkit.views import base
from labkit.views.base import Picture, cell

REMEMBERED = 12  # events shown as the container's way so far

# state -> what it means, for the glossary
MEANINGS = {
    "created": "It has a read-write layer and a configuration. No process has been started yet.",
    "running": "Its first process runs. The container lives exactly as long as that process does.",
    "paused": "Its processes are frozen: they are there, and get no time on a processor.",
    "restarting": "Its first process has ended, and the engine will start it again.",
    "exited": "Its first process has ended. The read-write layer is kept, and so is the exit code.",
    "removing": "The engine is removing it.",
    "dead": "The engine failed to remove it. Only another attempt to remove it is left.",
    lifecycle.GONE: "The container and its read-write layer are no more. The image is untouched.",
}

# verb -> the SDK's method, the docker command. Verbs that are not here are the process's own: nobody asks for them.
COMMANDS = {
    "start": ("start()", "docker start {name}"),
    "stop": ("stop()", "docker stop {name}"),
    "restart": ("restart()", "docker restart {name}"),
    "kill": ("kill()", "docker kill {name}"),
    "pause": ("pause()", "docker pause {name}"),
    "unpause": ("unpause()", "docker unpause {name}"),
    "exec": ('exec_run("true")', "docker exec {name} true"),
    "remove": ("remove()", "docker rm {name}"),
    "remove by force": ("remove(force=True)", "docker rm --force {name}"),
}
DOES: dict[str, Callable[[Container], object]] = {
    "start": lambda container: container.start(),
    "stop": lambda container: container.stop(),
    "restart": lambda container: container.restart(),
    "kill": lambda container: container.kill(),
    "pause": lambda container: container.pause(),
    "unpause": lambda container: container.unpause(),
    "exec": lambda container: container.exec_run("true"),
    "remove": lambda container: container.remove(),
    "remove by force": lambda container: container.remove(force=True),
}


# --- pure: from a state to a picture, and from the picture to text and table ------------------------


def picture_of(container: observe.ContainerState, seen: Sequence[Picture] = ()) -> Picture:
    """The table of states with this container's place in it, as plain data."""
    now = lifecycle.GONE if container.status == "removed" else container.status
    return {
        "view": "LifeCycle",
        "container": {
            "id": container.id,
            "name": container.name,
            "image": container.image,
            "state": now,
            "exit_code": container.exit_code,
        },
        "states": [{"name": name, "current": name == now, "meaning": MEANINGS[name]} for name in MEANINGS],
        "moves": [_move(container.name, now, *move) for move in lifecycle.moves()],
        "seen": list(seen),
        "commands": _commands(container.name) if now != lifecycle.GONE else [],
    }


def _move(name: str, now: str, verb: str, start: str, end: str, event: str) -> Picture:
    sdk, docker = COMMANDS.get(verb, ("", ""))
    return {
        "verb": verb,
        "from": start,
        "to": end,
        "event": event,
        "legal": start == now,
        "asked": verb in COMMANDS,
        "sdk": sdk and f'client.containers.get("{name}").{sdk}',
        "docker": docker.format(name=name),
    }


def _commands(name: str) -> list[dict[str, str]]:
    events = f'client.events(filters={{"container": "{name}"}}, decode=True)'
    return [
        base.command(f'client.containers.get("{name}").status', "docker inspect --format {{.State.Status}} " + name),
        base.command(events, f"docker events --filter container={name}"),
    ]


def seen_in(event: Mapping[str, Any]) -> Picture:
    """One event as a step of the container's way: what happened, with the signal or the exit code that it tells."""
    attributes = (event.get("Actor") or {}).get("Attributes") or {}
    action = str(event.get("Action") or event.get("status") or "").split(":")[0]
    told = {"kill": "signal", "die": "exitCode", "exec_die": "exitCode"}
    detail = attributes.get(told.get(action, ""), "")
    return {"action": action, "detail": f"{told[action]} {detail}".replace("exitCode", "code") if detail else ""}


def state_said(container: Picture) -> str:
    """A container's state, with the exit code where it has ended: "exited (137)"."""
    code = container["exit_code"]
    return str(container["state"]) if code is None else f"{container['state']} ({code})"


def legal_verbs(picture: Picture) -> list[str]:
    """What somebody could ask for now."""
    return [move["verb"] for move in picture["moves"] if move["legal"] and move["asked"]]


def text_of(picture: Picture) -> str:
    """The picture as one line: the state, and the moves that are legal now."""
    container = picture["container"]
    legal = ", ".join(legal_verbs(picture)) or "nothing"
    return f"LifeCycle: {container['name']} is {state_said(container)} | legal now: {legal}"


def table_of(picture: Picture) -> str:
    """The picture as an HTML table: a move a row, with the states that it leads from and to."""
    container = picture["container"]
    heads = ["move", "from", "to", "event", "docker command", "legal now"]
    caption = f"Life cycle of {container['name']}, which is {state_said(container)}"
    return base.table(caption, heads, [_row(moves) for moves in _by_verb(picture["moves"])])


def _by_verb(moves: Sequence[Picture]) -> list[list[Picture]]:
    verbs = dict.fromkeys(move["verb"] for move in moves)
    return [[move for move in moves if move["verb"] == verb] for verb in verbs]


def _row(moves: Sequence[Picture]) -> list[str]:
    first = moves[0]
    return [
        first["verb"],
        cell(", ".join(move["from"] for move in moves)),
        cell(first["to"]),
        cell(first["event"]),
        cell(first["docker"] or "by itself"),
        cell("yes" if any(move["legal"] for move in moves) else "no"),
    ]


# --- the widget -------------------------------------------------------------------------------------


class LifeCycle(base.View):
    """Draw the states of a container and the moves between them; light the state that it is in.

    LifeCycle(one) takes a Container object of the Docker SDK, and follows the engine's events until `close()`. Its
    buttons are the moves that are legal now, and do what the docker command beside each does.
    """

    _esm = base.module("life_cycle")
    _css = base.style("life_cycle")

    def __init__(self, *container: Container, **unknown: Any) -> None:
        base.refuse_unknown("LifeCycle", unknown, [])
        client = base.one_client("LifeCycle", container, (Container,))
        base.only_one("LifeCycle", container)
        self._seen: deque[Picture] = deque(maxlen=REMEMBERED)
        super().__init__(client, container)

    def ask(self) -> Picture:
        self._states = (observe.container_state(self._client, self._states[0]),)
        return picture_of(self._states[0], self._seen)

    def saw(self, event: Mapping[str, Any]) -> None:
        if event.get("Type", "container") == "container":  # not a network's, which tells who left it
            self._seen.append(seen_in(event))

    def told(self, message: Mapping[str, Any]) -> None:
        """A button was pressed: make that move, if it is one that the table has."""
        verb, container = str(message.get("move")), self._states[0]
        if verb in DOES:
            asked = COMMANDS[verb][1].format(name=container.name)
            self._do(asked, lambda: DOES[verb](self._client.containers.get(container.id)))

    def text(self) -> str:
        return text_of(self.picture)

    def table(self) -> str:
        return table_of(self.picture)
