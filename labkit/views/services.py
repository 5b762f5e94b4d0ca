"""The services: containers and the networks that connect them, with requests that are seen to flow.

Each service is a container with a name that the others find it by. One that dies leaves its place empty, and the next
container of that name takes it. `docker network inspect` and `docker ps` say the same in words.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from docker.models.containers import Container
from docker.models.networks import Network

from labkit import topology
from labkit.topology import Service
from labkit.views import base
from labkit.views.base import Picture, cell
from labkit.views.prober import Probe, Prober

NOTEBOOK = ""  # who calls a service that no other one does


# --- pure: from services to a picture, and from the picture to text and table -----------------------


def picture_of(
    services: Mapping[str, Service],
    networks: Sequence[str] = (),
    calls: Mapping[str, Sequence[str]] | None = None,
    requests: Mapping[str, Picture] | None = None,
) -> Picture:
    """The services and their networks as plain data. `requests` are counts by service, None without a probe."""
    callers = {callee: caller for caller, callees in (calls or {}).items() for callee in callees}
    found = dict.fromkeys(networks)
    found |= dict.fromkeys(place.network for service in services.values() for place in service.connections)
    return {
        "view": "Services",
        "networks": list(found),
        "services": [_service(service, callers, requests) for service in services.values()],
        "probing": requests is not None,
        "commands": _commands(services, list(found)),
    }


def _service(service: Service, callers: Mapping[str, str], requests: Mapping[str, Picture] | None) -> Picture:
    return {
        "key": service.id,
        "name": service.name,
        "image": service.image,
        "status": service.status,
        "exit_code": service.exit_code,
        "health": service.health,
        "networks": [
            {"name": place.network, "address": place.address, "names": list(place.names)}
            for place in service.connections
        ],
        "ports": list(service.ports),
        "replaced": service.replaced,
        "called_by": callers.get(service.name, NOTEBOOK),
        "requests": dict(requests.get(service.name, NO_REQUESTS)) if requests is not None else None,
    }


NO_REQUESTS: Picture = {"answered": 0, "failed": 0, "last": "", "said": "", "round": 0}


def _commands(services: Mapping[str, Service], networks: Sequence[str]) -> list[dict[str, str]]:
    there = [service.name for service in services.values() if service.status != "removed"]
    return [
        *(base.command(f'client.networks.get("{n}").attrs', f"docker network inspect {n}") for n in networks),
        *(base.command(f'client.containers.get("{n}").attrs', f"docker container inspect {n}") for n in there),
    ]


def state_said(service: Picture) -> str:
    """A service's state in words: "running, healthy", "exited (137)"."""
    code = service["exit_code"]
    said = [service["status"] if code is None else f"{service['status']} ({code})", service["health"]]
    return ", ".join(word for word in said if word)


def text_of(picture: Picture) -> str:
    """The picture as one line: each service's state, its networks, and whether it has been replaced."""
    said = [f"{service['name']}: {_service_text(service)}" for service in picture["services"]]
    return "Services: " + (" | ".join(said) or "none")


def _service_text(service: Picture) -> str:
    networks = ", ".join(place["name"] for place in service["networks"])
    words = [state_said(service), networks and f"on {networks}", service["replaced"] and "a replacement"]
    return ", ".join(word for word in words if word)


def table_of(picture: Picture) -> str:
    """The picture as an HTML table, a service a row. Counts of requests and ports stand in marked cells."""
    heads = ["service", "state", "image", "networks", "names there", "published"]
    heads += ["requests"] if picture["probing"] else []
    return base.table("Services and their networks", heads, [_row(service) for service in picture["services"]])


