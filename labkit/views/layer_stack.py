"""The layer stack: image layers once, read-only, and on top of them one read-write layer for each container.

For a chosen path it shows which layer each container sees it in: its own, an image's, or none because a whiteout
hides it. `docker diff` and `docker history` say the same in words.
"""

import re
from typing import Any

import traitlets
from docker.models.containers import Container
from docker.models.images import Image

from labkit import observe
from labkit.provenance import Origin, normal
from labkit.views import base
from labkit.views.base import Picture, cell

MARKS = {"added": "+", "changed": "~", "deleted": "-"}  # what `docker diff` writes as A, C and D
MOST_PATHS = 20  # in the table; the drawing lets you scroll

# Origin.kind -> how it is said of a container
SEEN_IN = {
    "own": "in its own layer",
    "image": "in image layer {layer}",
    "deleted": "deleted, hidden by a whiteout",
    "mount": "in a mount, not a layer",
    "absent": "not there",
}


def said(origin: Origin | dict[str, Any] | None) -> str:
    """An origin in words."""
    if origin is None:
        return "not known"
    if isinstance(origin, Origin):
        origin = {"kind": origin.kind, "layer": origin.layer}
    return SEEN_IN[origin["kind"]].format(layer=origin["layer"])


# --- pure: from a Stack to a picture, and from the picture to text and table ------------------------


def picture_of(stack: observe.Stack) -> Picture:
    """The stack as plain data. A layer that several images share stands in it once, under its chain id."""
    chains = {image.id: observe.chain_ids([layer.diff_id for layer in image.layers]) for image in stack.images}
    return {
        "view": "LayerStack",
        "path": stack.path,
        "images": [
            {"id": i.id, "name": i.name, "layers": chains[i.id], "metadata": list(i.metadata)} for i in stack.images
        ],
        "layers": _layers(stack, chains),
        "containers": [_container(top, chains) for top in stack.containers],
        "commands": _commands(stack),
    }


def _layers(stack: observe.Stack, chains: dict[str, list[str]]) -> list[Picture]:
    found: dict[str, Picture] = {}
    for image in stack.images:
        for number, (key, layer) in enumerate(zip(chains[image.id], image.layers, strict=True), start=1):
            entry = found.setdefault(
                key,
                {
                    "key": key,
                    "below": chains[image.id][number - 2] if number > 1 else None,
                    "number": number,
                    "diff_id": layer.diff_id,
                    "created_by": layer.created_by,
                    "size": layer.size,
                    "read_only": layer.read_only,
                    "images": [],
                    "seen_by": [],
                    "covered_for": [],
                },
            )
            entry["images"].append(image.name)
    for name, keys, origin in _views_of_path(stack, chains):
        if origin.layer:
            found[keys[origin.layer - 1]]["seen_by"].append(name)
        for number in origin.hidden:
            found[keys[number - 1]]["covered_for"].append(name)
    return list(found.values())


def _views_of_path(stack: observe.Stack, chains: dict[str, list[str]]) -> list[tuple[str, list[str], Origin]]:
    """Who looks for the path, through which layers, and where it is found: containers, and images that have none."""
    used = {top.container.image_id for top in stack.containers}
    found = [(t.container.name, chains[t.container.image_id], t.origin) for t in stack.containers]
    found += [
        (f"image {i.name}", chains[i.id], stack.image_origins.get(i.id)) for i in stack.images if i.id not in used
    ]
    return [(name, keys, origin) for name, keys, origin in found if origin is not None]


def _container(top: observe.ReadWriteLayer, chains: dict[str, list[str]]) -> Picture:
    below = chains[top.container.image_id]
    return {
        "key": top.container.id,
        "name": top.container.name,
        "image": top.container.image,
        "status": top.container.status,
        "below": below[-1] if below else None,
        "size": top.size,
        "counts": observe.count_changes(top.changes),
        "changes": [{"path": c.path, "kind": c.kind, "on_the_way": c.on_the_way} for c in top.changes],
        "origin": top.origin
        and {"kind": top.origin.kind, "layer": top.origin.layer, "hidden": list(top.origin.hidden)},
        "seen_in": said(top.origin) if top.origin else None,
    }


