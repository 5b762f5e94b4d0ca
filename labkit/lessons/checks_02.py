"""The checks of lesson 02: each looks at layers and files, and says what it sees."""

from collections.abc import Mapping

from docker.models.containers import Container
from docker.models.images import Image

from labkit.lessons.evidence import ADDED, CHANGED, DELETED, Evidence
from labkit.lessons.material import Outcome, not_tried, not_yet, passed
from labkit.lessons.missing import missing, wrong_image
from labkit.provenance import image_files

NOTES = "lab02-notes"  # the image that the lesson makes, with a second layer that holds /notes
HELLO, KEEP, OLD, MINE = "/notes/hello.txt", "/notes/keep.txt", "/notes/old.txt", "/notes/mine.txt"
ADD, HIDE, BAKED = "lab02-add", "lab02-hide", "lab02-mine"
THREE = ("lab02-one", "lab02-two", "lab02-three")

# the parts of the notebook that a message sends back to
MAKE, COPY_UP, NEW = "Make an image with two layers", "Change a file: copy-up", "Add a file"
DELETE, OWN, COMMIT = "Delete a file: a whiteout", "To each its own changes", "A layer becomes part of an image"


def own_changes(changes: Mapping[str, str]) -> dict[str, str]:
    """The changes without the folders that `docker diff` lists only because something in them changed."""
    return {
        path: kind
        for path, kind in changes.items()
        if not (kind == CHANGED and any(other.startswith(path + "/") for other in changes))
    }


def _listed(changes: Mapping[str, str]) -> str:
    return ", ".join(f"{kind} {path}" for path, kind in sorted(changes.items())) or "nothing"


# --- add-a-file -----------------------------------------------------------------------------------


def add_a_file(evidence: Evidence) -> Outcome:
    """A container whose read-write layer holds one new file, with the learner's word in it, and nothing else."""
    word = str(evidence.words["word"])
    expected = f"{ADD}, made from {NOTES}, with {MINE} added, in it the word {word}, and nothing else changed"
    container = evidence.container(ADD)
    if container is None:
        return missing(evidence, ADD, expected, NEW, NOTES)
    if wrong := wrong_image(evidence, container, NOTES):
        return not_yet(*wrong, expected, MAKE)
    changes = own_changes(evidence.changes(container))
    if changes != {MINE: ADDED}:
        return not_yet(*_not_one_file(changes), expected, NEW)
    text = evidence.file(container, MINE) or ""
    if word not in text:
        seen = f"{MINE} is there, and {f'reads {text.strip()!r}' if text.strip() else 'it is empty'}"
        return not_yet("wrong content", seen, expected, NEW)
    return passed(f"{ADD} has added {MINE} with your word; its image has no such file")


def _not_one_file(changes: Mapping[str, str]) -> tuple[str, str]:
    """The slip and the sentence about a layer that holds something else than the one file."""
    elsewhere = next((path for path in changes if path.endswith("/mine.txt")), None)
    if MINE in changes:
        return "too much changed", f"{MINE} is there, among other changes: {_listed(changes)}"
    if elsewhere:
        return "wrong place", f"the right file in another place: {elsewhere}"
    return "nothing changed" if not changes else "wrong kind", f"{ADD} is there, and has changed {_listed(changes)}"


# --- hide-a-file ----------------------------------------------------------------------------------


def hide_a_file(evidence: Evidence) -> Outcome:
    """A file of the image, deleted in one container: a whiteout, and nothing more."""
    expected = f"{HIDE}, made from {NOTES}, with {OLD} deleted and nothing else changed"
    container = evidence.container(HIDE)
    if container is None:
        return missing(evidence, HIDE, expected, DELETE, NOTES)
    if wrong := wrong_image(evidence, container, NOTES):
        return not_yet(*wrong, expected, MAKE)
    changes = own_changes(evidence.changes(container))
    if changes == {OLD: DELETED}:
        return passed(f"{OLD} is hidden in {HIDE}; the image has it still")
    return not_yet(*_not_hidden(changes), expected, DELETE)


