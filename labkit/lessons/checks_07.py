"""The checks of lesson 07: each looks for drift, and for what was replaced."""

from docker.models.containers import Container

from labkit.lessons.checks_02 import own_changes
from labkit.lessons.checks_06 import mount_at
from labkit.lessons.evidence import Evidence
from labkit.lessons.material import Outcome, not_tried, not_yet, passed
from labkit.lessons.missing import missing, wrong_image

ONE, TWO, THREE = "lab07-shop:1", "lab07-shop:2", "lab07-shop:3"
FLEET = ("lab07-a", "lab07-b", "lab07-c")
MINE, SAFE = "lab07-mine", "lab07-safe"
PAGE, NOTE = "/www/index.html", "/tmp/note.txt"

# the parts of the notebook that a message sends back to
FAULT, BY_HAND, RESTART = "An image with a fault", "A repair by hand", "Does a restart undo it?"
REPLACED, FIX, REFUSES = "It fails, and is replaced", "Put the fix into an image", "A container that refuses"
NIGHT = "Exercise 1: the night shift"

Slip = tuple[str, str, str]  # the slip, what was seen, where to look


# --- night-shift ----------------------------------------------------------------------------------


def night_shift(evidence: Evidence) -> Outcome:
    """The container that had drifted is a new one, and the other two are the old ones."""
    night = str(evidence.words["night"])
    expected = f"all three running from {TWO} without drift; only the one that had drifted is a new container"
    found = {name: container for name in FLEET if (container := evidence.container(name))}
    if not any(evidence.happened(name, "create") for name in FLEET) and not found:
        return not_tried("the three shops are not there: run the cell above", expected, NIGHT)
    for name in found:
        if evidence.happened(name, "destroy"):
            evidence.seen.add(name)  # the latch: an engine forgets its oldest events
    if slip := _wrong_fleet(evidence, found, night):
        return not_yet(slip[0], slip[1], expected, slip[2])
    if night not in evidence.seen:
        return _not_replaced(evidence, found[night], expected)
    return passed(f"{night} had drifted, and another container has taken its place; the other two were left alone")


def _wrong_fleet(evidence: Evidence, found: dict[str, Container], night: str) -> Slip | None:
    """What is wrong with the three, whichever of them had drifted."""
    if absent := [name for name in FLEET if name not in found]:
        return "too few", f"{' and '.join(absent)} is not there", REPLACED
    for name, container in found.items():
        if wrong := wrong_image(evidence, container, TWO):
            return *wrong, FIX
        if container.status != "running":
            return "exited", f"{name} is {container.status}", REPLACED
        if name in evidence.seen and own_changes(evidence.changes(container)):
            return "drifted", f"{name} is new, and has drifted from its image again", BY_HAND
    if others := [name for name in FLEET if name != night and name in evidence.seen]:
        return "not the drifted one", f"{' and '.join(others)} was replaced, and had not drifted", BY_HAND
    return None


def _not_replaced(evidence: Evidence, container: Container, expected: str) -> Outcome:
    """The old container is still there: untouched, restarted, or repaired by hand. Its name is not given away."""
    if (evidence.file(container, PAGE) or "").strip() == "Welcome to the shop":
        return not_yet(
            "repaired by hand", "the page is as it was, and one container still shows drift", expected, BY_HAND
        )
    if evidence.happened(str(container.name), "die"):
        return not_yet("restarted", "the drifted one was restarted, and has drifted still", expected, RESTART)
    return not_tried("one of the three has drifted", expected, BY_HAND)


# --- lasting-fix ----------------------------------------------------------------------------------


def lasting_fix(evidence: Evidence) -> Outcome:
    """A container without drift whose image holds the learner's word."""
    word = str(evidence.words["word"])
    expected = f"{MINE}, running from {THREE} without drift, with {word} on its page; {THREE} stands on {TWO}"
    container, image, below = evidence.container(MINE), evidence.image(THREE), evidence.image(TWO)
    if container is None and image is None:
        return missing(evidence, MINE, expected, FIX)
    if image is None or below is None:
        return not_yet("no image", f"there is no image {THREE if below else TWO}", expected, FIX)
    layers = below.attrs["RootFS"]["Layers"]
    if image.attrs["RootFS"]["Layers"][: len(layers)] != layers:
        return not_yet("wrong layers", f"{THREE} does not stand on {TWO}: its lower layers are others", expected, FIX)
    if container is None:
        return not_yet("too few", f"{THREE} is there, and no container {MINE}", expected, REPLACED)
    if wrong := wrong_image(evidence, container, THREE):
        return not_yet(*wrong, expected, REPLACED)
    return _fixed(evidence, container, word, expected)


def _fixed(evidence: Evidence, container: Container, word: str, expected: str) -> Outcome:
    if container.status != "running":
        return not_yet("exited", f"{MINE} is {container.status}", expected, FAULT)
    if changes := own_changes(evidence.changes(container)):
        return not_yet("drifted", f"{MINE} has drifted from {THREE}: {', '.join(sorted(changes))}", expected, BY_HAND)
    text = (evidence.file(container, PAGE) or "").strip()
    if word not in text:
        return not_yet("wrong content", f"the page of {MINE} reads {text!r}", expected, FIX)
    return passed(f"{word} is on the page, and {MINE} is exactly what {THREE} says: replace it as often as you like")


# --- sealed ---------------------------------------------------------------------------------------


def sealed(evidence: Evidence) -> Outcome:
    """A container with a read-only root, and one mounted folder to write in."""
    expected = f"{SAFE}, running from {TWO}, read-only, with a place to write at /tmp and {NOTE} in it"
    container = evidence.container(SAFE)
    if container is None:
        return missing(evidence, SAFE, expected, REFUSES)
    if wrong := wrong_image(evidence, container, TWO):
        return not_yet(*wrong, expected, FIX)
    if container.status != "running":
        return not_yet("exited", f"{SAFE} is {container.status}", expected, FAULT)
    if not container.attrs["HostConfig"]["ReadonlyRootfs"]:
        return not_yet("not read-only", f"{SAFE} may change its own files", expected, REFUSES)
    if not _has_room(container):
        return not_yet("no room", f"{SAFE} is read-only, /tmp too", expected, REFUSES)
    if evidence.says(container, "test", "-e", NOTE) is None:
        return not_yet("nothing changed", f"{SAFE} is sealed, with room, and there is no {NOTE}", expected, REFUSES)
    return passed(f"{SAFE} refuses every change, and keeps its note where it may write")


def _has_room(container: Container) -> bool:
    """Whether something is mounted at /tmp to write in. A tmpfs of `--tmpfs` is told apart from all other mounts."""
    by_option = "/tmp" in (container.attrs["HostConfig"].get("Tmpfs") or {})
    mount = mount_at(container, "/tmp")
    return by_option or bool(mount and mount["RW"])