def _commands(stack: observe.Stack) -> list[dict[str, str]]:
    containers = [t.container.name for t in stack.containers if t.container.status != "removed"]
    return [
        *(base.command(f'client.containers.get("{name}").diff()', f"docker diff {name}") for name in containers),
        *(base.command(f'client.images.get("{i.name}").history()', f"docker history {i.name}") for i in stack.images),
    ]


def text_of(picture: Picture) -> str:
    """The picture as one line: images, then each container's number of added, changed and deleted paths."""
    images = " + ".join(
        f"image {image['name']} ({base.number_of(len(image['layers']), 'layer')}, read-only)"
        for image in picture["images"]
    )
    parts = [f"LayerStack: {images}"]
    for container in picture["containers"]:
        counts = " ".join(f"{MARKS[kind]}{n}" for kind, n in container["counts"].items())
        removed = container["status"] == "removed"
        parts.append(f"{container['name']}: {'removed, its layer is gone' if removed else counts}")
    if picture["path"] and any(c["seen_in"] for c in picture["containers"]):
        found = [f"{c['name']} {c['seen_in']}" for c in picture["containers"] if c["seen_in"]]
        parts.append(f"{picture['path']}: {', '.join(found)}")
    return " | ".join(parts)


def table_of(picture: Picture) -> str:
    """The picture as an HTML table from the top down. Sizes stand in cells of class lk-size."""
    path = picture["path"]
    heads = ["layer", "access", "what is in it", "size", *([path] if path else [])]
    rows = [_container_row(c, path) for c in picture["containers"]]
    rows += [_layer_row(layer, path) for layer in reversed(picture["layers"])]
    return base.table("Layer stack, from the top down", heads, rows)


def _container_row(container: Picture, path: str | None) -> list[str]:
    if container["status"] == "removed":
        what = "removed with the container"
    else:
        paths = [f"{MARKS[c['kind']]} {c['path']}" for c in container["changes"] if not c["on_the_way"]]
        what = base.few(paths, MOST_PATHS) or "nothing yet"
    row = [
        f"container {container['name']}",
        cell("read-write"),
        cell(what),
        cell(size_said(container["size"]), "lk-size"),
    ]
    return [*row, cell(container["seen_in"] or "not known")] if path else row


def _layer_row(layer: Picture, path: str | None) -> list[str]:
    name = f"image layer {layer['number']} of {', '.join(layer['images'])}"
    what = f"made by {layer['created_by']}" if layer["created_by"] else "-"
    row = [name, cell("read-only"), cell(what), cell(size_said(layer["size"]), "lk-size")]
    if path is None:
        return row
    seen = [f"seen by {', '.join(layer['seen_by'])}"] if layer["seen_by"] else []
    covered = [f"covered for {', '.join(layer['covered_for'])}"] if layer["covered_for"] else []
    return [*row, cell("; ".join(seen + covered) or "-")]


def size_said(size: int | None) -> str:
    """A size as Docker prints it: decimal units, three digits."""
    if size is None:
        return "-"
    value, unit = float(size), "B"
    for bigger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, bigger
    return re.sub(r"\.0$", "", f"{value:.3g}") + f" {unit}"


# --- the widget -------------------------------------------------------------------------------------


class LayerStack(base.View):
    """Draw the layers of containers (or images) of one engine, and which of them a path comes from.

    LayerStack(one, two, path="/etc/motd") takes Container and Image objects of the Docker SDK. `path` can be set
    afterwards too, here or in the picture. The picture follows the engine's events until `close()`.
    """

    _esm = base.module("layer_stack")
    _css = base.style("layer_stack")

    path = traitlets.Unicode("").tag(sync=True)

    def __init__(self, *things: Container | Image, path: str | None = None, **unknown: Any) -> None:
        base.refuse_unknown("LayerStack", unknown, ["path"])
        client = base.one_client("LayerStack", things, (Container, Image))
        self._images = [(i.id or "", i.tags[0] if i.tags else i.id or "") for i in things if isinstance(i, Image)]
        containers = [thing for thing in things if isinstance(thing, Container)]
        super().__init__(client, containers, path=normal(path) if path else "")
        self.observe(lambda _: self._look_soon(), names="path")

    def ask(self) -> Picture:
        path = normal(self.path) if self.path.strip() else None
        stack = observe.stack(self._client, self._states, self._images, path)
        self._states = tuple(top.container for top in stack.containers)
        return picture_of(stack)

    def text(self) -> str:
        return text_of(self.picture)

    def table(self) -> str:
        return table_of(self.picture)
