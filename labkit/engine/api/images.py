"""Images over HTTP: list, look, name, remove, load, save, import, commit (Docker Engine API, "Images").

An image comes from a file (`docker load`), from a tar of a file tree (`docker import`), from a container
(`docker commit`), or from a registry, for which see registry.py.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from aiohttp import web

from labkit.engine.api import image_filters
from labkit.engine.api.request import Request
from labkit.engine.api.responses import json_response, no_content
from labkit.engine.api.shapes import Labels
from labkit.engine.api.streams import TAR, body_file, byte_stream, from_thread, json_stream, progress_stream, with_error
from labkit.engine.containers import defaults
from labkit.engine.engine import Engine
from labkit.engine.errors import BadParameter
from labkit.engine.images.image import Image, architecture
from labkit.engine.images.reference import normalize

CONFIG: dict[str, Any] = {**defaults.CONFIG, "Env": None, "Labels": None}
"""The fields that Docker shows in an image's Config, though OCI images leave most of them out: a container's, but that
what nobody set is null."""

CONFIG_SHAPE = {"Cmd": [str], "Entrypoint": [str], "Env": [str], "Labels": Labels, "User": str, "WorkingDir": str}


# ---- looking


def summary(image: Image, containers: int, shared: int, api_version: tuple[int, int]) -> dict[str, Any]:
    """One image in `GET /images/json`. `containers` and `shared` are -1 where nobody asked for them."""
    # up to 1.42 an image without a name had a name that said so
    unnamed = ["<none>:<none>"] if api_version < (1, 43) else []
    return {
        "Id": image.id,
        "ParentId": image.parent,
        "RepoTags": list(image.tags) or unnamed,
        "RepoDigests": list(image.digests),
        "Created": image_filters.created(image),
        "Size": image.size,
        "SharedSize": shared,
        "VirtualSize": image.size,
        "Labels": image_filters.labels(image) or None,
        "Containers": containers,
    }


async def list_images(engine: Engine, request: Request) -> web.Response:
    """GET /images/json. Without `all`, steps on the way to another image are left out."""
    images = engine.images.list()
    chosen = image_filters.choose(images, request.filters(), engine.images.get)
    if not request.flag("all"):
        final = image_filters.dangling(images)
        chosen = [image for image in chosen if image.tags or image.id in final]
    chosen.sort(key=image_filters.created, reverse=True)
    shared = shared_sizes(engine, images) if request.flag("shared-size") else {}
    return json_response([summary(image, -1, shared.get(image.id, -1), request.api_version) for image in chosen])


def layer_sizes(engine: Engine, images: Sequence[Image]) -> dict[str, int]:
    """The bytes of every layer that the images stand on, each once."""
    names = {layer for image in images for layer in image.layers}
    return {name: (engine.driver.layer(name) or {}).get("size", 0) for name in names}


def shared_sizes(engine: Engine, images: Sequence[Image]) -> dict[str, int]:
    """For each image, the bytes of those of its layers that another image has too."""
    sizes = layer_sizes(engine, images)
    users = Counter(layer for image in images for layer in set(image.layers))
    return {image.id: sum(sizes[layer] for layer in image.layers if users[layer] > 1) for image in images}


def disk_usage(engine: Engine) -> dict[str, Any]:
    """The images' part of `GET /system/df`."""
    images, in_use = engine.images.list(), engine.containers.images_in_use()
    shared = shared_sizes(engine, images)
    rows = [summary(image, len(in_use.get(image.id, ())), shared[image.id], (1, 45)) for image in images]
    return {"LayersSize": sum(layer_sizes(engine, images).values()), "Images": rows}


