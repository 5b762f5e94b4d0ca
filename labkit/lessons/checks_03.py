"""The checks of lesson 03: each looks at containers, an image or the learner's own virtual machines."""

import io
import json
import re
import tarfile
from typing import IO

from docker.models.containers import Container
from docker.models.images import Image

from labkit import vm
from labkit.lessons.evidence import Evidence, exit_code, is_from
from labkit.lessons.material import Outcome, not_tried, not_yet, passed

IMAGE = "labkit/base"
PAIR = ("lab03-left", "lab03-right")
KEEPER, APP = "lab03-keeper", "lab03-app"
ID, NOTE, MINE = "/kernel.txt", "/note", "/app.txt"
MOST = 100_000  # bytes that a small app may add to its image
NEVER = "0001-01-01"  # Docker's way to say that something has not happened yet
BOOT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# the parts of the notebook that a message sends back to
CARVE, KERNEL, VERBS, SMALL = "Step 2: a machine is carved out", "Whose kernel?", "The same verbs", "How small?"


def _missing(evidence: Evidence, names: tuple[str, ...], expected: str, look: str) -> Outcome:
    """None of these containers is there: a slip in a name, or nothing tried."""
    if odd := evidence.stranger(names):
        return not_yet("misnamed", f"a container called {odd}", f"{expected}; names count letter by letter", look)
    if evidence.unnamed():
        return not_yet("unnamed", "a container under a name that Docker made up", expected, look)
    return not_tried(f"no container is called {' or '.join(names)}", expected, look)


def _wrong_image(evidence: Evidence, container: Container) -> str | None:
    image = evidence.image(IMAGE)
    if image is None or is_from(container, image):
        return None
    return f"{container.name} was made from {container.attrs['Config']['Image']}, not from {IMAGE}"


# --- one-kernel -----------------------------------------------------------------------------------


def one_kernel(evidence: Evidence) -> Outcome:
    """Two containers have written down which boot of a kernel they run on, and it is the same one."""
    expected = f"{PAIR[0]} and {PAIR[1]}, from {IMAGE}, each with the boot ID of its kernel in {ID}"
    found = [container for name in PAIR if (container := evidence.container(name))]
    if not found:
        return _missing(evidence, PAIR, expected, KERNEL)
    for container in found:
        if wrong := _wrong_image(evidence, container):
            return not_yet("wrong image", wrong, expected, KERNEL)
    if len(found) == 1:
        return not_yet("too few", f"{found[0].name} is there, and it is alone", expected, KERNEL)
    for container in found:
        if wrong_file := _not_an_id(evidence, container):
            return not_yet(*wrong_file, expected, KERNEL)
    left, right = (evidence.file(container, ID) for container in found)
    if left != right:
        return not_yet("another kernel", f"two different IDs, though there is one kernel, in {ID}", expected, KERNEL)
    return passed("both name the same boot of the same kernel: there is only one, and it was up before they were")


def _not_an_id(evidence: Evidence, container: Container) -> tuple[str, str] | None:
    text = evidence.file(container, ID)
    if text is None:
        changes = evidence.changes(container)
        elsewhere = next((path for path in changes if path.endswith(ID)), None)
        if elsewhere:
            return "wrong place", f"in {container.name} the file is {elsewhere}"
        return "nothing changed", f"{container.name} has no {ID}"
    if not BOOT_ID.fullmatch(text.strip()):
        return "wrong content", f"{ID} of {container.name} reads {text.strip()[:60]!r}, which is no boot ID"
    return None


# --- carve ----------------------------------------------------------------------------------------


def carve(evidence: Evidence) -> Outcome:
    """A virtual machine with two processors and two disks, booted. Not the engine's business: this Python made it."""
    expected = "a running virtual machine with 2 processors and 2 disks"
    known = vm.machines()
    fitting = [machine for machine in known if (machine.processors, machine.disks) == (2, 2)]
    states = {machine.state for machine in fitting}
    if "running" in states:
        return passed("a machine with two processors and two disks of its own, carved out of this one")
    if "created" in states:
        return not_yet(
            "not booted", "a machine with 2 processors and 2 disks, and it was never started", expected, CARVE
        )
    if fitting:
        return not_yet(
            "switched off", f"a machine with 2 processors and 2 disks that is {states.pop()}", expected, CARVE
        )
    own = [machine for machine in known if (machine.processors, machine.disks) != (1, 1)]
    if own:
        seen = f"a machine with other hardware: processors {own[0].processors}, disks {own[0].disks}"
        return not_yet("wrong hardware", seen, expected, CARVE)
    return not_tried("no machine beside the lesson's own", expected, CARVE)


