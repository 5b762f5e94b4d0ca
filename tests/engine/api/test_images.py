"""Images over HTTP, on a store of the test's own: filters, names of queries, what is told, what is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from labkit.engine.api import registry, server
from labkit.engine.api.image_filters import choose, dangling
from labkit.engine.api.images import reference
from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response
from labkit.engine.engine import Engine
from labkit.engine.errors import BadParameter, NoSuchImage
from labkit.engine.events import Events
from labkit.engine.images.image import Image
from tests.engine.api.harness import Client


def image(id_: str, *tags: str, parent: str = "", day: int = 1, **labels: str) -> Image:
    config = {"config": {"Labels": labels, "Cmd": ["sh"]}, "rootfs": {"diff_ids": ["sha256:d1"]}}
    return Image(f"sha256:{id_}", config, tags, (f"layer-{id_}", "base"), 300, parent, f"2026-01-{day:02}T00:00:00Z")


BASE = image("b", "labkit/base:latest", day=1, labkit="course")
STEP = image("5", parent="sha256:b", day=2)
APP = image("a", "app:1", "app:2", parent="sha256:5", day=3, labkit="course", tier="web")
LOST = image("1", day=4)
IMAGES = [BASE, STEP, APP, LOST]


def find(ref: str) -> Image:
    for one in IMAGES:
        if ref in (one.id, *one.tags, *(tag.rpartition(":")[0] for tag in one.tags)):
            return one
    raise NoSuchImage(ref)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, IMAGES),
        ({"reference": ["app"]}, [APP]),
        ({"reference": ["app:2"]}, [APP]),
        ({"reference": ["lab*/*"]}, [BASE]),
        ({"reference": ["*"]}, [APP]),
        ({"reference": ["*:9"]}, []),
        ({"label": ["labkit=course"]}, [BASE, APP]),
        ({"label": ["labkit", "tier=web"]}, [APP]),
        ({"label!": ["labkit"]}, [STEP, LOST]),
        ({"dangling": ["true"]}, [LOST]),
        ({"dangling": ["0"]}, [BASE, STEP, APP]),
        ({"before": ["app:1"]}, [BASE, STEP]),
        ({"since": ["labkit/base"]}, [STEP, APP, LOST]),
        ({"until": ["2026-01-02T12:00:00Z"]}, [BASE, STEP]),
        ({"until": ["1h"], "reference": ["app"]}, [APP]),
    ],
)
def test_filters(filters: dict[str, list[str]], expected: list[Image]) -> None:
    assert choose(IMAGES, filters, find) == expected


@pytest.mark.parametrize("filters", [{"colour": ["x"]}, {"dangling": ["perhaps"]}, {"until": ["soon"]}])
def test_bad_filters(filters: dict[str, list[str]]) -> None:
    with pytest.raises(BadParameter):
        choose(IMAGES, filters, find)


def test_a_step_on_the_way_is_not_dangling() -> None:
    assert dangling(IMAGES) == {LOST.id}


@pytest.mark.parametrize(
    ("repo", "tag", "name"),
    [
        ("", "1", None),
        ("a", "", "a"),
        ("h:5000/a", "1", "h:5000/a:1"),
        ("a", "sha256:" + "0" * 64, "a@sha256:" + "0" * 64),
    ],
)
def test_a_name_from_a_query(repo: str, tag: str, name: str | None) -> None:
    assert reference(repo, tag) == name


class Store:
    """As much of an image store as the handlers need."""

    def __init__(self) -> None:
        self.tagged: list[tuple[str, str]] = []
        self.committed: dict[str, Any] = {}

    def list(self) -> list[Image]:
        return IMAGES

    def get(self, ref: str) -> Image:
        return find(ref)

    def tag(self, of: Image, ref: str) -> None:
        self.tagged.append((of.id, ref))

    def remove(self, ref: str, **options: Any) -> list[dict[str, str]]:
        return [{"Untagged": tag} for tag in find(ref).tags] + [{"Deleted": find(ref).id}]

    def load(self, stream: Any) -> Any:
        assert stream.read() == b"tar"
        yield {"stream": "Loaded image: app:1\n"}

    def commit(self, container_id: str, base: Image, config: dict[str, Any], **options: Any) -> Image:
        self.committed = {"id": container_id, "base": base.id, "config": config, **options}
        return APP


class Manager:
    """As much of a containers' manager as the handlers need."""

    config: dict[str, Any] = {"Cmd": ["sh"], "Env": ["A=1", "B=2"], "Labels": {"x": "y"}}  # noqa: RUF012
    pauses = 0

    def images_in_use(self) -> dict[str, list[str]]:
        return {BASE.id: ["c1"]}

    def get(self, ref: str) -> Any:
        return SimpleNamespace(
            id="c1", name="web", image_id=BASE.id, config=self.config, state=SimpleNamespace(alive=True)
        )

    @asynccontextmanager
    async def paused(self, record: Any) -> AsyncIterator[None]:
        self.pauses += 1
        yield


