"""The checks of lesson 10: two start the learner's image and look at what runs, one looks at a container's words."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypeVar

from docker.errors import APIError
from docker.models.containers import Container
from requests.exceptions import RequestException

from labkit.lessons.evidence import Evidence, exit_code, is_from
from labkit.lessons.material import Outcome, not_tried, not_yet, passed

GREET, GREETER, LOOK, NAP = "lab10-greet", "lab10-greeter", "lab10-look", "lab10-nap"
PROBE = "lab10-probe"  # what a check starts, for a moment
PATIENCE = 10  # seconds that an image has to print its line and end
LOOK_AGAIN = 0.05  # seconds
OTHER = ("Grace", "Hopper")
USUAL, LONGER = "600", "700"

# the parts of the notebook that a message sends back to
COMMAND, ENTRY = "CMD: what runs if nobody says otherwise", "ENTRYPOINT: what always runs"
REPLACE, FORMS, PRICE = "Replace the entrypoint", "Shell form and exec form", "The price of the shell"

Wrong = tuple[str, str, str]  # a slip, what was seen, where to look
Found = TypeVar("Found")


def _no_image(evidence: Evidence, name: str, expected: str, look: str) -> Outcome:
    """No image of that name: a slip in the name, or nothing tried."""
    near = [tag for tag in evidence.own_tags() if tag not in evidence.cast]
    if near:
        return not_yet("misnamed", f"an image called {near[0]}", f"the name {name}, letter by letter", look)
    return not_tried(f"no image is called {name}", expected, look)


@contextmanager
def _started(
    evidence: Evidence, image: str, command: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Container]:
    """A container of the image for as long as one looks. Raises APIError where it can't be started."""
    if left := evidence.container(PROBE):  # an earlier look was interrupted
        left.remove(force=True)
    probe = evidence.client.containers.create(image, list(command), name=PROBE, environment=dict(environment or {}))
    try:
        probe.start()
        yield probe
    finally:
        with suppress(APIError):
            probe.remove(force=True)


def _refused(error: APIError) -> str:
    """The last part of the engine's words, which names the program."""
    return str(error.explanation or error).rpartition("container process: ")[2].removesuffix(": unknown")


# --- greeter --------------------------------------------------------------------------------------


def greeter(evidence: Evidence) -> Outcome:
    """An image that greets its arguments, or by default the learner's word: entrypoint and command."""
    word = str(evidence.words["word"])
    expected = f"good morning {word}; started with {' '.join(OTHER)}, good morning {' '.join(OTHER)}"
    if evidence.image(GREETER) is None:
        return _no_image(evidence, GREETER, f"an image {GREETER} that prints {expected}", ENTRY)
    if wrong := _default(evidence, word) or _with_arguments(evidence):
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{GREETER} greets whom it is told to, and {word} if it is told nobody")


def _printed(evidence: Evidence, command: tuple[str, ...]) -> str:
    """What the image prints, as one line; "" as well where it does not end in time."""
    with _started(evidence, GREETER, command) as probe, suppress(RequestException):
        probe.wait(timeout=PATIENCE)
        return str(probe.logs().decode(errors="replace")).strip()
    return ""


def _default(evidence: Evidence, word: str) -> Wrong | None:
    try:
        said = _printed(evidence, ())
    except APIError as error:
        return "can't start", f"started without arguments, it fails: {_refused(error)}", COMMAND
    if said != f"good morning {word}":
        return "wrong words", f"started without arguments, it prints {said!r}", COMMAND
    return None


def _with_arguments(evidence: Evidence) -> Wrong | None:
    asked = f"started with {' '.join(OTHER)}"
    try:
        said = _printed(evidence, OTHER)
    except APIError as error:
        return "all in CMD", f"{asked}, it fails: {_refused(error)}", COMMAND
    if said == f"good morning {' '.join(OTHER)}":
        return None
    if said.endswith(" ".join(OTHER)):
        return "default is fixed", f"{asked}, it prints {said!r}", ENTRY
    return "arguments lost", f"{asked}, it prints {said!r}", PRICE