async def inspect(engine: Engine, request: Request) -> web.Response:
    """GET /images/{name}/json."""
    image = engine.images.get(request.path["name"])
    config = image.config
    history = config.get("history") or [{}]
    return json_response(
        {
            "Id": image.id,
            "RepoTags": list(image.tags),
            "RepoDigests": list(image.digests),
            "Parent": image.parent,
            "Comment": history[-1].get("comment", ""),
            "Created": image.created,
            "DockerVersion": config.get("docker_version", ""),
            "Author": config.get("author", ""),
            "Config": CONFIG | (config.get("config") or {}),
            "Architecture": config.get("architecture", architecture()),
            "Variant": config.get("variant", ""),
            "Os": config.get("os", "linux"),
            "Size": image.size,
            "VirtualSize": image.size,
            "GraphDriver": {"Name": engine.driver.name, "Data": engine.driver.image_data(image)},
            "RootFS": {"Type": "layers", "Layers": list(image.diff_ids)},
            "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
        }
    )


async def history(engine: Engine, request: Request) -> web.Response:
    """GET /images/{name}/history: how it was made, the last step first."""
    return json_response(engine.images.history(engine.images.get(request.path["name"])))


# ---- names


def reference(repo: str, tag: str) -> str | None:
    """`repo` and `tag` of a query as one name; None for none. A digest in place of a tag is joined with `@`."""
    if not repo:
        return None
    if not tag:
        return repo
    return f"{repo}@{tag}" if tag.startswith("sha256:") else f"{repo}:{tag}"


async def tag(engine: Engine, request: Request) -> web.Response:
    """POST /images/{name}/tag: one more name."""
    image = engine.images.get(request.path["name"])
    name = reference(request.text("repo"), request.text("tag"))
    if name is None:
        raise BadParameter("a name is needed: repo=NAME, and tag=TAG if it is not to be latest")
    engine.images.tag(image, name)
    _tell(engine, "tag", image, normalize(name))
    return no_content(201)


async def remove(engine: Engine, request: Request) -> web.Response:
    """DELETE /images/{name}: a name, and with the last name the image and the layers that no other one has."""
    force, parents = request.flag("force"), not request.flag("noprune")
    return json_response(await _remove(engine, request.path["name"], force=force, parents=parents))


async def _remove(engine: Engine, ref: str, *, force: bool = False, parents: bool = True) -> list[dict[str, str]]:
    image = engine.images.get(ref)
    in_use = engine.containers.images_in_use()
    running = [id_ for id_ in in_use.get(image.id, ()) if engine.containers.get(id_).state.alive]
    removed: list[dict[str, str]] = await asyncio.to_thread(
        engine.images.remove, ref, force=force, in_use=in_use, running=running, prune=parents
    )
    for entry in removed:
        if "Untagged" in entry:
            _tell(engine, "untag", image, entry["Untagged"])
        elif entry.get("Deleted") == image.id:
            _tell(engine, "delete", image, image.id)
    return removed


async def prune(engine: Engine, request: Request) -> web.Response:
    """POST /images/prune: images without a name, or with the filter dangling=false all that no container needs."""
    filters = request.filters()
    only_dangling = image_filters.truth("dangling", filters.pop("dangling", ["true"]))
    images = engine.images.list()
    unnamed, in_use = image_filters.dangling(images), engine.containers.images_in_use()
    removed: list[dict[str, str]] = []
    freed = 0
    for image in image_filters.choose(images, filters, engine.images.get):
        if image.id in in_use or (only_dangling and image.id not in unnamed):
            continue
        for ref in image.tags or (image.id,):
            removed += await _remove(engine, ref)
        freed += image.size
    return json_response({"ImagesDeleted": removed or None, "SpaceReclaimed": freed})


def _tell(engine: Engine, action: str, image: Image, name: str) -> None:
    engine.publish("image", action, image.id, {**image_filters.labels(image), "name": name})


# ---- in and out


async def load(engine: Engine, request: Request) -> web.StreamResponse:
    """POST /images/load: images from a tar that `docker save` made, or any OCI layout."""
    progress = from_thread(engine.images.load(body_file(request)))
    # dockerd has answered 200 by the time it looks into the tar: what is wrong with it stands in the stream
    return await json_stream(request, with_error(_loading(engine, progress, quiet=request.flag("quiet"))))


