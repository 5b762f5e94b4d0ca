"""What every view shares: refusing misspelt arguments, the text form, the HTML table, JSON, and staying live.

A view asks the engine (`labkit.observe`), turns the answer into one plain dictionary, its *picture*, and stops there:
the text, the table and the drawing are all made from that same picture, so they cannot disagree.
"""

import difflib
import html
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import anywidget
import traitlets
from docker import DockerClient
from docker.models.containers import Container

from labkit import observe
from labkit.views import events

Picture = dict[str, Any]

HERE = Path(__file__).parent
WATCHED_FOR = 900.0  # seconds that a view counts as watched after the browser last said so
STALE = "This picture is as old as the engine's last answer. Asked again, it failed:"
REFUSED = "You asked for `{asked}`, and the engine said: {said}"


def module(name: str) -> str:
    """The ES module of a view: what all share, then its own. One file, since a widget's module can import no other."""
    return (HERE / "base.js").read_text("utf-8") + (HERE / f"{name}.js").read_text("utf-8")


def style(name: str) -> str:
    """The style sheet of a view: the colours that all share, then its own."""
    return (HERE / "base.css").read_text("utf-8") + (HERE / f"{name}.css").read_text("utf-8")


def refuse_unknown(view: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Raise TypeError for an argument that the view does not have, and say which one was perhaps meant."""
    for name in given:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"It takes: {', '.join(known) or 'none by name'}."
        raise TypeError(f"{view} has no argument {name!r}. {hint}")


def one_client(view: str, things: Sequence[Any], wanted: tuple[type, ...]) -> DockerClient:
    """The client that all of these SDK objects come from. Raises TypeError or ValueError with what to pass instead."""
    names = " or ".join(kind.__name__ for kind in wanted)
    if not things:
        raise ValueError(f"{view} needs at least one {names}, for example {view}(client.containers.get('one')).")
    for thing in things:
        if not isinstance(thing, wanted):
            raise TypeError(
                f"{view} takes {names} objects of the Docker SDK, not {type(thing).__name__} ({thing!r}). "
                "containers.run(..., detach=True) and containers.get(name) return one."
            )
    clients = [cast(DockerClient, thing.client) for thing in things]
    if len({client.api.base_url for client in clients}) > 1:
        raise ValueError(f"{view} shows one engine at a time; these objects come from different engines.")
    return clients[0]


def only_one(view: str, things: Sequence[Any]) -> None:
    """Raise TypeError where a view that shows one container was given several."""
    if len(things) > 1:
        raise TypeError(f"{view} shows one container, and was given {len(things)}. Make one {view} for each.")


def command(sdk: str, docker: str) -> dict[str, str]:
    """A call of the SDK and the `docker` command that does the same."""
    return {"sdk": sdk, "docker": docker}


# --- the table that stands where no script runs -----------------------------------------------------

# Jupyter aligns the cells of a table to the right; these hold words. Where styles are left out, the table stays whole.
ALIGNED = (
    "<style>table.lk-table :is(th, td, caption) {text-align: left !important} "
    "table.lk-table .lk-size {white-space: nowrap}</style>"
)


def cell(content: Any, kind: str = "") -> str:
    """A table cell. A `kind` such as "lk-size" marks what differs from run to run, for a sanitize rule."""
    return f'<td class="{kind}">{html.escape(str(content))}</td>' if kind else f"<td>{html.escape(str(content))}</td>"


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table of cells already made, its first column the row's heading."""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads)
    body = "\n".join(f'<tr><th scope="row">{html.escape(row[0])}</th>{"".join(row[1:])}</tr>' for row in rows)
    return (
        f'<table class="lk-table">\n<caption>{html.escape(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n{ALIGNED}"
    )


def few(words: Sequence[str], most: int) -> str:
    """Words in a row, the first of them when there are many."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


def number_of(count: int, word: str) -> str:
    """A count with its word: "1 layer", "2 layers", "2 processes"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}{'es' if word.endswith('s') else 's'}"


# --- the widget -------------------------------------------------------------------------------------


