"""The table of the Docker API in the documentation says what the route table says."""

import pytest

from labkit.engine.api.routes import LACKS, ROUTES
from tests.contract import api_table


@pytest.fixture(autouse=True)
def tidy():
    """No engine is asked here: nothing to tidy."""


@pytest.fixture(scope="module", autouse=True)
def no_leak():
    """Nor can anything be left."""


@pytest.fixture
def table() -> dict[str, list[str]]:
    """endpoint -> its row, in cells"""
    rows = [line.strip("| ").split(" | ") for line in api_table.FILE.read_text().splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row for row in rows}


def test_the_file_is_what_would_be_written():
    assert api_table.FILE.read_text() == api_table.text(), "write it anew: python -m tests.contract.api_table"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_served_means_that_there_is_a_handler(route, table):
    endpoint = f"{route.method} {route.path}"
    state = table[endpoint][1]
    assert (state == "501") == (route.handler is None)
    assert (state == "partly") == (endpoint in LACKS)


def test_only_what_is_served_can_lack_something():
    assert LACKS.keys() <= {f"{route.method} {route.path}" for route in ROUTES if route.handler}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("client.containers.run(image)", {("POST", "/containers/create"), ("POST", "/containers/{}/start")}),
        ("x.pause()", {("POST", "/containers/{}/pause")}),
        ("network.remove()", {("DELETE", "/networks/{}")}),
        ("client.api.exec_start(x)", {("POST", "/exec/{}/start")}),
        ('ask("POST", f"/containers/{x}/wait")', {("POST", "/containers/{}/wait")}),
        ('get(client, "/info")', {("GET", "/info")}),
        ('client.api.head(client.api.base_url + "/_ping")', {("HEAD", "/_ping")}),
        ('client.api.head(client.api._url("/containers/{0}/archive", x))', {("HEAD", "/containers/{}/archive")}),
        ("container.update(cpu_shares=2)", {("POST", "/containers/{}/update")}),
        ("client.images.prune(filters=x)", {("POST", "/images/prune")}),
        ('api._post_json(api._url("/volumes/create"))', {("POST", "/volumes/create")}),
    ],
)
def test_what_a_test_asks_is_found(source, found):
    assert found <= api_table.asked(source)


@pytest.mark.parametrize("source", ["thread.start()", "words.remove(1)", "os.rename(a, b)", 'print("/info")'])
def test_what_asks_no_engine_is_not_found(source):
    assert not api_table.asked(source)