class Ask:
    """Asks the server and remembers the engine behind it."""

    def __init__(self, path: Path, engine: Any) -> None:
        self.path = path
        self.engine = engine

    async def __call__(self, method: str, url: str, body: bytes = b"") -> tuple[int, Any]:
        client = await Client.connect(self.path)
        status, headers = await client.ask(method, url, {"Content-Type": "application/json"}, body)
        text = await client.body(headers)
        client.close()
        return status, json.loads(text) if text else None

    def told(self) -> list[tuple[str, str]]:
        return [(e["Action"], e["Actor"]["Attributes"].get("name", "")) for e in self.engine.events.past({}, 0)]


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Ask]:
    driver = SimpleNamespace(name="overlay2", image_data=lambda image: {}, layer=lambda name: {"size": 100})
    engine = Engine(cast(Any, None), Events(), cast(Any, driver), cast(Any, Store()), cast(Any, None))
    engine.containers = cast(Any, Manager())
    running = await server.start(engine, server.listen(tmp_path / "s"))
    yield Ask(tmp_path / "s", engine)
    await running.stop()


async def test_the_list_leaves_steps_out_unless_asked(ask: Ask) -> None:
    assert [i["Id"] for i in (await ask("GET", "/images/json"))[1]] == [LOST.id, APP.id, BASE.id]
    assert len((await ask("GET", "/images/json?all=1"))[1]) == 4
    newest = (await ask("GET", "/images/json"))[1][0]
    assert newest["RepoTags"] == []
    assert (await ask("GET", "/v1.42/images/json"))[1][0]["RepoTags"] == ["<none>:<none>"]
    assert (newest["SharedSize"], newest["Containers"]) == (-1, -1)


async def test_shared_sizes_count_layers_that_others_have_too(ask: Ask) -> None:
    listed = (await ask("GET", "/images/json?shared-size=1"))[1]
    assert {row["SharedSize"] for row in listed} == {100}  # all stand on "base"


async def test_inspect_fills_the_config_in(ask: Ask) -> None:
    status, got = await ask("GET", "/images/labkit/base/json")
    assert (status, got["Id"], got["RepoTags"]) == (200, BASE.id, ["labkit/base:latest"])
    assert (got["Config"]["Cmd"], got["Config"]["Tty"], got["RootFS"]["Layers"]) == (["sh"], False, ["sha256:d1"])
    assert await ask("GET", "/images/none/json") == (404, {"message": "No such image: none"})


async def test_tag_is_told(ask: Ask) -> None:
    assert await ask("POST", "/images/app:1/tag?repo=mine&tag=9") == (201, None)
    assert ask.engine.images.tagged == [(APP.id, "mine:9")]
    assert ask.told() == [("tag", "mine:9")]
    assert (await ask("POST", "/images/app:1/tag"))[0] == 400


async def test_remove_is_told_name_by_name(ask: Ask) -> None:
    status, rows = await ask("DELETE", "/images/app:1")
    assert (status, rows) == (200, [{"Untagged": "app:1"}, {"Untagged": "app:2"}, {"Deleted": APP.id}])
    assert ask.told() == [("untag", "app:1"), ("untag", "app:2"), ("delete", APP.id)]


async def test_prune_takes_only_what_is_asked_and_unused(ask: Ask) -> None:
    got = (await ask("POST", "/images/prune"))[1]
    assert got == {"ImagesDeleted": [{"Deleted": LOST.id}], "SpaceReclaimed": 300}
    got = (await ask("POST", "/images/prune?filters=%7B%22label%22:%5B%22none%22%5D%7D"))[1]
    assert got == {"ImagesDeleted": None, "SpaceReclaimed": 0}


async def test_load_streams_and_tells(ask: Ask) -> None:
    assert await ask("POST", "/images/load", b"tar") == (200, {"stream": "Loaded image: app:1\n"})
    assert ask.told() == [("load", "app:1")]


async def test_a_pull_is_the_registrys_affair(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    async def create(engine: Engine, request: Request) -> web.Response:
        return json_response({"status": f"Pulling {request.text('fromImage')}"})

    monkeypatch.setattr(registry, "create", create)
    assert await ask("POST", "/images/create?fromImage=busybox") == (200, {"status": "Pulling busybox"})
    assert (await ask("POST", "/images/create?fromSrc=http://x/y.tar"))[0] == 400


async def test_commit_joins_the_request_with_the_containers_config(ask: Ask) -> None:
    url = "/commit?container=web&repo=mine&tag=1&comment=why&author=me&changes=CMD+x&changes=ENV+C%3D3"
    body = json.dumps({"Env": ["B=3"], "Labels": {"z": "w"}, "Cmd": None}).encode()
    assert await ask("POST", url, body) == (201, {"Id": APP.id})
    got = ask.engine.images.committed
    assert (got["id"], got["base"], got["ref"], got["changes"]) == ("c1", BASE.id, "mine:1", ["CMD x", "ENV C=3"])
    assert got["config"] == {"Cmd": ["sh"], "Env": ["A=1", "B=3"], "Labels": {"x": "y", "z": "w"}}
    assert ask.engine.containers.pauses == 1
    await ask("POST", url + "&pause=false", body)
    assert ask.engine.containers.pauses == 1
    assert ask.told()[:2] == [("tag", "mine:1"), ("commit", "web")]