# --- stop-start -----------------------------------------------------------------------------------


def stop_start(evidence: Evidence) -> Outcome:
    """A container that has been stopped and started again, with what it wrote before."""
    expected = f"{KEEPER}, from {IMAGE}, running for at least the second time, with a file {NOTE}"
    container = evidence.container(KEEPER)
    if container is None:
        return _missing(evidence, (KEEPER,), expected, VERBS)
    if wrong := _wrong_image(evidence, container):
        return not_yet("wrong image", wrong, expected, VERBS)
    if container.status == "created":
        return not_yet("not started", f"{KEEPER} was created and never started", expected, VERBS)
    if container.status != "running":
        seen = f"{KEEPER} is {container.status}, exit code {exit_code(container)}"
        return not_yet("exited", seen, expected, VERBS)
    if container.attrs["State"]["FinishedAt"].startswith(NEVER):
        return not_yet("never stopped", f"{KEEPER} runs, and it has never been stopped", expected, VERBS)
    if evidence.file(container, NOTE) is None:
        return not_yet("nothing changed", f"{KEEPER} was stopped and started, and has no {NOTE}", expected, VERBS)
    return passed(f"{KEEPER} was stopped and started, and {NOTE} is still there")


# --- small-app ------------------------------------------------------------------------------------


def small_app(evidence: Evidence) -> Outcome:
    """An image that is the teaching image and an app: one small layer more."""
    word = str(evidence.words["word"])
    expected = (
        f"an image {APP}: {IMAGE} and one more layer of less than {MOST // 1000} kB, with {MINE} that holds {word}"
    )
    image, base = evidence.image(APP), evidence.image(IMAGE)
    if image is None:
        tags = [tag for entry in evidence.client.api.images() for tag in entry["RepoTags"] or ()]
        odd = next((tag for tag in tags if tag.startswith(evidence.prefix)), None)
        if odd:
            return not_yet("misnamed image", f"an image called {odd}", f"the name {APP}, letter by letter", SMALL)
        return not_tried(f"no image is called {APP}", expected, SMALL)
    below = base.attrs["RootFS"]["Layers"] if base else []
    layers = image.attrs["RootFS"]["Layers"]
    if layers[: len(below)] != below:
        return not_yet("wrong base", f"{APP} does not stand on {IMAGE}", expected, SMALL)
    if len(layers) != len(below) + 1:
        return not_yet(
            "wrong layers", f"{APP} has {len(layers) - len(below)} layers on top of {IMAGE}", expected, SMALL
        )
    added = image.attrs["Size"] - (base.attrs["Size"] if base else 0)
    if added > MOST:
        return not_yet("too big", f"the layer on top has {added} bytes", expected, SMALL)
    text = _in_top_layer(image, MINE)
    if text is None or word not in text:
        return not_yet(
            "wrong content", f"{MINE} in {APP} {'is missing' if text is None else 'lacks the word'}", expected, SMALL
        )
    return passed(f"{APP} is {IMAGE} and {added} bytes: no kernel, no second copy of the tools")


def _in_top_layer(image: Image, path: str) -> str | None:
    """The text of a file in an image's last layer, or None. Asks GET /images/{name}/get."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(image.save()))) as saved:
        manifest = json.load(_member(saved, "manifest.json"))
        with tarfile.open(fileobj=_member(saved, manifest[0]["Layers"][-1])) as layer:
            names = {name.strip("./"): name for name in layer.getnames()}
            name = names.get(path.lstrip("/"))
            return _member(layer, name).read().decode(errors="replace") if name else None


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    return archive.extractfile(name) or io.BytesIO()
