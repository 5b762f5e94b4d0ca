"""The endpoints of registries: statuses, the shape of errors, and what `docker events` says."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from labkit.engine.api import server
from labkit.engine.engine import Engine
from labkit.engine.events import Events
from labkit.engine.images.image import architecture
from labkit.engine.images.store import ImageStore
from labkit.engine.registry.manifests import DOCKER_MANIFEST
from tests.engine.api.harness import Client
from tests.engine.registry.fake import FakeRegistry, digest, status
from tests.engine.registry.pulls import ATTEMPTS, BASE, TOP

LEARNER = {"username": "learner", "password": "secret"}


class Ask:
    """Asks the server; the answer's status and its JSON, a list where there are several lines of it."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path, self.engine = path, engine

    async def __call__(self, method: str, url: str, who: Any = None, body: Any = None) -> tuple[int, Any]:
        headers = {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(who).encode()).decode()} if who else {}
        client = await Client.connect(self.path)
        data = json.dumps(body).encode() if body is not None else b""
        code, head = await client.ask(method, url, {"Content-Type": "application/json", **headers}, data)
        lines = [json.loads(line) for line in (await client.body(head)).splitlines()]
        client.close()
        return code, lines if head.get("transfer-encoding") == "chunked" else lines[0]

    def told(self) -> list[tuple[str, str, dict[str, str]]]:
        return [(e["Action"], e["Actor"]["ID"], e["Actor"]["Attributes"]) for e in self.engine.events.past({}, 0)]


@pytest.fixture
async def ask(tmp_path: Path, store: ImageStore) -> AsyncIterator[Ask]:
    engine = Engine(cast(Any, None), Events(), store.driver, store, cast(Any, None))
    running = await server.start(engine, server.listen(tmp_path / "s"))
    yield Ask(tmp_path / "s", engine)
    await running.stop()


async def test_pull(ask: Ask, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    code, lines = await ask("POST", f"/images/create?fromImage={registry.host}/app&tag=v1")
    assert (code, lines[0]) == (200, {"status": "Pulling from app", "id": "v1"})
    assert lines[-1] == {"status": f"Status: Downloaded newer image for {registry.host}/app:v1"}
    assert ask.told() == [("pull", f"{registry.host}/app:v1", {"name": f"{registry.host}/app"})]


@pytest.mark.parametrize("query", ["fromImage={name}@{digest}", "fromImage={name}&tag={digest}"])
async def test_pull_by_digest(ask: Ask, registry: FakeRegistry, query: str) -> None:
    registry.add_image("app", "v1", [BASE])
    name, of = f"{registry.host}/app", digest(registry.manifests["app/v1"][1])
    _, lines = await ask("POST", "/images/create?" + query.format(name=name, digest=of))
    assert lines[-1] == {"status": f"Status: Downloaded newer image for {name}@{of}"}
    assert ask.told()[0][:2] == ("pull", f"{name}@{of}")


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("fromImage={host}/app&tag=none", 404, "manifest for {host}/app:none not found"),
        ("fromImage=127.0.0.1:1/app&tag=v1", 500, "connection refused"),
        ("fromImage={host}/App&tag=v1", 400, "invalid reference format"),
        ("fromImage={host}/app&tag=v1&platform=a/b/c/d", 400, "unknown operating system or architecture"),
        ("fromImage={host}/app&tag=v1&platform=linux/mips", 404, "no matching manifest for linux/mips"),
    ],
)
async def test_an_error_before_the_first_line_is_a_status(
    ask: Ask, registry: FakeRegistry, query: str, code: int, words: str
) -> None:
    registry.add_manifest("app", "v1", {"schemaVersion": 2, "manifests": []}, "application/vnd.oci.image.index.v1+json")
    got, answer = await ask("POST", "/images/create?" + query.format(host=registry.host))
    assert got == code and words.format(host=registry.host) in answer["message"]
    assert ask.told() == []


async def test_a_later_error_is_the_last_line(ask: Ask, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [TOP])
    registry.fail("GET", "/blobs/", status(500), times=ATTEMPTS)
    code, lines = await ask("POST", f"/images/create?fromImage={registry.host}/app&tag=v1")
    words = "received unexpected HTTP status: 500 Internal Server Error"
    assert (code, lines[-1]) == (200, {"errorDetail": {"message": words}, "error": words})
    assert ask.told() == []


async def test_push_and_who_may(ask: Ask, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    await ask("POST", f"/images/create?fromImage={registry.host}/app&tag=v1")
    registry.login = ("learner", "secret")
    url = f"/images/{registry.host}/app/push?tag=v1"
    _, lines = await ask("POST", url, {"username": "learner", "password": "wrong"})
    assert lines[-1]["error"] == "unauthorized: incorrect username or password"
    _, lines = await ask("POST", url, LEARNER)
    assert lines[-1]["aux"]["Tag"] == "v1"
    assert [action for action, _, _ in ask.told()] == ["pull", "push"]


async def test_push_of_nothing(ask: Ask, registry: FakeRegistry) -> None:
    code, lines = await ask("POST", f"/images/{registry.host}/none/push?tag=v1")
    words = f"tag does not exist: {registry.host}/none:v1"
    assert (code, lines[-1]) == (200, {"errorDetail": {"message": words}, "error": words})


async def test_login(ask: Ask, registry: FakeRegistry) -> None:
    registry.login = ("learner", "secret")
    code, answer = await ask("POST", "/auth", body={**LEARNER, "serveraddress": registry.host})
    assert (code, answer) == (200, {"IdentityToken": "for later", "Status": "Login Succeeded"})
    code, answer = await ask("POST", "/auth", body={"username": "x", "password": "y", "serveraddress": registry.host})
    assert (code, answer["message"]) == (500, "unauthorized: incorrect username or password")
    assert (await ask("POST", "/auth", body={"username": 1}))[0] == 400


async def test_what_a_registry_has(ask: Ask, registry: FakeRegistry) -> None:
    registry.add_image("app", "v1", [BASE])
    raw = registry.manifests["app/v1"][1]
    code, answer = await ask("GET", f"/distribution/{registry.host}/app:v1/json")
    assert code == 200 and answer == {
        "Descriptor": {"mediaType": DOCKER_MANIFEST, "digest": digest(raw), "size": len(raw)},
        "Platforms": [{"architecture": architecture(), "os": "linux"}],
    }
    assert (await ask("GET", f"/distribution/{registry.host}/none:v1/json"))[0] == 404


async def test_there_is_no_search(ask: Ask) -> None:
    code, answer = await ask("GET", "/images/search?term=busybox")
    assert code == 501 and "search" in answer["message"]
