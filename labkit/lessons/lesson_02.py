"""Lesson 02, Images and layers (claims C16, C17, C18 and C20): what may be guessed, tried and asked in it."""

from collections.abc import Mapping

from docker.models.containers import Container
from docker.models.images import Image

from labkit.lessons.evidence import ADDED, CHANGED, DELETED, Evidence, is_from
from labkit.lessons.material import (
    Choice,
    Exercise,
    Material,
    Outcome,
    Prediction,
    Question,
    not_tried,
    not_yet,
    passed,
)
from labkit.provenance import image_files

NOTES = "lab02-notes"  # the image that the lesson makes, with a second layer that holds /notes
HELLO, KEEP, OLD, MINE = "/notes/hello.txt", "/notes/keep.txt", "/notes/old.txt", "/notes/mine.txt"
ADD, HIDE, BAKED = "lab02-add", "lab02-hide", "lab02-mine"
THREE = ("lab02-one", "lab02-two", "lab02-three")

# the parts of the notebook that a message sends back to
MAKE, COPY_UP, NEW = "Make an image with two layers", "Change a file: copy-up", "Add a file"
DELETE, OWN, COMMIT = "Delete a file: a whiteout", "To each its own changes", "A layer becomes part of an image"


def _wrong_image(evidence: Evidence, container: Container) -> str | None:
    """What to say when a container does not come from the lesson's image, or the image itself is missing."""
    image = evidence.image(NOTES)
    if image is None:
        return f"there is no image {NOTES}: the lesson makes it near its beginning"
    if is_from(container, image):
        return None
    return f"{container.name} was made from {container.attrs['Config']['Image']}, which is not {NOTES}"


def _missing(evidence: Evidence, name: str, expected: str, look: str) -> Outcome:
    """No container of that name: a slip in the name, or nothing tried."""
    if odd := evidence.stranger([name]):
        return not_yet(f"a container called {odd}", f"the name {name}, letter by letter", look)
    image = evidence.image(NOTES)
    if image and any(is_from(container, image) for container in evidence.unnamed()):
        return not_yet(f"a container from {NOTES} under a name that Docker made up", f"the name {name}", look)
    return not_tried(f"no container is called {name}", expected, look)


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
    """A container whose read-write layer holds one new file and nothing else."""
    expected = f"{ADD}, made from {NOTES}, with {MINE} added and nothing else changed"
    container = evidence.container(ADD)
    if container is None:
        return _missing(evidence, ADD, expected, NEW)
    if wrong := _wrong_image(evidence, container):
        return not_yet(wrong, expected, MAKE)
    changes = own_changes(evidence.changes(container))
    if changes == {MINE: ADDED}:
        return passed(f"{ADD} has added {MINE}; its image has no such file")
    if MINE in changes:
        return not_yet(f"{MINE} is there, among other changes: {_listed(changes)}", expected, NEW)
    elsewhere = next((path for path in changes if path.endswith("/mine.txt")), None)
    if elsewhere:
        return not_yet(f"the right file in another place: {elsewhere}", expected, NEW)
    return not_yet(f"{ADD} is there, and has changed {_listed(changes)}", expected, NEW)


# --- hide-a-file ----------------------------------------------------------------------------------


def hide_a_file(evidence: Evidence) -> Outcome:
    """A file of the image, deleted in one container: a whiteout, and nothing more."""
    expected = f"{HIDE}, made from {NOTES}, with {OLD} deleted and nothing else changed"
    container = evidence.container(HIDE)
    if container is None:
        return _missing(evidence, HIDE, expected, DELETE)
    if wrong := _wrong_image(evidence, container):
        return not_yet(wrong, expected, MAKE)
    changes = own_changes(evidence.changes(container))
    if changes == {OLD: DELETED}:
        return passed(f"{OLD} is hidden in {HIDE}; the image has it still")
    if changes.get("/notes") == DELETED:
        return not_yet("the whole folder /notes is deleted, with the files that should stay", expected, DELETE)
    if changes.get(OLD) == CHANGED:
        return not_yet(f"{OLD} was changed; it is still in the folder", expected, DELETE)
    if OLD in changes:
        return not_yet(f"{OLD} is deleted, among other changes: {_listed(changes)}", expected, DELETE)
    return not_yet(f"{HIDE} still has {OLD}; it has changed {_listed(changes)}", expected, DELETE)


