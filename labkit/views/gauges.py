"""The gauges: memory, processors and processes of one container, each against its limit, and an OOM kill where one was.

A limit is a number in the container's control group, and the kernel keeps it in three ways: a process that wants more
memory is killed, one that wants more of the processor waits, one that wants more processes is refused.
`docker stats` says the same in words.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docker.models.containers import Container

from labkit import observe
from labkit.usage import Limits, Usage, parse_limits, parse_usage
from labkit.views import base
from labkit.views.base import Picture, cell
from labkit.views.meter import Meter

REMEMBERED = 60  # measurements, one a second

# gauge -> (what it is called, what the kernel does at the limit, the option of `docker run` that sets it)
GAUGES = {
    "memory": ("memory", "a process that wants more is killed (OOM kill)", "--memory"),
    "cpu": ("processors", "its processes wait for their next turn", "--cpus"),
    "pids": ("processes", "no further process can be started", "--pids-limit"),
}


# --- pure: from numbers to a picture, and from the picture to text and table ------------------------


def picture_of(
    container: observe.ContainerState,
    limits: Limits,
    usage: Usage,
    history: Sequence[Picture] = (),
    oom_killed: bool = False,
) -> Picture:
    """The gauges as plain data. `history` are earlier measurements, the oldest first."""
    return {
        "view": "Gauges",
        "container": {
            "key": container.id,
            "name": container.name,
            "status": container.status,
            "exit_code": container.exit_code,
            "oom_killed": oom_killed,
        },
        "gauges": [_gauge(name, limits, usage) for name in GAUGES],
        "throttled": usage.throttled,
        "history": list(history),
        "commands": _commands(container) if container.status != "removed" else [],
    }


def _gauge(name: str, limits: Limits, usage: Usage) -> Picture:
    title, at_limit, option = GAUGES[name]
    used, limit = getattr(usage, name), getattr(limits, name)
    machine = {"memory": usage.machine_memory, "cpu": usage.machine_cpus}.get(name)
    return {
        "name": name,
        "title": title,
        "used": used,
        "used_said": SAID[name](used) if used is not None else "-",
        "limit": limit,
        "limit_said": SAID[name](limit) if limit is not None else "no limit",
        "full": limit if limit is not None else machine,  # where the scale ends; None where nothing ends it
        "at_limit": at_limit,
        "option": option,
    }


def _commands(container: observe.ContainerState) -> list[dict[str, str]]:
    name = container.name
    return [
        base.command(f'client.containers.get("{name}").stats(stream=False)', f"docker stats --no-stream {name}"),
        base.command(
            f'client.containers.get("{name}").attrs["State"]["OOMKilled"]',
            f"docker inspect --format {{{{.State.OOMKilled}}}} {name}",
        ),
    ]


def mebibytes(size: float) -> str:
    """Bytes as `docker stats` says them: binary units, three digits."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    place = 0
    while size >= 1024 and place < len(units) - 1:
        size, place = size / 1024, place + 1
    return f"{size:.4g} {units[place]}" if size >= 1000 else f"{size:.3g} {units[place]}"


def processors(count: float) -> str:
    """A number of processors with two digits after the point where they say something: 0.5, 2, 0.03."""
    return f"{count:.2f}".rstrip("0").rstrip(".")


SAID: dict[str, Callable[[Any], str]] = {"memory": mebibytes, "cpu": processors, "pids": str}


def text_of(picture: Picture) -> str:
    """The picture as one line: the state, the limits and whether there was an OOM kill. What is used varies."""
    container = picture["container"]
    code = container["exit_code"]
    state = container["status"] if code is None else f"{container['status']} ({code})"
    limits = ", ".join(f"{gauge['title']} {gauge['limit_said']}" for gauge in picture["gauges"])
    killed = "an OOM kill" if container["oom_killed"] else "no OOM kill"
    return f"Gauges: {container['name']} is {state} | limits: {limits} | {killed}"


def table_of(picture: Picture) -> str:
    """The picture as an HTML table. What is used stands in cells of class lk-usage."""
    container = picture["container"]
    rows = [
        [g["title"], cell(g["used_said"], "lk-usage"), cell(g["limit_said"]), cell(g["at_limit"]), cell(g["option"])]
        for g in picture["gauges"]
    ]
    killed = "the kernel has killed a process for want of memory" if container["oom_killed"] else "no OOM kill"
    caption = f"What {container['name']} uses, and its limits; {killed}"
    return base.table(caption, ["what", "used now", "limit", "at the limit", "set with"], rows)


# --- the widget -------------------------------------------------------------------------------------


class Gauges(base.View):
    """Draw what a container uses of memory, processors and processes against its limits, over the last minute.

    Gauges(one) takes a Container object of the Docker SDK. While it is in sight it reads the engine's own stream of
    measurements, one a second; an OOM kill is marked where it happened.
    """

    _esm = base.module("gauges")
    _css = base.style("gauges")

    def __init__(self, *container: Container, **unknown: Any) -> None:
        base.refuse_unknown("Gauges", unknown, [])
        client = base.one_client("Gauges", container, (Container,))
        base.only_one("Gauges", container)
        self._limits, self._usage, self._killed = Limits(), Usage(), False
        self._history: deque[Picture] = deque(maxlen=REMEMBERED)
        self._meter: Meter | None = None
        super().__init__(client, container)

    def ask(self) -> Picture:
        self._states = (observe.container_state(self._client, self._states[0]),)
        if self._states[0].status == "removed":
            self._usage = Usage()
        else:
            self._inspect()
            self._measure()
        return self._picture()

    def _inspect(self) -> None:
        attrs = self._client.api.inspect_container(self._states[0].id)
        self._limits = parse_limits(attrs)
        self._killed = self._killed or bool(attrs["State"].get("OOMKilled"))

    def _measure(self) -> None:
        """Read the stream while somebody watches; otherwise one measurement is enough."""
        if self._states[0].status != "running":
            self._usage = Usage()
        elif self.wants_measurements():
            if self._meter is None or not self._meter.running:
                self._meter = Meter(self._client, self._states[0].id, self)
        else:
            self._usage = parse_usage(self._client.api.stats(self._states[0].id, stream=False, one_shot=True))

    def _picture(self) -> Picture:
        return picture_of(self._states[0], self._limits, self._usage, self._history, self._killed)

    def wants_measurements(self) -> bool:
        """While it is open, in sight, and the container runs."""
        now = time.monotonic()
        seen = any(until > now for until in list(self._watched.values()))
        return seen and self.comm is not None and self._states[0].status == "running"

    def measured(self, stats: Mapping[str, Any]) -> None:
        """Take one measurement from the stream."""
        self._usage = parse_usage(stats)
        self._remember(oom=False)
        with self._asking:
            self.picture = self._picture()

    def saw(self, event: Mapping[str, Any]) -> None:
        if event.get("Action") == "oom":
            self._killed = True
            self._remember(oom=True)

    def _remember(self, oom: bool) -> None:
        used = self._usage
        self._history.append({"memory": used.memory, "cpu": used.cpu, "pids": used.pids, "oom": oom})

    def text(self) -> str:
        return text_of(self.picture)

    def table(self) -> str:
        return table_of(self.picture)
