"""Clients that vanish in the middle: of an attach, of logs, of a wait, of a build. Nothing may be left of them."""

import contextlib
import json
import socket

import pytest

from tests.contract.helpers import eventually, tar_of
from tests.engines import remove_all
from tests.faults import traces
from tests.faults.conftest import IMAGE, SOAK
from tests.faults.registries import registry

TIMES = 50 if SOAK else 6
FOREVER = ["sh", "-c", "while :; do echo tick; sleep 0.05; done"]


@pytest.fixture
def busy(engine, client):
    """A container that goes on printing."""
    container = client.containers.run(IMAGE, FOREVER, detach=True)
    yield container
    remove_all(engine)


def build_context() -> bytes:
    return tar_of({"Dockerfile": f"FROM {IMAGE}\nRUN echo one\nRUN sleep 30\n".encode()})


TAR = {"Content-Type": "application/x-tar"}
PART = tar_of({"half": bytes(300_000)})[:200_000]

REQUESTS = {  # method, path (ID is the container's), headers, body
    "attach": ("POST", "/containers/ID/attach?stream=1&stdout=1", {"Connection": "Upgrade", "Upgrade": "tcp"}, b""),
    "logs": ("GET", "/containers/ID/logs?follow=1&stdout=1", {}, b""),
    "wait": ("POST", "/containers/ID/wait", {}, b""),
    "stats": ("GET", "/containers/ID/stats", {}, b""),
    "events": ("GET", "/events", {}, b""),
    "build": ("POST", "/build?rm=1&forcerm=1", TAR, build_context()),
    "load": ("POST", "/images/load", TAR, PART),
    "import": ("POST", "/images/create?fromSrc=-&repo=half", TAR, PART),
    "copy in": ("PUT", "/containers/ID/archive?path=/tmp", TAR, PART),
    "copy out": ("GET", "/containers/ID/archive?path=/", {}, b""),
    "export": ("GET", "/containers/ID/export", {}, b""),
    "half a head": ("GET", "/containers/json HTTP/1.1\r\nX", {}, b""),
}  # fmt: skip
HALF = {"load", "import", "copy in"}
"""These say that their body is longer than what they send."""


TIDY = ("mounts", "links", "files", "shim")


@pytest.mark.parametrize("name", REQUESTS)
def test_a_client_vanishes(engine, client, busy, name):
    method, path, headers, body = REQUESTS[name]
    request = head(method, path.replace("ID", busy.id), headers, len(body) + 1_000_000 * (name in HALF)) + body
    before = traces.settled(engine)
    vanish(engine, request)  # the first may load a module, or make a thread
    traces.same_again(engine, {key: before[key] for key in TIDY})
    before = traces.settled(engine)
    for _ in range(TIMES):
        vanish(engine, request)
    traces.same_again(engine, {key: before[key] for key in TIDY})
    for pid, found in before["descriptors"].items():
        eventually(lambda pid=pid, found=found: total(traces.descriptors(pid)) <= total(found) + 2)
    assert client.containers.get(busy.id).status == "running"
    assert busy.exec_run("echo well").output == b"well\n"


def test_a_client_vanishes_in_the_middle_of_a_pull(engine, client):
    with registry(slow=True) as host:
        request = head("POST", f"/images/create?fromImage={host}/victim&tag=v1", {}, 0)
        vanish(engine, request)  # the first loads an HTTP client
        before = traces.settled(engine)
        for _ in range(TIMES):
            vanish(engine, request)
        traces.same_again(engine, {key: before[key] for key in TIDY})
        found = total(before["descriptors"][before["api"]])
        eventually(lambda: total(traces.descriptors(before["api"])) <= found + 2)
    assert [image for image in client.images.list() if "victim" in "".join(image.tags)] == []


def head(method: str, path: str, headers: dict[str, str], length: int) -> bytes:
    fields = {"Host": "localhost", **headers, **({"Content-Length": str(length)} if length else {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def vanish(engine, request: bytes) -> None:
    """Ask, read the beginning of the answer if there is one soon, and close."""
    with socket.socket(socket.AF_UNIX) as one, contextlib.suppress(TimeoutError, ConnectionError):
        one.settimeout(0.2)
        one.connect(engine.address.removeprefix("unix://"))
        one.sendall(request)
        one.recv(100)


def total(kinds) -> int:
    return sum(kinds.values())


def test_an_exec_whose_client_vanishes(engine, client, busy):
    before = traces.of(engine)
    for _ in range(TIMES):
        made = client.api.exec_create(busy.id, ["cat"], stdin=True)
        body = json.dumps({"Detach": False, "Tty": False}).encode()
        headers = {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"}
        vanish(engine, head("POST", f"/exec/{made['Id']}/start", headers, len(body)) + body)
    busy.exec_run("killall cat")
    traces.same_again(engine, {key: before[key] for key in ("mounts", "files", "shim")})
    shim = before["shim"]
    eventually(lambda: total(traces.descriptors(shim)) <= total(before["descriptors"][shim]) + 2)
