"""Requests and archives with something changed by chance: seeded, so that a failure can be had again.

What is asked is little: an answer in JSON with a message whenever it is an error, an engine that goes on, and nothing
written outside. `SEED=7 pytest …` chooses other mutations, `make soak` makes ten thousand and two thousand of them.
"""

import contextlib
import http.client
import json
import os
import random
import socket
import urllib.parse

import pytest

from labkit.engine.api.routes import ROUTES
from tests import busybox, engines
from tests.contract.helpers import tar_of
from tests.engine.images.trees import file, folder, hard_link, link, tar
from tests.engines import remove_all
from tests.faults import traces
from tests.faults.conftest import IMAGE, SOAK

SEED = int(os.environ.get("SEED", "1"))
REQUESTS, ARCHIVES = (10_000, 2_000) if SOAK else (250, 60)
SECONDS = 5  # that an answer may take; a wait, or logs that are followed, may take for ever

ODD: list = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    1.5,
    "",
    "x",
    "\0",
    "../..",
    "/",
    "é" * 50,
    "a" * 5000,
    [],
    {},
    [None],
    {"": ""},
]
WORDS = [
    "victim",
    "no-such",
    "..",
    "%00",
    "%2e%2e%2f",
    "a" * 300,
    "sha256:" + "0" * 64,
    "é".encode().hex(),
    IMAGE,
    "-",
    "{}",
]
BODY = {
    "Image": IMAGE,
    "Cmd": ["true"],
    "Env": ["A=1"],
    "Labels": {"a": "b"},
    "Tty": False,
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/v": {}},
    "Healthcheck": {"Test": ["NONE"], "Interval": 10**9},
    "HostConfig": {
        "Memory": 1 << 25,
        "Binds": [],
        "PortBindings": {},
        "RestartPolicy": {"Name": "no"},
        "CapAdd": [],
        "Tmpfs": {"/t": ""},
        "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 10}],
        "LogConfig": {"Type": "json-file", "Config": {}},
    },
    "NetworkingConfig": {"EndpointsConfig": {}},
    "Name": "fuzzed",
    "Driver": "bridge",
    "IPAM": {"Config": [{"Subnet": "10.213.0.0/24"}]},
    "Container": "victim",
    "DriverOpts": {},
}
QUERY = [
    "all",
    "force",
    "t",
    "signal",
    "filters",
    "name",
    "path",
    "since",
    "until",
    "tail",
    "limit",
    "h",
    "w",
    "tag",
    "repo",
    "size",
    "condition",
]
LEFT_OUT = {"system.events"}  # never ends, whatever is wrong with it


def mutated(dice: random.Random, value: object, depth: int = 0) -> object:
    """The same with one thing changed: a value replaced, a key dropped, a list repeated."""
    if depth > 3 or not isinstance(value, dict | list) or not value or dice.random() < 0.2:
        return dice.choice(ODD)
    if isinstance(value, list):
        return [mutated(dice, value[0], depth + 1)] * dice.choice((1, 2, 50))
    key = dice.choice(list(value))
    changed = {name: kept for name, kept in value.items() if name != key}
    return changed if dice.random() < 0.1 else {**changed, key: mutated(dice, value[key], depth + 1)}


def random_request(dice: random.Random) -> tuple[str, str, bytes, dict[str, str]]:
    route = dice.choice([route for route in ROUTES if route.handler not in LEFT_OUT])
    path = route.path
    for hole in ("{id}", "{name}"):
        path = path.replace(hole, dice.choice(WORDS))
    odd = [urllib.parse.quote(word if isinstance(word, str) else json.dumps(word)) for word in (*ODD, *WORDS)]
    query = "&".join(f"{dice.choice(QUERY)}={dice.choice(odd)}" for _ in range(dice.randrange(3)))
    body = json.dumps(mutated(dice, BODY)).encode() if route.method in ("POST", "PUT") else b""
    if body and dice.random() < 0.2:
        cut = dice.randrange(len(body))
        body = body[:cut] + bytes([dice.randrange(256)]) + body[cut + 1 :]
    return route.method, f"{path}?{query}" if query else path, body, {"Content-Type": "application/json"}


class Socket(http.client.HTTPConnection):
    """HTTP over the engine's unix socket."""

    def __init__(self, address: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self.path = address.removeprefix("unix://")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self.path)


