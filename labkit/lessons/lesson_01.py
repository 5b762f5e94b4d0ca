"""Lesson 01, Run your first container (claims C1 and C2): what may be guessed, tried and asked in it."""

from labkit.lessons.checks_01 import ENDING, GUEST, LEFT, RIGHT, come_and_go, exit_code_drawn, two_from_one
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="01",
    title="Run your first container",
    cast=(
        *("lab01-red", "lab01-blue", "lab01-green", "lab01-brief"),
        *(LEFT, RIGHT, ENDING, GUEST),
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
            "exit-code",
            "A container that ends with a code of your own",
            exit_code_drawn,
            (
                "A container's exit code is the exit code of its main process.",
                "A shell can end with any code that you like. Try `sh -c 'exit 1'; echo $?` in a terminal.",
                "With `remove=True` the container and its code are gone at once. `detach=True` keeps both.",
            ),
            since=2,
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
            kind="edge",
        ),
    ),
    parameters=(Parameter("code", (3, 5, 7, 9, 12, 21, 42, 64)),),
    version=2,
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