# --- three-views ----------------------------------------------------------------------------------


def three_views(evidence: Evidence) -> Outcome:
    """One path, one image, three containers, three contents."""
    expected = f"{HELLO} different in {THREE[0]} and {THREE[1]}, and as in the image in {THREE[2]}"
    found = {name: container for name in THREE if (container := evidence.container(name))}
    if not found:
        return _missing(evidence, THREE[0], expected, OWN)
    for container in found.values():
        if wrong := _wrong_image(evidence, container):
            return not_yet(wrong, expected, MAKE)
    absent = [name for name in THREE if name not in found]
    if absent:
        return not_yet(f"{' and '.join(found)} made, {' and '.join(absent)} missing", expected, OWN)
    one, two, three = (evidence.file(found[name], HELLO) for name in THREE)
    touched = [name for name in THREE if HELLO in evidence.changes(found[name])]
    if THREE[2] in touched:
        return not_yet(f"{THREE[2]} has a copy of its own of {HELLO}: it is no longer the image's", expected, COPY_UP)
    if one is None or two is None:
        return not_yet(f"{HELLO} is deleted in {THREE[0] if one is None else THREE[1]}", expected, OWN)
    if untouched := [name for name in THREE[:2] if name not in touched]:
        return not_yet(f"{' and '.join(untouched)} still reads the image's {HELLO}", expected, COPY_UP)
    if one == two or three in (one, two):
        return not_yet(f"{HELLO} was written, and two of the three contents are the same", expected, OWN)
    return passed(f"{HELLO} reads differently in all three, and the image never changed")


# --- third-layer ----------------------------------------------------------------------------------


def third_layer(evidence: Evidence) -> Outcome:
    """An image made on top of the lesson's: its layers, and one more that holds the new file."""
    expected = f"an image {BAKED}: the two layers of {NOTES} and a third, with {MINE}"
    base, baked = evidence.image(NOTES), evidence.image(BAKED)
    if base is None:
        return not_yet(f"there is no image {NOTES}: the lesson makes it near its beginning", expected, MAKE)
    if len(_layers(base)) != 2:
        return not_yet(f"the name {NOTES} now stands for another image. Run the lesson again", expected, MAKE)
    if baked is None:
        return not_tried(f"no image is called {BAKED}", expected, COMMIT)
    if _layers(baked) == _layers(base):
        return not_yet(f"{BAKED} has the same layers as {NOTES}: its container had changed nothing", expected, NEW)
    if _layers(baked)[:2] != _layers(base):
        return not_yet(f"{BAKED} does not stand on {NOTES}: its lower layers are others", expected, MAKE)
    if len(_layers(baked)) > 3:
        return not_yet(f"{BAKED} has {len(_layers(baked))} layers: it was committed in several steps", expected, COMMIT)
    files = image_files(evidence.client, baked.id or "") or ()
    if not files or MINE not in files[-1].paths:
        return not_yet(f"{BAKED} has a third layer, and {MINE} is not in it", expected, NEW)
    return passed(f"{BAKED} is {NOTES} and one layer more; {NOTES} itself has still two")


def _layers(image: Image) -> list[str]:
    digests: list[str] = image.attrs["RootFS"]["Layers"]
    return digests


# --- the whole lesson -----------------------------------------------------------------------------

