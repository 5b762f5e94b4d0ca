"""Lesson 01, Run your first container (claims C1 and C2): what may be guessed, tried and asked in it."""

from docker.models.containers import Container

from labkit.lessons.evidence import Evidence, exit_code, is_from
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

IMAGE = "labkit/base"
LEFT, RIGHT, SEVEN, GUEST = "lab01-left", "lab01-right", "lab01-seven", "lab01-guest"

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
        return not_yet(f"a container called {odd}, which is not one of the two names", expected, MANY)
    if odd:
        return not_yet(f"one too many: {odd}, beside the two that were asked for. Remove it", expected, MANY)
    if not pair and any(container.status == "running" for container in evidence.unnamed()):
        return not_yet("a running container without a name of your choice: Docker made one up", expected, RUN)
    if not pair:
        return not_tried(f"no container is called {LEFT} or {RIGHT}", expected, MANY)
    for container in pair:
        if wrong := _wrong_image(evidence, container):
            return not_yet(f"{wrong}. Remove it and try again", expected, RUN)
        if wrong := _not_running(container):
            return not_yet(wrong, expected, ENDS)
    if len(pair) == 1:
        return not_yet(f"{pair[0].name} runs, and it is alone", expected, MANY)
    return passed(f"{LEFT} and {RIGHT} run side by side, and both name the same image")


def _not_running(container: Container) -> str | None:
    """What to say about a container that should run and does not; each way has its own sentence."""
    sentences = {
        "created": "was created and never started, so it has no process",
        "exited": f"has exited with code {exit_code(container)}: its main process ended, so the container did too",
        "paused": "is paused: its processes exist and are not let run",
    }
    if container.status == "running":
        return None
    return f"{container.name} {sentences.get(container.status, 'is ' + container.status)}"


# --- exit-seven -----------------------------------------------------------------------------------


def exit_seven(evidence: Evidence) -> Outcome:
    """A container that has ended with a chosen exit code and is still there to tell it."""
    expected = f"{SEVEN}, exited with code 7, still in the list of all containers"
    container = evidence.container(SEVEN)
    if container is None:
        return _seven_is_missing(evidence, expected)
    if wrong := _wrong_image(evidence, container):
        return not_yet(f"{wrong}. Remove it and try again", expected, RUN)
    if container.status == "created":
        return not_yet(f"{SEVEN} was created, and its command never ran", expected, ENDS)
    if container.status != "exited":
        return not_yet(f"{SEVEN} is still {container.status}, so it has no exit code yet", expected, ENDS)
    if (code := exit_code(container)) != 7:
        return not_yet(f"{SEVEN} exited with code {code}", expected, ENDS)
    return passed(f"{SEVEN} exited with code 7, and the engine kept it so that you can ask")


def _seven_is_missing(evidence: Evidence, expected: str) -> Outcome:
    if odd := evidence.stranger([SEVEN]):
        return not_yet(f"a container called {odd}", f"the name {SEVEN}, letter by letter", ENDS)
    if any(exit_code(container) == 7 for container in evidence.unnamed()):
        return not_yet("a container with exit code 7, under a name that Docker made up", expected, RUN)
    if evidence.happened(SEVEN, "start"):
        return not_yet(f"{SEVEN} ran and is gone, and its exit code with it: it was removed", expected, ENDS)
    return not_tried(f"no container is called {SEVEN}", expected, ENDS)


# --- come-and-go ----------------------------------------------------------------------------------


def come_and_go(evidence: Evidence) -> Outcome:
    """A container that was started and then removed, while the image stayed. Gone counts only after it was seen."""
    expected = f"{GUEST} started, then removed; the image {IMAGE} still there"
    container = evidence.container(GUEST)
    if container:
        return _guest_is_here(evidence, container, expected)
    if odd := evidence.stranger([GUEST]):
        return not_yet(f"a container called {odd}", f"the name {GUEST}, letter by letter", RUN)
    started = GUEST in evidence.seen or evidence.happened(GUEST, "start")
    if not started and evidence.happened(GUEST, "create"):
        return not_yet(f"{GUEST} was created and removed, and it never ran", expected, RUN)
    if not started:
        return not_tried(f"no container called {GUEST} has been here since the lesson began", expected, RUN)
    if evidence.image(IMAGE) is None:
        return not_yet(f"{GUEST} is gone, and the image {IMAGE} too", expected, RUN)
    return passed(f"{GUEST} came and went; the image it came from is still here, unchanged")


def _guest_is_here(evidence: Evidence, container: Container, expected: str) -> Outcome:
    if wrong := _wrong_image(evidence, container):
        return not_yet(f"{wrong}. Remove it and try again", expected, RUN)
    if container.status == "created":
        return not_yet(f"{GUEST} was created and never started", expected, RUN)
    evidence.seen.add(GUEST)  # the latch: from now on "gone" means something
    if container.status == "exited":
        return not_yet(f"{GUEST} has stopped. A stopped container is still in the list", expected, ENDS)
    return not_yet(f"{GUEST} is {container.status}: half done, now let it go", expected, ENDS)


