"""The checks of lesson 17: each looks at images, their layers and how these were made, and says what it sees."""

from collections.abc import Sequence

from docker.models.containers import Container
from docker.models.images import Image

from labkit.lessons.evidence import Evidence, is_from
from labkit.lessons.material import Outcome, not_tried, not_yet, passed
from labkit.observe import made_by
from labkit.provenance import LayerFiles, image_files, origin_in_image

BASE = "labkit/base"
SAID, SAYS, QUICK, THIN = "lab17-said", "lab17-says", "lab17-quick", "lab17-thin"
PARTS, SORTED, HELLO = "/parts.txt", "/sorted.txt", "/app/hello.sh"
RAW, LINES = "/raw.txt", "/lines.txt"

# the parts of the notebook that a message sends back to
RECIPE, BUILD, ORDER = "A recipe and a folder", "Build it", "Put first what changes least"
LATE, STAGES = "Deleting comes too late", "Two stages"


def _missing_image(evidence: Evidence, name: str, expected: str, look: str) -> Outcome:
    """No image of that name: another name was given to one, or nothing was tried."""
    tags = [tag for entry in evidence.client.api.images() for tag in entry["RepoTags"] or ()]
    names = [tag.removesuffix(":latest") for tag in tags if tag.startswith(evidence.prefix)]
    odd = next((found for found in names if found not in evidence.cast), None)
    if odd:
        return not_yet("misnamed image", f"an image called {odd}", f"the name {name}, letter by letter", look)
    return not_tried(f"no image is called {name}", expected, look)


def _not_on_base(evidence: Evidence, image: Image, name: str) -> tuple[str, str] | None:
    """The slip and what to say when an image does not stand on the teaching image, or adds nothing to it."""
    base = evidence.image(BASE)
    if base is None:
        return "no image", f"there is no image {BASE}: the lesson's first cells make it"
    below, layers = base.attrs["RootFS"]["Layers"], image.attrs["RootFS"]["Layers"]
    if layers[: len(below)] != below:
        return "wrong base", f"{name} does not stand on {BASE}: its lowest layer is another"
    return None


def instructions(evidence: Evidence, image: Image) -> list[str]:
    """What made the image on top of the teaching image, the first step first, as its history has it."""
    base = evidence.image(BASE)
    own = image.history()[: -len(base.history())] if base else image.history()
    return [made_by(entry) for entry in reversed(own)]


def _layers(evidence: Evidence, image: Image) -> Sequence[LayerFiles]:
    return image_files(evidence.client, image.id or "") or ()


# --- say-it ---------------------------------------------------------------------------------------


def say_it(evidence: Evidence) -> Outcome:
    """An image that was built, and a container that runs what the image says, and prints the learner's word."""
    word = str(evidence.words["word"])
    expected = f"an image {SAID} on {BASE}, and a container {SAYS} that prints {word} by the image's own command"
    image, container = evidence.image(SAID), evidence.container(SAYS)
    if image is None:
        return _missing_image(evidence, SAID, expected, RECIPE)
    if wrong := _not_on_base(evidence, image, SAID):
        return not_yet(*wrong, expected, RECIPE)
    if container is None:
        odd = evidence.stranger([SAYS])
        seen = f"the image {SAID}, and no container {SAYS}" + (f"; one is called {odd}" if odd else "")
        return not_yet("misnamed" if odd else "too few", seen, expected, BUILD)
    if not is_from(container, image):
        made_from = container.attrs["Config"]["Image"]
        return not_yet("wrong image", f"{SAYS} was made from {made_from}, not from today's {SAID}", expected, BUILD)
    if wrong := _says_otherwise(container, image, word):
        return not_yet(*wrong, expected, RECIPE)
    return passed(f"{SAYS} ran the command of its image, and printed {word}")


def _says_otherwise(container: Container, image: Image, word: str) -> tuple[str, str] | None:
    """The slip and the sentence about a container that does not print the word by itself."""
    if container.status == "created":
        return "not started", f"{SAYS} was created and never started"
    own = [image.attrs["Config"].get(key) for key in ("Entrypoint", "Cmd")]
    given = [container.attrs["Config"].get(key) for key in ("Entrypoint", "Cmd")]
    if given != own:
        return "overridden", f"{SAYS} was given a command of its own: {' '.join(given[1] or given[0] or [])}"
    text = container.logs().decode(errors="replace").strip()
    if word not in text:
        return "wrong output", f"{SAYS} printed {text!r}" if text else f"{SAYS} printed nothing"
    return None


# --- better-order ---------------------------------------------------------------------------------


def better_order(evidence: Evidence) -> Outcome:
    """The files of the program come in after what does not depend on them."""
    expected = f"an image {QUICK} with {PARTS}, {SORTED} and {HELLO}, where a change of {HELLO} repeats no RUN"
    image = evidence.image(QUICK)
    if image is None:
        return _missing_image(evidence, QUICK, expected, ORDER)
    if wrong := _not_on_base(evidence, image, QUICK):
        return not_yet(*wrong, expected, ORDER)
    layers = _layers(evidence, image)
    if absent := [path for path in (PARTS, SORTED, HELLO) if origin_in_image(path, layers).kind != "image"]:
        return not_yet("missing step", f"{QUICK} has no {' and no '.join(absent)}", expected, RECIPE)
    steps = instructions(evidence, image)
    copies = [number for number, step in enumerate(steps) if step.startswith(("COPY", "ADD"))]
    if not copies:
        return not_yet("wrong kind of step", f"{HELLO} came into {QUICK} without a COPY", expected, RECIPE)
    again = [step for step in steps[copies[0] :] if PARTS in step]
    if again:
        seen = f"after the first COPY comes `{again[0]}`: it runs again whenever the program changes"
        return not_yet("wrong order", seen, expected, ORDER)
    return passed(f"when {HELLO} changes, {QUICK} takes all RUN steps from the cache")


# --- no-trace -------------------------------------------------------------------------------------


def no_trace(evidence: Evidence) -> Outcome:
    """The result of a big file, and the file in no layer at all."""
    expected = f"an image {THIN} on {BASE} with {LINES}, which reads 200000, and {RAW} in no layer"
    image = evidence.image(THIN)
    if image is None:
        return _missing_image(evidence, THIN, expected, STAGES)
    if wrong := _not_on_base(evidence, image, THIN):
        return not_yet(*wrong, expected, STAGES)
    layers = _layers(evidence, image)
    found, raw = origin_in_image(LINES, layers), origin_in_image(RAW, layers)
    if found.kind != "image":
        return not_yet("missing step", f"{THIN} has no {LINES}", expected, STAGES)
    if raw.kind == "image":
        return not_yet("still in the image", f"{THIN} has {RAW}, for everybody to see", expected, LATE)
    if raw.hidden:
        seen = f"{RAW} is deleted in {THIN}, and still there in layer {raw.hidden[0]}"
        return not_yet("left in a layer", seen, expected, LATE)
    if not _counted(evidence, image):
        return not_yet("wrong content", f"{THIN} has {LINES}, and it does not read 200000", expected, STAGES)
    return passed(f"{THIN} has {LINES}, and none of its {len(layers)} layers holds {RAW}")


def _counted(evidence: Evidence, image: Image) -> bool:
    """Whether the result is right: read from a container that is made, never started, and removed."""
    container = evidence.client.containers.create(image.id or "", "true", name=f"{evidence.prefix}judge")
    try:
        return (evidence.file(container, LINES) or "").strip().startswith("200000")
    finally:
        container.remove(force=True)