LESSON = Material(
    number="02",
    title="Images and layers",
    cast=("lab02-maker", "lab02-red", "lab02-blue", "lab02-green", ADD, HIDE, *THREE),
    predictions=(
        Prediction(
            "write",
            "Red is about to write into a file that came with its image. Which of the image's layers will change?",
            {
                "The top one: the file is in it.": 1,
                "All of them: the image gets a new version.": 2,
                "None.": 0,
            },
        ),
        Prediction(
            "neighbour",
            "Red has changed /notes/hello.txt. What does blue, from the same image, read there now?",
            {
                "Red's text: they share the image.": "red",
                "The image's text, as before.": "image",
                "Nothing: the file belongs to red now.": "nothing",
            },
        ),
        Prediction(
            "delete",
            "Red deletes a file that is in the image. What happens to the file?",
            {
                "It is gone from the image too.": "gone",
                "It stays in the image, and red no longer sees it.": "hidden",
                "The engine refuses: the image is read-only.": "refused",
            },
        ),
        Prediction(
            "fresh",
            "Red and blue have both changed /notes/hello.txt. A third container, green, starts now. What does it read?",
            {
                "Red's text: it wrote first.": "red",
                "Blue's text: it wrote last.": "blue",
                "The image's text.": "image",
            },
        ),
    ),
    exercises=(
        Exercise(
            "add-a-file",
            "Add one file, and only one",
            add_a_file,
            (
                f"The container must be called {ADD} and be made from {NOTES}. Red was started in the same way.",
                "`exec_run` runs a command inside. For `>` you need a shell: a list of `sh`, `-c` and the line.",
                "`container.diff()` shows what the container changed. Too much there? Remove it and start afresh.",
            ),
        ),
        Exercise(
            "hide-a-file",
            "Hide a file that the image has",
            hide_a_file,
            (
                f"Start {HIDE} from {NOTES}, as red was. Then use a command that you know from any Linux.",
                "An empty file is still a file. So is a renamed one.",
                "Delete the file, not its folder: give the command the whole path. Then read `docker diff`.",
            ),
        ),
        Exercise(
            "three-views",
            "One path, three contents",
            three_views,
            (
                "Three containers from one image. Two of them write, one does nothing but exist.",
                "A loop over the names can start all three. Then write to each of the first two.",
                "The third must not even touch the file. Remove and start it again if it has.",
            ),
        ),
        Exercise(
            "third-layer",
            "An image with a third layer",
            third_layer,
            (
                f"How did {NOTES} get its second layer? The same steps, one level higher.",
                f"The container that you commit must come from {NOTES}, and must have added {MINE}.",
                f"`commit` takes the name of the new image: {BAKED}. You may have a fitting container already.",
            ),
        ),
    ),
    questions=(
        Question(
            "who-changes",
            "A container writes into a file of its image. What changes?",
            (
                Choice(
                    "The image: the next container sees the new text.",
                    "The image is read-only. You hashed its layers before and after: not one byte was different.",
                ),
                Choice(
                    "The container's own layer: it gets a copy of the file, and the write goes there.",
                    "That is copy-up. The image's file stays beneath, hidden from this container only.",
                    right=True,
                ),
                Choice(
                    "Nothing: the write fails.",
                    "The write succeeds. It just lands in the container's layer, not in the image.",
                ),
            ),
        ),
        Question(
            "new-container",
            "You start a container from an image. What is copied?",
            (
                Choice(
                    "All files of the image, so that the container may change them.",
                    "Then each container would need the image's whole size. Yours added a few bytes each.",
                ),
                Choice(
                    "The top layer.",
                    "No layer of the image is copied. All of them are shared, the top one too.",
                ),
                Choice(
                    "Nothing. An empty layer is put on top, and a file is copied when it is first changed.",
                    "Copy on write: the work is put off until it is needed, and for most files it never is.",
                    right=True,
                ),
            ),
        ),
        Question(
            "smaller",
            "A container deletes a file of 100 megabytes of its image, and you commit it. Is the new image smaller?",
            (
                Choice(
                    "No. It has one layer more, with a whiteout, and the file is still in the layer below.",
                    "Layers only add. To get rid of a file it must not be in a lower layer in the first place.",
                    right=True,
                ),
                Choice(
                    "Yes, by 100 megabytes.",
                    "The layer with the file is unchanged, and the new image stands on it. The file is only hidden.",
                ),
                Choice(
                    "Yes, but only after the old image is removed.",
                    "The new image needs the old image's layers, whether or not the old name still exists.",
                ),
            ),
        ),
        Question(
            "remove-one",
            "Red and blue come from one image and each has written files. Red is removed. What does blue lose?",
            (
                Choice(
                    "The files of the image.",
                    "They belong to the image. No container takes them along.",
                ),
                Choice(
                    "The files that red wrote before blue did.",
                    "Blue never saw red's files: they were in red's own layer.",
                ),
                Choice(
                    "Nothing.",
                    "Each has its own read-write layer. Red's is gone, blue's is untouched, and so is the image.",
                    right=True,
                ),
            ),
        ),
    ),
)
