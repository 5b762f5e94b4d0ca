"""The checks of lesson 01: each looks at containers, events and the image, and says what it sees."""

from docker.models.containers import Container

from labkit.lessons.evidence import Evidence, exit_code, is_from
from labkit.lessons.material import Outcome, not_tried, not_yet, passed

IMAGE = "labkit/base"
LEFT, RIGHT, ENDING, GUEST = "lab01-left", "lab01-right", "lab01-ending", "lab01-guest"

# the parts of the notebook that a message sends back to
RUN, MANY, ENDS = "Run it", "One image, many containers", "When the main process ends"


def _wrong_image(evidence: Evidence, container: Container) -> str | None:
    """What to say when a container does not come from the teaching image."""
    image = evidence.image(IMAGE)
    if image is None or is_from(container, image):
        return None
    return f"{container.name} was made from {container.attrs['Config']['Image']}, not from {IMAGE}"


# --- two-from-one ---------------------------------------------------------------------------------


def two_from_one(evidence: Evidence) -> Outcome:
    """Two running containers, and no third one, from one image."""
    expected = f"{LEFT} and {RIGHT}, both running, both from {IMAGE}"
    pair = [found for name in (LEFT, RIGHT) if (found := evidence.container(name))]
    odd = evidence.stranger([LEFT, RIGHT])
    if odd and len(pair) < 2:
        return not_yet("misnamed", f"a container called {odd}, which is not one of the two names", expected, MANY)
    if odd:
        seen = f"one too many: {odd}, beside the two that were asked for. Remove it"
        return not_yet("too many", seen, expected, MANY)
    if not pair and any(container.status == "running" for container in evidence.unnamed()):
        seen = "a running container without a name of your choice: Docker made one up"
        return not_yet("unnamed", seen, expected, RUN)
    if not pair:
        return not_tried(f"no container is called {LEFT} or {RIGHT}", expected, MANY)
    for container in pair:
        if wrong := _wrong_image(evidence, container):
            return not_yet("wrong image", f"{wrong}. Remove it and try again", expected, RUN)
        if container.status != "running":
            return not_yet(*_not_running(container), expected, ENDS)
    if len(pair) == 1:
        return not_yet("too few", f"{pair[0].name} runs, and it is alone", expected, MANY)
    return passed(f"{LEFT} and {RIGHT} run side by side, and both name the same image")


def _not_running(container: Container) -> tuple[str, str]:
    """The slip and the sentence about a container that should run and does not."""
    code = exit_code(container)
    sentences = {
        "created": ("not started", "was created and never started, so it has no process"),
        "exited": ("exited", f"has exited with code {code}: its main process ended, so the container did too"),
        "paused": ("paused", "is paused: its processes exist and are not let run"),
    }
    slip, sentence = sentences.get(container.status, ("exited", f"is {container.status}"))
    return slip, f"{container.name} {sentence}"


# --- exit-code ------------------------------------------------------------------------------------


def exit_code_drawn(evidence: Evidence) -> Outcome:
    """A container that has ended with the code drawn for this learner, and is still there to tell it."""
    wanted = evidence.words["code"]
    expected = f"{ENDING}, exited with code {wanted}, still in the list of all containers"
    container = evidence.container(ENDING)
    if container is None:
        return _ending_is_missing(evidence, expected)
    if wrong := _wrong_image(evidence, container):
        return not_yet("wrong image", f"{wrong}. Remove it and try again", expected, RUN)
    if container.status == "created":
        return not_yet("not started", f"{ENDING} was created, and its command never ran", expected, ENDS)
    if container.status != "exited":
        seen = f"{ENDING} is still {container.status}, so it has no exit code yet"
        return not_yet("still running", seen, expected, ENDS)
    if (code := exit_code(container)) != wanted:
        return not_yet("wrong code", f"{ENDING} exited with code {code}", expected, ENDS)
    return passed(f"{ENDING} exited with code {wanted}, and the engine kept it so that you can ask")


def _ending_is_missing(evidence: Evidence, expected: str) -> Outcome:
    wanted = evidence.words["code"]
    if odd := evidence.stranger([ENDING]):
        return not_yet("misnamed", f"a container called {odd}", f"the name {ENDING}, letter by letter", ENDS)
    if any(container.status == "exited" and exit_code(container) == wanted for container in evidence.unnamed()):
        seen = f"a container with exit code {wanted}, under a name that Docker made up"
        return not_yet("unnamed", seen, expected, RUN)
    if evidence.happened(ENDING, "start"):
        return not_yet("gone", f"{ENDING} ran and is gone, and its exit code with it: it was removed", expected, ENDS)
    return not_tried(f"no container is called {ENDING}", expected, ENDS)


# --- come-and-go ----------------------------------------------------------------------------------


def come_and_go(evidence: Evidence) -> Outcome:
    """A container that was started and then removed, while the image stayed. Gone counts only after it was seen."""
    expected = f"{GUEST} started, then removed; the image {IMAGE} still there"
    container = evidence.container(GUEST)
    if container:
        return _guest_is_here(evidence, container, expected)
    if odd := evidence.stranger([GUEST]):
        return not_yet("misnamed", f"a container called {odd}", f"the name {GUEST}, letter by letter", RUN)
    started = GUEST in evidence.seen or evidence.happened(GUEST, "start")
    if not started and evidence.happened(GUEST, "create"):
        return not_yet("never ran", f"{GUEST} was created and removed, and it never ran", expected, RUN)
    if not started:
        return not_tried(f"no container called {GUEST} has been here since the lesson began", expected, RUN)
    if evidence.image(IMAGE) is None:
        return not_yet("no image", f"{GUEST} is gone, and the image {IMAGE} too", expected, RUN)
    return passed(f"{GUEST} came and went; the image it came from is still here, unchanged")


def _guest_is_here(evidence: Evidence, container: Container, expected: str) -> Outcome:
    if wrong := _wrong_image(evidence, container):
        return not_yet("wrong image", f"{wrong}. Remove it and try again", expected, RUN)
    if container.status == "created":
        return not_yet("not started", f"{GUEST} was created and never started", expected, RUN)
    evidence.seen.add(GUEST)  # the latch: from now on "gone" means something
    if container.status == "exited":
        seen = f"{GUEST} has stopped. A stopped container is still in the list"
        return not_yet("still there", seen, expected, ENDS)
    return not_yet("still there", f"{GUEST} is {container.status}: half done, now let it go", expected, ENDS)
