"""The services' picture, text and table, what is refused, and the requests that a probe sends."""

import json
import re
import threading

import pytest

from labkit.views import prober, services
from tests.views.samples import CALLS, DOWN, FOUR, REPLACED, REQUESTS


def test_text_tells_state_health_networks_and_replacement() -> None:
    assert services.text_of(services.picture_of(DOWN, ["shop"])) == (
        "Services: web: running, healthy, on front, shop | auth: exited (137), on shop"
        " | catalog: running, on shop | store: running, starting, on shop"
    )
    assert "auth: running, on shop, a replacement" in services.text_of(services.picture_of(REPLACED, ["shop"]))


def test_networks_are_those_given_and_those_that_services_are_on() -> None:
    assert services.picture_of(FOUR, ["shop"])["networks"] == ["shop", "front"]
    assert services.picture_of({}, ["shop"])["networks"] == ["shop"]


def test_each_service_knows_who_calls_it() -> None:
    callers = [service["called_by"] for service in services.picture_of(FOUR, calls=CALLS)["services"]]
    assert callers == ["", "web", "web", "web"]


def test_requests_are_counted_in_marked_cells_and_not_in_the_text() -> None:
    quiet, busy = services.picture_of(FOUR, [], CALLS, {}), services.picture_of(FOUR, [], CALLS, REQUESTS)
    assert services.text_of(quiet) == services.text_of(busy)
    table = services.table_of(busy)
    assert re.findall(r'<td class="lk-usage">(.*?)</td>', table)[:2] == [
        "12 answered, 0 failed",
        "10 answered, 2 failed",
    ]
    assert "requests" not in services.table_of(services.picture_of(FOUR))


def test_the_table_has_no_ids_and_no_addresses() -> None:
    table = services.table_of(services.picture_of(FOUR, ["shop"]))
    assert "172.18" not in table and "authauth" not in table


@pytest.mark.parametrize("calls", [["web"], {"web": "auth"}, {"web": [1]}])
def test_calls_that_are_not_names_are_refused(calls: object) -> None:
    with pytest.raises(TypeError, match=r'calls=\{"web": \["auth", "catalog"\]\}'):
        services.check_calls(calls)


def test_a_picture_is_plain_data() -> None:
    shown = services.picture_of(FOUR, ["shop"], CALLS, REQUESTS)
    assert json.loads(json.dumps(shown)) == shown


# --- requests -----------------------------------------------------------------------------------------


def fails(name: str) -> object:
    raise OSError("connection refused")


@pytest.mark.parametrize(
    ("probe", "answer"),
    [
        (lambda name: True, (True, "")),
        (lambda name: f"hello from {name}", (True, "")),
        (lambda name: None, (False, "the probe returned None")),
        (fails, (False, "OSError: connection refused")),
    ],
)
def test_a_request_is_answered_or_not(probe: prober.Probe, answer: tuple[bool, str]) -> None:
    assert prober.ask(probe, "web") == answer


class Watched:
    """A view that is watched for two rounds."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.rounds, self.ended = 0, threading.Event()

    def wants_requests(self) -> list[str]:
        if self.rounds == 2:
            self.ended.set()
        return ["web", "auth"] if self.rounds < 2 else []

    def answered(self, name: str, good: bool, said: str) -> None:
        self.asked.append(name)

    def end_round(self) -> None:
        self.rounds += 1


def test_rounds_end_when_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prober, "EVERY", 0.01)
    view = Watched()
    prober.Prober(lambda name: True, view)
    assert view.ended.wait(5)
    assert view.asked == ["web", "auth"] * 2