# --- look-inside ----------------------------------------------------------------------------------


def look_inside(evidence: Evidence) -> Outcome:
    """A container in which the image's entrypoint was replaced, so that a file could be read."""
    expected = f"{LOOK}, made from {GREET}, which has printed /etc/motd and ended with 0"
    container = evidence.container(LOOK)
    if container is None:
        if odd := evidence.stranger([LOOK]):
            return not_yet("misnamed", f"a container called {odd}", f"the name {LOOK}, letter by letter", REPLACE)
        return not_tried(f"no container is called {LOOK}", expected, REPLACE)
    if wrong := _not_looked(evidence, container):
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{LOOK} has read the file; the image's entrypoint was never run in it")


def _not_looked(evidence: Evidence, container: Container) -> Wrong | None:
    image = evidence.image(GREET)
    if image is None:
        return "no image", f"there is no image {GREET}: the lesson makes it", ENTRY
    if not is_from(container, image):
        return "wrong image", f"{LOOK} was made from {container.attrs['Config']['Image']}, not {GREET}", REPLACE
    words = " ".join([container.attrs["Path"], *container.attrs["Args"]])
    if words.startswith("echo hello"):
        return "entrypoint kept", f"{LOOK} executes: {words}", REPLACE
    if container.status == "created":
        return "not started", f"{LOOK} is there, and was never started: {words}", REPLACE
    if container.status == "running":
        return "still running", f"{LOOK} still runs: {words}", REPLACE
    said = container.logs().decode(errors="replace")
    if exit_code(container) or said != _motd(evidence, container):
        return "wrong words", f"{words} has ended with {exit_code(container)} and printed {said.strip()!r}", REPLACE
    return None


def _motd(evidence: Evidence, container: Container) -> str | None:
    return evidence.file(container, "/etc/motd")


# --- any-nap --------------------------------------------------------------------------------------


def any_nap(evidence: Evidence) -> Outcome:
    """An image whose command has a variable in it, and no shell left when it runs."""
    expected = f"PID 1 is sleep {USUAL}; started with NAP={LONGER}, it is sleep {LONGER}"
    if evidence.image(NAP) is None:
        return _no_image(evidence, NAP, f"an image {NAP} in which {expected}", FORMS)
    for environment, seconds in (({}, USUAL), ({"NAP": LONGER}, LONGER)):
        if wrong := _not_sleeping(evidence, environment, seconds):
            slip, seen, look = wrong
            return not_yet(slip, seen, expected, look)
    return passed(f"sleep is PID 1 of {NAP}, and NAP says for how long")


def _not_sleeping(evidence: Evidence, environment: Mapping[str, str], seconds: str) -> Wrong | None:
    asked = f"started with NAP={seconds}" if environment else "started as it is"
    try:
        with _started(evidence, NAP, (), environment) as probe:
            words = _settled(lambda: _first(evidence, probe), lambda found: found == ["sleep", seconds])
            said = probe.logs().decode(errors="replace").strip()
    except APIError as error:
        return "can't start", f"{asked}, it fails: {_refused(error)}", FORMS
    if not words:
        return "fixed value" if "$NAP" in said else "exited", f"{asked}, it ends at once; its log: {said!r}", FORMS
    if words[0].rpartition("/")[2] != "sleep":
        return "not PID 1", f"{asked}, PID 1 is {' '.join(words)!r}", PRICE
    if words[1:] != [seconds]:
        return "fixed value", f"{asked}, PID 1 is {' '.join(words)!r}", FORMS
    return None


def _first(evidence: Evidence, container: Container) -> list[str]:
    """The words of PID 1; nothing where the container has ended."""
    said = evidence.says(container, "cat", "/proc/1/cmdline") or ""
    return said.split("\0")[:-1]


def _settled(look: Callable[[], Found], wanted: Callable[[Found], bool], looks: int = 10) -> Found:
    """What one sees after some looks: a script needs a moment before it becomes the program."""
    found = look()
    for _ in range(looks):
        if wanted(found):
            break
        time.sleep(LOOK_AGAIN)
        found = look()
    return found