# --- the whole lesson -----------------------------------------------------------------------------

LESSON = Material(
    number="01",
    title="Run your first container",
    cast=(
        *("lab01-red", "lab01-blue", "lab01-green", "lab01-brief"),
        *(LEFT, RIGHT, SEVEN, GUEST),
    ),
    predictions=(
        Prediction(
            "after-run",
            "A container is started from the image, prints a line and is removed. What about the image afterwards?",
            {
                "It is used up: an image starts one container.": "gone",
                "It is the same as before.": "same",
                "It has changed: it now contains what the container did.": "changed",
            },
        ),
        Prediction(
            "disk",
            "The image takes some megabytes, and three containers run from it. How much more disk do they use?",
            {
                "Three times as much as the image: each container copies it.": "copies",
                "Nearly nothing, a few kilobytes at most.": "kilobytes",
                "As much as the image: the first one copies it, the others share the copy.": "one copy",
            },
        ),
        Prediction(
            "kernel",
            "We ask two containers and the engine's own machine which Linux kernel they run on. How many kernels?",
            {
                "Three: each container brings its own.": 3,
                "Two: one for the containers, one for the machine.": 2,
                "One: they all run on the machine's.": 1,
            },
        ),
    ),
    exercises=(
        Exercise(
            "two-from-one",
            "Two containers from one image",
            two_from_one,
            (
                "It is the same call twice. Only the name differs.",
                "A container runs as long as its main process does. Which command did red run, so that it stayed?",
                "Without `detach=True` the call waits for the container to end, and your notebook waits with it.",
            ),
        ),
        Exercise(
            "exit-seven",
            "A container that ends with code 7",
            exit_seven,
            (
                "A container's exit code is the exit code of its main process.",
                "A shell can end with any code that you like. Try `sh -c 'exit 3'; echo $?` in a terminal.",
                "With `remove=True` the container and its code are gone at once. `detach=True` keeps both.",
            ),
        ),
        Exercise(
            "come-and-go",
            "A guest that comes and goes",
            come_and_go,
            (
                "There are two steps: the container must have been started, then it must not be there any more.",
                "To stop is not to remove. Look at the list of all containers, not only the running ones.",
                "A container object has a method that removes it. A running one resists, unless you add `force=True`.",
            ),
        ),
    ),
    questions=(
        Question(
            "what-is-it",
            "What is a container?",
            (
                Choice(
                    "A small virtual machine with a small operating system in it.",
                    "A virtual machine boots its own kernel. Our containers all ran on the machine's.",
                ),
                Choice(
                    "A file that holds an application.",
                    "That is closer to the image. A container is what you get when the image is run.",
                ),
                Choice(
                    "A running instance of an image: its processes, kept apart, on the image's files.",
                    "The image gives files and configuration. The engine adds a process and a thin layer to write in.",
                    right=True,
                ),
            ),
        ),
        Question(
            "disk",
            "Ten containers start from an image of 100 megabytes and write nothing. How much more disk is that?",
            (
                Choice(
                    "Kilobytes.",
                    "They share the image's layers. Each one adds only an empty layer and some records of the engine.",
                    right=True,
                ),
                Choice(
                    "100 megabytes.",
                    "That is the image, and it is there already, once.",
                ),
                Choice(
                    "1000 megabytes.",
                    "It would be so if each container copied the image. None does: you measured it with three.",
                ),
            ),
        ),
        Question(
            "stopped",
            "A container's main process has ended. What about the container?",
            (
                Choice(
                    "It is deleted.",
                    "Only if somebody asks for that, later or with `--rm` at the start. Stopped is not deleted.",
                ),
                Choice(
                    "It has exited. It is still there, with its exit code, its logs and its files.",
                    "`docker ps -a` lists it until it is removed, and it can be started again.",
                    right=True,
                ),
                Choice(
                    "It waits, running, for the next command.",
                    "A container runs exactly as long as its main process. No process, no running container.",
                ),
            ),
        ),
        Question(
            "needed",
            "You remove all containers that came from an image. What is left of the image?",
            (
                Choice(
                    "Nothing: it goes with its last container.",
                    "The image does not depend on its containers. They depend on it.",
                ),
                Choice(
                    "Whatever the containers did not use.",
                    "A container uses nothing up. It only reads the image's layers.",
                ),
                Choice(
                    "All of it.",
                    "An image is there until it is removed itself, and it can start the next container at once.",
                    right=True,
                ),
            ),
        ),
    ),
)