def _row(service: Picture) -> list[str]:
    places = service["networks"]
    names = dict.fromkeys(name for place in places for name in place["names"])
    row = [
        service["name"],
        cell(state_said(service) + (", a replacement" if service["replaced"] else "")),
        cell(service["image"]),
        cell(", ".join(place["name"] for place in places) or "-"),
        cell(", ".join(names) or "-"),
        cell(", ".join(service["ports"]) or "-", "lk-ports"),
    ]
    asked = service["requests"]
    said = asked and f"{asked['answered']} answered, {asked['failed']} failed"
    return [*row, cell(said, "lk-usage")] if asked is not None else row


def check_calls(calls: Any) -> dict[str, list[str]]:
    """Who calls whom, as given. Raises TypeError with an example for anything but lists of names by caller."""
    example = 'calls={"web": ["auth", "catalog"]}'
    if not isinstance(calls, Mapping):
        raise TypeError(f"Services takes {example}, not {calls!r}.")
    for caller, callees in calls.items():
        if isinstance(callees, str) or not all(isinstance(name, str) for name in [caller, *callees]):
            raise TypeError(f"Services takes a list of names for each caller, as in {example}, not {callees!r}.")
    return {caller: list(callees) for caller, callees in calls.items()}


# --- the widget -------------------------------------------------------------------------------------


class Services(base.View):
    """Draw containers as services on their networks: state, health, names, and requests where a probe is given.

    Services(network) shows all that is connected to a Network of the Docker SDK, Services(one, two) these containers.
    `probe` is a function that asks the service of a name for something, and returns whether it answered; it is called
    every few seconds while the picture is in sight. `calls` says which service the others are called by, for the
    drawing: calls={"web": ["auth", "catalog", "store"]}.
    """

    _esm = base.module("services")
    _css = base.style("services")

    def __init__(
        self,
        *things: Container | Network,
        probe: Probe | None = None,
        calls: Mapping[str, Sequence[str]] | None = None,
        **unknown: Any,
    ) -> None:
        base.refuse_unknown("Services", unknown, ["probe", "calls"])
        client = base.one_client("Services", things, (Container, Network))
        if probe is not None and not callable(probe):
            raise TypeError(f"Services takes a function as probe, which is given a service's name, not {probe!r}.")
        self._networks = {t.id or "": t.name or "" for t in things if isinstance(t, Network)}
        self._given = [t.id or "" for t in things if isinstance(t, Container)]
        self._calls = check_calls(calls or {})
        self._services: dict[str, Service] = {}
        self._probe = probe
        self._prober: Prober | None = None
        self._requests: dict[str, Picture] = {}
        self._round = 0
        super().__init__(client, ())

    def ask(self) -> Picture:
        refs = [*self._given, *topology.members(self._client, list(self._networks))]
        self._services = topology.services(self._client, self._services, refs)
        if self._probe is not None and self.wants_requests() and (self._prober is None or not self._prober.running):
            self._prober = Prober(self._probe, self)
        return self._picture()

    def _picture(self) -> Picture:
        requests = self._requests if self._probe is not None else None
        return picture_of(self._services, list(self._networks.values()), self._calls, requests)

    def followed(self) -> frozenset[str]:
        ids = (service.id for service in self._services.values())
        return frozenset([*self._networks, *self._given, *self._services, *ids])

    # requests (see prober.py)
    def wants_requests(self) -> list[str]:
        """The services to ask in this round: all, also dead ones, as long as somebody watches."""
        now = time.monotonic()
        seen = self.comm is not None and any(until > now for until in list(self._watched.values()))
        return list(self._services) if seen else []

    def answered(self, name: str, good: bool, said: str) -> None:
        """Take note of one request."""
        last = self._requests.get(name, NO_REQUESTS)
        kind = "answered" if good else "failed"
        now = {**last, kind: last[kind] + 1, "last": kind, "said": said, "round": self._round + 1}
        self._requests = {**self._requests, name: now}

    def end_round(self) -> None:
        """Show what was answered in this round."""
        self._round += 1
        with self._asking:
            self.picture = self._picture()

    def text(self) -> str:
        return text_of(self.picture)

    def table(self) -> str:
        return table_of(self.picture)