class View(anywidget.AnyWidget):
    """A live picture of what an engine holds. Subclasses say what to ask, and how it reads as text and as a table."""

    picture = traitlets.Dict().tag(sync=True)

    _refused = ""  # what the engine said to the last thing that was asked for in the picture
    _states: tuple[observe.ContainerState, ...] = ()
    _watcher: events.Watcher | None = None  # until it follows the engine

    def __init__(self, client: DockerClient | None, containers: Sequence[Container], **traits: Any) -> None:
        if client is not None:  # a view of measurements has none, and follows nothing
            self._client = client
        self._asking = threading.RLock()
        self._drawn = False  # whether a browser has drawn it
        self._watched: dict[str, float] = {}  # a drawing that is in sight -> until when it counts as watched
        self._states = tuple(observe.parse_state(container.attrs) for container in containers)
        super().__init__(**traits)
        self.refresh()
        self.on_msg(self._heard)
        if client is not None:
            self._watcher = events.follow(client, self)

    # what a subclass provides
    def ask(self) -> Picture:
        """Ask the engine; return what to show as plain data."""
        raise NotImplementedError

    def text(self) -> str:
        """The picture as one line, the same on every engine."""
        raise NotImplementedError

    def table(self) -> str:
        """The picture as an HTML table, the same on every engine but for marked cells."""
        raise NotImplementedError

    # what a lesson uses
    def refresh(self) -> None:
        """Ask the engine again and show the answer. Events do this by themselves."""
        with self._asking:
            self.picture = {**self.ask(), **({"refused": self._refused} if self._refused else {})}

    def to_dict(self) -> Picture:
        """What is shown, as plain data."""
        self._refresh_if_possible()
        return cast(Picture, json.loads(json.dumps(self.picture)))

    def to_json(self, indent: int | None = 2) -> str:
        """What is shown, as JSON."""
        return json.dumps(self.to_dict(), indent=indent)

    def close(self) -> None:
        """Stop following the engine, and take the picture away."""
        if self._watcher is not None:
            self._watcher.close()
        super().close()

    def __repr__(self) -> str:
        self._refresh_if_possible()
        return self.text()

    def _repr_html_(self) -> str:
        return self.table()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self.table()}
        if self.comm is not None:
            shown = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
            bundle["application/vnd.jupyter.widget-view+json"] = shown
        return bundle, {}

    # what a subclass may provide
    def told(self, message: Mapping[str, Any]) -> None:
        """Do what somebody asked for in the drawing. Here: nothing, since most views only show."""

    def saw(self, event: Mapping[str, Any]) -> None:
        """Take note of an event, before the engine is asked. It comes from the thread that reads the events."""

    # what keeps it live (see events.py)
    def followed(self) -> frozenset[str]:
        """The ids (or names) whose events make this view look again."""
        return frozenset(state.id for state in self._states)

    def wants_look(self) -> bool:
        """Not while all its drawings are out of sight: they are brought up to date when they come back."""
        return bool(self._watched) or not self._drawn

    def wants_slow_look(self) -> bool:
        now = time.monotonic()
        watched = any(until > now for until in list(self._watched.values()))
        containers = self.picture.get("containers", ())
        return watched and not self.picture.get("notice") and any(c["status"] == "running" for c in containers)

    def failed(self, error: Exception) -> None:
        """The engine could not be asked: keep the last answer, and say that it is old."""
        self.picture = {**self.picture, "notice": f"{STALE} {error}"}

    def _look_soon(self) -> None:
        if self._watcher is not None:
            self._watcher.wake()

    def _refresh_if_possible(self) -> None:
        try:
            self.refresh()
        except events.UNREACHABLE as error:
            self.failed(error)

    def _do(self, asked: str, action: Callable[[], object]) -> None:
        """Do something to the engine, in a thread of its own: a stop may take ten seconds, and the notebook goes on."""
        threading.Thread(target=self._try, args=(asked, action), name="labkit-ask", daemon=True).start()

    def _try(self, asked: str, action: Callable[[], object]) -> None:
        self._refused = ""
        try:
            action()
        except events.UNREACHABLE as error:
            self._refused = REFUSED.format(asked=asked, said=getattr(error, "explanation", None) or error)
        self._refresh_if_possible()

    def _heard(self, _view: Any, message: Mapping[str, Any], _buffers: Any) -> None:
        """The browser says that a drawing came into sight or left it, or asks for something."""
        if message.get("kind") != "sight":
            self.told(message)
            return
        self._drawn = True
        drawing = str(message.get("drawing"))
        if message.get("seen"):
            self._watched[drawing] = time.monotonic() + WATCHED_FOR
            self._look_soon()
        else:
            self._watched.pop(drawing, None)
