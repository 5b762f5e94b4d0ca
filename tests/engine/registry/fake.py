"""A registry inside the test: what it holds is a few dicts, and each request can be made to go wrong.

It says no more than a registry must (OCI distribution spec), so what passes here needs no extra kindness.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from labkit.engine.images.image import architecture
from labkit.engine.registry.manifests import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(**files: str) -> bytes:
    """A layer's plain tar with some small files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


@dataclass
class Fault:
    """For the next `times` requests of a method whose path holds some text, another answer."""

    method: str
    text: str
    answer: Answer
    times: int = 1


@dataclass
class FakeRegistry:
    """The registry. `seen` has each request's method, path and headers; `login` makes it want a token."""

    port: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    login: tuple[str, str] | None = None
    token: str = "t0ken"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def count(self, method: str, text: str) -> int:
        """How many requests of a kind there were."""
        return sum(1 for m, path, _ in self.seen if m == method and text in path)

    # --- what it holds -------------------------------------------------------------------------------------------
    def add_blob(self, data: bytes) -> str:
        self.blobs[digest(data)] = data
        return digest(data)

    def add_manifest(self, path: str, tag: str, fields: dict[str, Any], media_type: str = DOCKER_MANIFEST) -> bytes:
        raw = json.dumps(fields).encode()
        for name in (tag, digest(raw)):
            self.manifests[f"{path}/{name}"] = (media_type, raw)
        return raw

    def add_image(self, path: str, tag: str, tars: Sequence[bytes], /, **changes: Any) -> str:
        """An image of some plain tars; `changes` are to the manifest's fields. Gives its id."""
        packed = [gzip.compress(tar, mtime=0) for tar in tars]
        config = {
            "architecture": architecture(),
            "os": "linux",
            "config": {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
        }
        raw = json.dumps(config).encode()
        fields = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG, "size": len(raw), "digest": self.add_blob(raw)},
            "layers": [{"mediaType": DOCKER_LAYER, "size": len(p), "digest": self.add_blob(p)} for p in packed],
        }
        self.add_manifest(path, tag, {**fields, **changes})
        return digest(raw)

    # --- how it goes wrong ---------------------------------------------------------------------------------------
    def fail(self, method: str, text: str, answer: Answer, times: int = 1) -> None:
        self.faults.append(Fault(method, text, answer, times))

    # --- how it answers ------------------------------------------------------------------------------------------
    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path, dict(request.headers)))
        for fault in self.faults:
            if fault.times and fault.method == request.method and fault.text in request.path:
                fault.times -= 1
                return await fault.answer(request)
        return await self.usual(request)

    async def usual(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return self._token(request)
        if self.login and request.headers.get("Authorization") != f"Bearer {self.token}":
            asked = f'Bearer realm="http://{self.host}/token",service="the registry"'
            return error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": asked})
        for method, pattern, handler in (
            ("GET", r"/v2/", self._root),
            ("GET", r"/v2/(.+)/tags/list", self._tags),
            ("GET", r"/v2/(.+)/manifests/([^/]+)", self._manifest),
            ("PUT", r"/v2/(.+)/manifests/([^/]+)", self._put_manifest),
            ("GET", r"/v2/.+/blobs/(sha256:\w+)", self._blob),
            ("HEAD", r"/v2/.+/blobs/(sha256:\w+)", self._blob),
            ("POST", r"/v2/(.+)/blobs/uploads/", self._begin_upload),
            ("PUT", r"/upload/here", self._upload),
        ):
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                return await handler(request, *found.groups())
        return web.Response(status=404)

    async def _root(self, request: web.Request) -> web.Response:
        return web.json_response({})

    async def _tags(self, request: web.Request, path: str) -> web.Response:
        names = [name.rpartition("/") for name in self.manifests]
        tags = sorted(tag for name, _, tag in names if name == path and ":" not in tag)
        return web.json_response({"name": path, "tags": tags})

    async def _manifest(self, request: web.Request, path: str, name: str) -> web.Response:
        if f"{path}/{name}" not in self.manifests:
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, raw = self.manifests[f"{path}/{name}"]
        return web.Response(body=raw, headers={"Content-Type": media_type, "Docker-Content-Digest": digest(raw)})

    async def _put_manifest(self, request: web.Request, path: str, tag: str) -> web.Response:
        raw = await request.read()
        self.manifests[f"{path}/{tag}"] = (request.content_type, raw)
        return web.Response(status=201)

    async def _blob(self, request: web.Request, name: str) -> web.Response:
        if name not in self.blobs:
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        data, start = self.blobs[name], 0
        if found := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")):
            start = int(found[1])
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        return web.Response(body=data[start:], status=206 if start else 200, headers=headers)

    async def _begin_upload(self, request: web.Request, path: str) -> web.Response:
        return web.Response(status=202, headers={"Location": "/upload/here?state=a%2Fb%3D"})

    async def _upload(self, request: web.Request) -> web.Response:
        data, promised = await request.read(), request.query["digest"]
        if digest(data) != promised:
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.blobs[promised] = data
        return web.Response(status=201)

    def _token(self, request: web.Request) -> web.Response:
        header = request.headers.get("Authorization", "").removeprefix("Basic ")
        if tuple(base64.b64decode(header).decode().split(":")) != self.login:
            return error(401, "UNAUTHORIZED", "incorrect username or password")
        return web.json_response({"token": self.token, "refresh_token": "for later"})


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """A registry's way to say no."""
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status, headers=headers)


# --- answers for faults --------------------------------------------------------------------------------------------


def status(number: int, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=number, headers=headers)

    return answer


def sends(body: bytes, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers=headers)

    return answer


def cut(registry: FakeRegistry, after: int) -> Answer:
    """The usual answer, whose connection breaks after some bytes of the body."""

    async def answer(request: web.Request) -> web.StreamResponse:
        whole = await registry.usual(request)
        assert isinstance(whole, web.Response) and isinstance(whole.body, bytes) and request.transport
        broken = web.StreamResponse(status=whole.status, headers=whole.headers)
        broken.content_length = len(whole.body)
        await broken.prepare(request)
        await broken.write(whole.body[:after])
        request.transport.close()
        return broken

    return answer