def _not_hidden(changes: Mapping[str, str]) -> tuple[str, str]:
    """The slip and the sentence about a layer that does not hide one file."""
    if changes.get("/notes") == DELETED:
        return "too much changed", "the whole folder /notes is deleted, with the files that should stay"
    if changes.get(OLD) == CHANGED:
        return "wrong kind", f"{OLD} was changed; it is still in the folder"
    if OLD in changes:
        return "too much changed", f"{OLD} is deleted, among other changes: {_listed(changes)}"
    return "nothing changed", f"{HIDE} still has {OLD}; it has changed {_listed(changes)}"


# --- three-views ----------------------------------------------------------------------------------


def three_views(evidence: Evidence) -> Outcome:
    """One path, one image, three containers, three contents."""
    expected = f"{HELLO} different in {THREE[0]} and {THREE[1]}, and as in the image in {THREE[2]}"
    found = {name: container for name in THREE if (container := evidence.container(name))}
    if not found:
        return missing(evidence, THREE[0], expected, OWN, NOTES)
    for container in found.values():
        if wrong := wrong_image(evidence, container, NOTES):
            return not_yet(*wrong, expected, MAKE)
    absent = [name for name in THREE if name not in found]
    if absent:
        return not_yet("too few", f"{' and '.join(found)} made, {' and '.join(absent)} missing", expected, OWN)
    if differs := _not_three_views(evidence, found):
        slip, seen, look = differs
        return not_yet(slip, seen, expected, look)
    return passed(f"{HELLO} reads differently in all three, and the image never changed")


def _not_three_views(evidence: Evidence, found: Mapping[str, Container]) -> tuple[str, str, str] | None:
    """The slip, the sentence and where to look, when the three don't read as they should."""
    one, two, three = (evidence.file(found[name], HELLO) for name in THREE)
    touched = [name for name in THREE if HELLO in evidence.changes(found[name])]
    if THREE[2] in touched:
        seen = f"{THREE[2]} has a copy of its own of {HELLO}: it is no longer the image's"
        return "too much changed", seen, COPY_UP
    if one is None or two is None:
        return "wrong kind", f"{HELLO} is deleted in {THREE[0] if one is None else THREE[1]}", OWN
    if untouched := [name for name in THREE[:2] if name not in touched]:
        return "nothing changed", f"{' and '.join(untouched)} still reads the image's {HELLO}", COPY_UP
    if one == two or three in (one, two):
        return "wrong content", f"{HELLO} was written, and two of the three contents are the same", OWN
    return None


# --- third-layer ----------------------------------------------------------------------------------


def third_layer(evidence: Evidence) -> Outcome:
    """An image made on top of the lesson's: its layers, and one more that holds the new file."""
    expected = f"an image {BAKED}: the two layers of {NOTES} and a third, with {MINE}"
    base, baked = evidence.image(NOTES), evidence.image(BAKED)
    if base is None:
        return not_yet("no image", f"there is no image {NOTES}: the lesson makes it near its beginning", expected, MAKE)
    if len(_layers(base)) != 2:
        return not_yet(
            "no image", f"the name {NOTES} now stands for another image. Run the lesson again", expected, MAKE
        )
    if baked is None:
        return not_tried(f"no image is called {BAKED}", expected, COMMIT)
    if wrong := _not_on_top(_layers(base), _layers(baked)):
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    files = image_files(evidence.client, baked.id or "") or ()
    if not files or MINE not in files[-1].paths:
        return not_yet("wrong place", f"{BAKED} has a third layer, and {MINE} is not in it", expected, NEW)
    return passed(f"{BAKED} is {NOTES} and one layer more; {NOTES} itself has still two")


def _not_on_top(base: list[str], baked: list[str]) -> tuple[str, str, str] | None:
    """The slip, the sentence and where to look, when the image is not the lesson's and one layer more."""
    if baked == base:
        seen = f"{BAKED} has the same layers as {NOTES}: its container had changed nothing"
        return "nothing changed", seen, NEW
    if baked[:2] != base:
        return "wrong layers", f"{BAKED} does not stand on {NOTES}: its lower layers are others", MAKE
    if len(baked) > 3:
        return "wrong layers", f"{BAKED} has {len(baked)} layers: it was committed in several steps", COMMIT
    return None


def _layers(image: Image) -> list[str]:
    digests: list[str] = image.attrs["RootFS"]["Layers"]
    return digests
