"""The overlay walk: for one path, which layers the kernel looks in, where it stops, and what a write would do.

The four cases of an overlay file system: read-through (the image's file is seen), copy-up (the container has a changed
copy of it), new file (only the container has it) and whiteout (a mark that hides the image's file).

Source: the kernel's Documentation/filesystems/overlayfs.rst.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets
from docker.models.containers import Container

from labkit import observe
from labkit.provenance import Step, image_files, normal, walk
from labkit.views import base
from labkit.views.base import Picture, cell

# case -> what it means. The first four are an overlay's; the others say why there is none.
CASES = {
    "read-through": "The container's own layer has nothing there, so the file is seen in the image below.",
    "copy-up": "The image's file was changed here: the container has its own copy, which covers the one below.",
    "new file": "Only the container's own layer has it.",
    "whiteout": "It was deleted: a whiteout, a mark with the file's name, hides what lies below.",
    "absent": "No layer has it.",
    "mount": "A volume or another mount covers the path. What lies in a mount is in no layer.",
    "removed": "The container is removed, and its own layer with it. The image still has its layers.",
    "not known": "The image is too big for its layers to be read here.",
}
FOUR = ("read-through", "copy-up", "new file", "whiteout")

# case -> what each act would do. {below}: the image layer that holds the file.
NEXT = {
    "read-through": {
        "read": "The file in {below} is read. Nothing is copied.",
        "write": "Copy-up: the kernel first copies the file from {below} into the own layer, then writes to the copy.",
        "delete": "A whiteout is made in the own layer. The file in {below} stays.",
    },
    "copy-up": {
        "read": "The copy in the own layer is read. The file in {below} is covered.",
        "write": "The copy is written to. Nothing is copied again.",
        "delete": "The copy is removed, and a whiteout takes its place, or the file in {below} would show again.",
    },
    "new file": {
        "read": "The file in the own layer is read.",
        "write": "The file in the own layer is written to.",
        "delete": "The file is removed. There is nothing below to hide, so no whiteout is needed.",
    },
    "whiteout": {
        "read": "The search ends at the whiteout: no such file.",
        "write": "A new file takes the place of the whiteout. Nothing is copied up.",
        "delete": "There is nothing to delete: no such file.",
    },
    "absent": {
        "read": "The search ends below the lowest layer: no such file.",
        "write": "A new file is made in the own layer.",
        "delete": "There is nothing to delete: no such file.",
    },
}
# (what the layer holds, whether the search gets there) -> what happens
HAPPENS = {
    ("nothing", True): "look below",
    ("file", True): "found, the search ends",
    ("whiteout", True): "hidden, the search ends: no such file",
    ("file", False): "covered, not looked at",
    ("whiteout", False): "not looked at",
    ("nothing", False): "not looked at",
}
ACTS: dict[str, Callable[[str], list[str]]] = {
    "read": lambda path: ["cat", path],
    "write": lambda path: ["sh", "-c", f"echo changed >> {shlex.quote(path)}"],
    "delete": lambda path: ["rm", path],
}
LONGEST_ANSWER = 200  # characters of what a command printed


# --- pure: from steps to a picture, and from the picture to text and table --------------------------


def case_of(steps: Sequence[Step]) -> str:
    """Which of an overlay's cases a walk is."""
    end = next((step for step in steps if step.holds != "nothing"), None)
    if end is None:
        return "absent"
    if end.holds == "whiteout":
        return "whiteout"
    if end.layer is not None:
        return "read-through"
    below = next((step for step in steps if step.layer is not None and step.holds != "nothing"), None)
    return "copy-up" if below is not None and below.holds == "file" else "new file"


def picture_of(
    container: observe.ContainerState,
    image: observe.Image | None,
    path: str,
    steps: Sequence[Step] | None,
    said: Picture | None = None,
) -> Picture:
    """The walk as plain data; without steps, where the layers can't be known, only the case."""
    case = _case(container, path, steps)
    shown = steps if steps and case in NEXT else ()
    layers = image.layers if image else ()
    number = next((step.layer for step in shown if step.layer and step.holds == "file"), None)
    return {
        "view": "OverlayWalk",
        "path": path,
        "case": case,
        "meaning": CASES[case],
        "cases": [{"name": name, "meaning": CASES[name], "current": name == case} for name in FOUR],
        "container": {"key": container.id, "name": container.name, "status": container.status},
        "containers": [{"status": container.status}],
        "steps": [_step(step, container, layers) for step in shown],
        "acts": [_act(act, case, number, container, path) for act in ACTS] if case in NEXT else [],
        "said": said,
        "commands": _commands(container) if case != "removed" else [],
    }


def _case(container: observe.ContainerState, path: str, steps: Sequence[Step] | None) -> str:
    if container.status == "removed":
        return "removed"
    if any(path == mount or path.startswith(f"{mount}/") for mount in container.mounts):
        return "mount"
    return "not known" if steps is None else case_of(steps)