def ask(engine, method: str, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    with contextlib.closing(Socket(engine.address)) as connection:
        connection.request(method, url, body or None, headers)
        connection.sock.settimeout(0.5)
        answer = connection.getresponse()
        with contextlib.suppress(TimeoutError):
            return answer.status, answer.read(10_000)
        return answer.status, b""


def test_requests(engine, client):
    dice = random.Random(SEED)
    client.containers.create(IMAGE, ["sleep", "600"], name="victim")
    api, shim = engines.api_pid(engine), traces.shim_pid(engine)
    seen, bad = [], []
    for number in range(REQUESTS):
        method, url, body, headers = random_request(dice)
        try:
            status, answer = ask(engine, method, url, body, headers)
        except (TimeoutError, http.client.HTTPException, ConnectionError):
            continue  # it waits for something, or hung up on nonsense; whether it lives is asked at the end
        seen.append(status)
        if method != "HEAD" and is_bad(status, answer):  # which has no body to look at
            bad.append((number, method, url[:200], body[:500], status, answer[:300]))
    assert bad == []
    assert {200, 400, 404} <= set(seen), "the control: some of it made sense, some did not"
    assert len(seen) > REQUESTS * 0.9, "and nearly all of it was answered"
    assert (engines.api_pid(engine), traces.shim_pid(engine)) == (api, shim)
    clean_up(engine, client)


def is_bad(status: int, answer: bytes) -> bool:
    """An error without a message, or an exception that nobody foresaw: the server then names its type."""
    if status < 400:
        return False
    try:
        message = json.loads(answer)["message"]
    except (ValueError, KeyError):
        return True
    name = message.partition(":")[0]
    return not message or (name.endswith("Error") and name.isalpha())


def clean_up(engine, client) -> None:
    remove_all(engine)
    busybox.import_image(client, "faulty", changes=['CMD ["sh"]'])
    client.networks.prune()
    client.volumes.prune(filters={"all": True})
    assert client.containers.run(IMAGE, ["echo", "well"], remove=True) == b"well\n"


@pytest.fixture(autouse=True)
def tidy(engine, client):
    """The image is there to begin with, as one of the requests may have removed it."""
    busybox.import_image(client, "faulty", changes=['CMD ["sh"]'])
    yield
    remove_all(engine)


# --- archives ----------------------------------------------------------------------------------------------------


def seeds(outside: str) -> list[bytes]:
    many = tar(
        folder("d"), file("d/a", b"1" * 700), link("l", "d"), link("o", outside), hard_link("h", "d/a"), file("l/b")
    )
    return [
        many,
        tar_of({"manifest.json": b'[{"Config":"c.json","RepoTags":["x:y"],"Layers":["l.tar"]}]', "c.json": b"{}"}),
    ]


def damaged(dice: random.Random, whole: bytes) -> bytes:
    """A few bytes changed, and the checksums of all headers made right again, so that it is read on."""
    bytes_ = bytearray(whole)
    for _ in range(dice.randint(1, 4)):
        bytes_[dice.randrange(len(bytes_))] = dice.choice((0, 47, 46, 255, dice.randrange(256)))
    for block in range(0, len(bytes_) - 511, 512):
        total = sum(bytes_[block : block + 148]) + 8 * 32 + sum(bytes_[block + 156 : block + 512])
        bytes_[block + 148 : block + 156] = b"%06o\0 " % total
    return bytes(bytes_[: dice.randrange(len(bytes_))] if dice.random() < 0.1 else bytes_)


DOORS = {
    "load": ("POST", "/images/load"),
    "import": ("POST", "/images/create?fromSrc=-"),
    "copy": ("PUT", "/containers/victim/archive?path=/tmp"),
    "build": ("POST", "/build?rm=1&forcerm=1"),
}


def test_archives(engine, client, tmp_path):
    dice, outside = random.Random(SEED), tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    client.containers.create(IMAGE, name="victim")
    api = engines.api_pid(engine)
    before = traces.of(engine)
    bad = []
    for number in range(ARCHIVES):
        door = dice.choice(list(DOORS))
        archive = damaged(dice, dice.choice(seeds(str(outside))))
        status, answer = ask(engine, *DOORS[door], archive, {"Content-Type": "application/x-tar"})
        if is_bad(status, answer):
            bad.append((number, door, status, answer[:300]))
    assert bad == []
    assert os.listdir(outside) == []
    assert engines.api_pid(engine) == api
    for image in client.images.list(all=True):
        if IMAGE not in image.tags:
            with contextlib.suppress(Exception):  # removed with its child
                client.images.remove(image.id, force=True)
    clean_up(engine, client)
    traces.same_again(engine, {"mounts": before["mounts"], "links": before["links"]})


@pytest.mark.parametrize("door", DOORS)
def test_an_undamaged_archive_is_answered(engine, client, door):
    """The control: what is not damaged reaches the reader of archives, and is no reason for an error of the server."""
    client.containers.create(IMAGE, name="victim")
    status, answer = ask(engine, *DOORS[door], tar(file("a", b"1")), {"Content-Type": "application/x-tar"})
    assert status in (200, 400) or b"Cannot locate specified Dockerfile" in answer, answer  # Docker's answer, a 500
    clean_up(engine, client)