async def _loading(
    engine: Engine, progress: AsyncIterator[dict[str, Any]], *, quiet: bool
) -> AsyncIterator[dict[str, Any]]:
    async for item in progress:
        told, _, name = str(item.get("stream", "")).strip().partition(": ")
        if told in ("Loaded image", "Loaded image ID"):
            _tell(engine, "load", engine.images.get(name), name)
        if told or not quiet:
            yield item


async def save_one(engine: Engine, request: Request) -> web.StreamResponse:
    """GET /images/{name}/get: one image as a tar."""
    return await _save(engine, request, [request.path["name"]])


async def save(engine: Engine, request: Request) -> web.StreamResponse:
    """GET /images/get: several images in one tar."""
    names = [name for value in request.texts("names") for name in value.split(",") if name]
    if not names:
        raise BadParameter("at least one image is needed: names=NAME")
    return await _save(engine, request, names)


async def _save(engine: Engine, request: Request, names: Sequence[str]) -> web.StreamResponse:
    # an unknown name must be an answer of its own, so it is looked for before the stream begins
    for image, name in [(engine.images.get(name), name) for name in names]:
        _tell(engine, "save", image, name)
    return await byte_stream(request, from_thread(engine.images.save(names)), TAR)


async def create(engine: Engine, request: Request) -> web.StreamResponse:
    """POST /images/create: pull (`fromImage=NAME`), or import a file tree (`fromSrc=-`, the tar is the body)."""
    if request.text("fromImage"):
        from labkit.engine.api import registry  # loaded when somebody pulls: most lessons never do

        return await registry.create(engine, request)
    if request.text("fromSrc") != "-":
        raise BadParameter("a source is needed: fromImage=NAME, or fromSrc=- with a tar as the body")
    return await progress_stream(request, _importing(engine, request))


async def _importing(engine: Engine, request: Request) -> AsyncIterator[dict[str, Any]]:
    name = reference(request.text("repo"), request.text("tag"))
    message = request.text("message", "Imported from -")
    image = await asyncio.to_thread(engine.images.import_tar, body_file(request), name, _changes(request), message)
    _tell(engine, "import", image, normalize(name) if name else image.id)
    yield {"status": image.id}


def _changes(request: Request) -> list[str]:
    """Dockerfile lines that change the config: one a value, or several in one with line breaks between."""
    return [line for value in request.texts("changes") for line in value.splitlines() if line.strip()]


async def commit(engine: Engine, request: Request) -> web.Response:
    """POST /commit: an image from a container: its image's layers, and its own as one more."""
    overrides = await request.json(CONFIG_SHAPE)
    record = engine.containers.get(request.text("container"))
    base = engine.images.get(record.image_id)
    name = reference(request.text("repo"), request.text("tag"))

    def make() -> Image:
        return engine.images.commit(
            record.id,
            base,
            _merged(record.config, overrides),
            ref=name,
            author=request.text("author"),
            comment=request.text("comment"),
            changes=_changes(request),
            created_by=" ".join(record.config.get("Cmd") or []),
        )

    if request.flag("pause", True):
        async with engine.containers.paused(record):
            image = await asyncio.to_thread(make)
    else:
        image = await asyncio.to_thread(make)
    if name:
        _tell(engine, "tag", image, name)
    told = {"comment": request.text("comment"), "imageID": image.id, "imageRef": name or "", "name": record.name}
    engine.publish("container", "commit", record.id, {**(record.config.get("Labels") or {}), **told})
    return json_response({"Id": image.id}, 201)


def _merged(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The container's config under what the request gives; Env and Labels are joined, not replaced."""
    merged = {**config, **{key: value for key, value in overrides.items() if value}}
    if env := overrides.get("Env"):
        named = {entry.partition("=")[0]: entry for entry in [*(config.get("Env") or []), *env]}
        merged["Env"] = list(named.values())
    if overrides.get("Labels"):
        merged["Labels"] = {**(config.get("Labels") or {}), **overrides["Labels"]}
    return merged