def _step(step: Step, container: observe.ContainerState, layers: Sequence[observe.Layer]) -> Picture:
    layer = layers[step.layer - 1] if step.layer and step.layer <= len(layers) else None
    return {
        "layer": step.layer,
        "name": f"image layer {step.layer}" if step.layer else f"own layer of {container.name}",
        "made_by": layer.created_by if layer else "",
        "read_only": step.layer is not None,
        "holds": step.holds,
        "reached": step.reached,
        "happens": HAPPENS[step.holds, step.reached],
    }


def _act(act: str, case: str, below: int | None, container: observe.ContainerState, path: str) -> Picture:
    words = ACTS[act](path)
    return {
        "act": act,
        "would": NEXT[case][act].format(below=f"image layer {below}"),
        "possible": container.status == "running",
        "sdk": f'client.containers.get("{container.name}").exec_run({words})',
        "docker": shlex.join(["docker", "exec", container.name, *words]),
    }


def _commands(container: observe.ContainerState) -> list[dict[str, str]]:
    return [
        base.command(f'client.containers.get("{container.name}").diff()', f"docker diff {container.name}"),
        base.command(f'client.images.get("{container.image}").save()', f"docker save {container.image}"),
    ]


def text_of(picture: Picture) -> str:
    """The picture as one line: the case, then what each layer holds, from the top down, as far as the search goes."""
    name = picture["container"]["name"]
    steps = [f"{step['name']}: {step['holds']}" for step in picture["steps"] if step["reached"]]
    parts = [f"OverlayWalk: {picture['path']} in {name}: {picture['case']}", " > ".join(steps)]
    return " | ".join(part for part in parts if part)


def table_of(picture: Picture) -> str:
    """The picture as two HTML tables: the walk from the top down, and what each act would do."""
    path, name = picture["path"], picture["container"]["name"]
    caption = f"{path} in {name}: {picture['case']}. {picture['meaning']}"
    steps = [
        [s["name"], cell("read-only" if s["read_only"] else "read-write"), cell(s["holds"]), cell(s["happens"])]
        for s in picture["steps"]
    ] or [["none", cell("-"), cell("-"), cell("no layer is looked into")]]
    walked = base.table(caption, ["layer, from the top", "access", "holds", "what happens"], steps)
    if not picture["acts"]:
        return walked
    acts = [[act["act"], cell(act["would"]), cell(act["docker"])] for act in picture["acts"]]
    return walked + "\n" + base.table(f"What would happen to {path}", ["act", "what happens", "docker command"], acts)


# --- the widget -------------------------------------------------------------------------------------


class OverlayWalk(base.View):
    """Draw how the kernel looks for one path in a container, layer by layer, and what a write or a delete would do.

    OverlayWalk(one, "/etc/motd") takes a Container object of the Docker SDK. `path` can be set afterwards too, here or
    in the picture, whose buttons run `cat`, `echo` and `rm` in the container.
    """

    _esm = base.module("overlay_walk")
    _css = base.style("overlay_walk")

    path = traitlets.Unicode("").tag(sync=True)

    def __init__(self, container: Container, path: str, **unknown: Any) -> None:
        base.refuse_unknown("OverlayWalk", unknown, ["container", "path"])
        client = base.one_client("OverlayWalk", [container], (Container,))
        if not isinstance(path, str) or not path.strip():
            raise TypeError(f"OverlayWalk needs a path inside the container, such as '/etc/motd', not {path!r}.")
        self._path = normal(path)
        self._said: Picture | None = None
        super().__init__(client, [container], path=self._path)
        self.observe(lambda _: self._look_soon(), names="path")

    def ask(self) -> Picture:
        if self.path.strip() and normal(self.path) != self._path:
            self._path, self._said = normal(self.path), None
        stack = observe.stack(self._client, self._states)
        top, image = stack.containers[0], stack.images[0]
        self._states = (top.container,)
        layers = image_files(self._client, image.id) if image.layers else None
        steps = None if layers is None else walk(self._path, layers, _changes(top))
        return picture_of(top.container, image, self._path, steps, self._said)

    def told(self, message: Mapping[str, Any]) -> None:
        """A button was pressed: run that command in the container."""
        act = str(message.get("act"))
        if act in ACTS:
            words = ACTS[act](self._path)
            self._do(shlex.join(words), lambda: self._run(words))

    def _run(self, words: list[str]) -> None:
        done = self._client.containers.get(self._states[0].id).exec_run(words)
        printed = done.output if isinstance(done.output, bytes) else b""
        output = printed.decode(errors="replace").strip()[:LONGEST_ANSWER]
        self._said = {"command": shlex.join(words), "output": output, "exit_code": done.exit_code}

    def text(self) -> str:
        return text_of(self.picture)

    def table(self) -> str:
        return table_of(self.picture)


def _changes(top: observe.ReadWriteLayer) -> list[tuple[str, str]]:
    return [(change.path, change.kind) for change in top.changes if not change.on_the_way]
