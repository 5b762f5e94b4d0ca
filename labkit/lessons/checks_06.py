"""The checks of lesson 06: each looks at what is mounted in a container, and at the files in it."""

from typing import Any

from docker.models.containers import Container

from labkit.lessons.evidence import Evidence, moment
from labkit.lessons.material import Outcome, not_yet, passed
from labkit.lessons.missing import missing, wrong_image

WRITER, READER, VAULT = "lab06-writer", "lab06-reader", "lab06-vault"
PEN, GLASS, BOARD = "lab06-pen", "lab06-glass", "lab06-board"
SEED, COPY, SITE = "lab06-seed", "lab06-copy", "lab06-site:1"
WORD_FILE, PAGE = "/vault/word.txt", "/site/page.txt"

# the parts of the notebook that a message sends back to
MADE_TO_GO, DELETE, WHERE = "Made to go", "What survives a delete?", "Where is the file?"
TWO, FILLED = "One volume, two containers", "A volume is filled once"

Slip = tuple[str, str]


def mount_at(container: Container, path: str) -> dict[str, Any] | None:
    """What is mounted at this path of the container, as the API tells it; None where nothing is."""
    mounts: list[dict[str, Any]] = container.attrs["Mounts"]
    return next((mount for mount in mounts if mount["Destination"] == path), None)


def _not_mounted(container: Container, volume: str, path: str) -> Slip | None:
    """The slip and the sentence when the volume is not mounted at the path."""
    mount = mount_at(container, path)
    if mount and mount.get("Name") == volume:
        return None
    if mount:
        what = f"the volume {mount['Name'][:20]}" if mount.get("Name") else "a folder of the machine"
        return "wrong volume", f"{container.name} has {what} at {path}, not {volume}"
    for other in container.attrs["Mounts"]:
        if other.get("Name") == volume:
            return "wrong place", f"{container.name} has {volume} at {other['Destination']}, not at {path}"
    return "no volume", f"{container.name} has nothing mounted at {path}"


# --- hand-over ------------------------------------------------------------------------------------


def hand_over(evidence: Evidence) -> Outcome:
    """A container finds in a volume what another one, now removed, wrote there before."""
    word = str(evidence.words["word"])
    expected = f"{WRITER} removed, and {READER} with {VAULT} at /vault, in it {WORD_FILE} with {word}, from before"
    reader, writer = evidence.container(READER), evidence.container(WRITER)
    if reader is None and writer is None and not evidence.happened(WRITER, "destroy"):
        return missing(evidence, READER, expected, MADE_TO_GO)
    for container in filter(None, (writer, reader)):
        if slip := _not_mounted(container, VAULT, "/vault"):
            return not_yet(*slip, expected, MADE_TO_GO)
    if writer:
        return not_yet("still there", f"{WRITER} is {writer.status}: it has not been removed", expected, DELETE)
    if reader is None:
        return not_yet("too few", f"{WRITER} has gone, and there is no {READER} yet", expected, DELETE)
    return _handed_over(evidence, reader, word, expected)


def _handed_over(evidence: Evidence, reader: Container, word: str, expected: str) -> Outcome:
    text, written = evidence.file(reader, WORD_FILE), evidence.written_at(reader, WORD_FILE)
    if text is None or written is None:
        return not_yet("nothing changed", f"{READER} finds no {WORD_FILE}", expected, WHERE)
    if word not in text:
        return not_yet("wrong content", f"{READER} finds {WORD_FILE}, which reads {text.strip()!r}", expected, WHERE)
    if written > moment(reader.attrs["Created"]):
        return not_yet("not before", f"{WORD_FILE} was written when {READER} was there already", expected, DELETE)
    return passed(f"{WRITER} is gone, and {READER} finds what it wrote: the volume has outlived it")


# --- two-doors ------------------------------------------------------------------------------------


def two_doors(evidence: Evidence) -> Outcome:
    """Two running containers on one volume, of which one may write and the other may not."""
    expected = f"{PEN} and {GLASS}, both running, with {BOARD} at /board: read-write in {PEN}, read-only in {GLASS}"
    found = {name: container for name in (PEN, GLASS) if (container := evidence.container(name))}
    if not found:
        return missing(evidence, PEN, expected, TWO)
    for container in found.values():
        if slip := _not_mounted(container, BOARD, "/board"):
            return not_yet(*slip, expected, TWO)
        if container.status != "running":
            return not_yet("exited", f"{container.name} is {container.status}", expected, TWO)
    if len(found) == 1:
        return not_yet("too few", f"{next(iter(found))} is there, and it is alone", expected, TWO)
    modes = [bool((mount_at(found[name], "/board") or {})["RW"]) for name in (PEN, GLASS)]
    if modes == [True, False]:
        return passed(f"one volume, two doors: {PEN} may write, {GLASS} may only read")
    return not_yet(*_wrong_modes(*modes), expected, TWO)


def _wrong_modes(pen: bool, glass: bool) -> Slip:
    if pen and glass:
        return "may write", f"both may write to {BOARD}"
    if glass:
        return "may write", f"{GLASS} may write to {BOARD}, and {PEN} may not: the wrong way round"
    return "not writable", f"neither of the two may write to {BOARD}"


# --- seed -----------------------------------------------------------------------------------------


def seed(evidence: Evidence) -> Outcome:
    """A volume that the engine filled with the files of an image, since it was mounted over them."""
    expected = f"{SEED}, made from {SITE}, with {COPY} mounted over the image's folder, filled by the engine"
    container = evidence.container(SEED)
    if container is None:
        return missing(evidence, SEED, expected, FILLED)
    if wrong := wrong_image(evidence, container, SITE):
        return not_yet(*wrong, expected, FILLED)
    if slip := _not_mounted(container, COPY, "/site"):
        return not_yet(*slip, expected, FILLED)
    text = (evidence.file(container, PAGE) or "").strip()
    if container.status == "created" and not text:
        return not_yet("not started", f"{SEED} was created and never started", expected, FILLED)
    if text != "version 1":
        return not_yet("wrong content", f"the page in {COPY} reads {text!r}", expected, FILLED)
    return passed(f"{COPY} was empty, and the engine has filled it with the files of {SITE}")
