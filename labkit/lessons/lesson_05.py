"""Lesson 05, Stop, restart and delete a container (claims C3 and C19): what may be guessed, tried and asked in it."""

from labkit.lessons.checks_05 import DIARY, GENTLE, PAGE, SIGNAL, SIGNALS, diary, gentle, signal_code
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="05",
    title="Stop, restart and delete a container",
    cast=("lab05-box", "lab05-twin", "lab05-ending", "lab05-deaf", "lab05-polite", DIARY, SIGNAL, GENTLE),
    predictions=(
        Prediction(
            "stop",
            "The container has written a file, and is stopped. What about the file?",
            {
                "It is gone: no container runs any more.": "gone",
                "It is kept, in the container's own layer.": "kept",
                "It is moved into the image.": "image",
            },
        ),
        Prediction(
            "process",
            "A stopped container is started again. Which process runs in it?",
            {
                "The old one: it goes on where it was.": "the old one",
                "A new one, from the beginning.": "a new one",
            },
        ),
        Prediction(
            "delete",
            "The container was deleted, and a new one got its name, image and command. Is the file there?",
            {
                "Yes: it has the same name.": True,
                "No: it is another container, with a layer of its own.": False,
            },
        ),
        Prediction(
            "deaf",
            "`sleep` is the main process, and has no plan for SIGTERM. How does a stop with a grace period of one "
            "second end?",
            {
                "SIGTERM ends it at once: exit code 143.": 143,
                "It is killed after the second: exit code 137.": 137,
                "It has done nothing wrong: exit code 0.": 0,
            },
        ),
    ),
    exercises=(
        Exercise(
            "diary",
            "Stop it, and have it back",
            diary,
            (
                "Four steps: run, write, stop, start. The lesson's first container did them in this order.",
                f"`exec_run` writes the file {PAGE} while it runs; for `>` you need a list of `sh`, `-c` and the line.",
                "Don't make a second container. `start()` works on the one that you stopped.",
            ),
        ),
        Exercise(
            "signal-code",
            "A code that names a signal",
            signal_code,
            (
                "What did 143 and 137 have in common? Find the number of your signal first.",
                "The code of a container is that of its main process. A shell can end with any code from 0 to 255.",
                "Either let a child be ended by your signal and pass its code on, or let the shell say `exit` and the "
                "sum.",
            ),
        ),
        Exercise(
            "gentle",
            "A gentle stop",
            gentle,
            (
                "Its main process must have a plan for SIGTERM. Which container in this lesson has one?",
                "A shell that waits for a `sleep` in the foreground hears nothing until the sleep is over. Put the "
                "sleep in the background, and `wait`.",
                "The plan must be made before the signal comes: wait for the first line of its output, then stop it.",
            ),
        ),
    ),
    parameters=(
        Parameter("word", ("amber", "cedar", "comet", "fjord", "heron", "lotus", "maple", "otter", "quartz")),
        Parameter("signal", SIGNALS),
    ),
    questions=(
        Question(
            "stopped",
            "A container was stopped an hour ago. What is left of it?",
            (
                Choice("Nothing: it is gone.", "It is in the list of all containers, with its files and exit code."),
                Choice(
                    "Its processes, frozen.",
                    "That would be a pause. A stop ends the processes, and their memory is lost.",
                ),
                Choice(
                    "Its read-write layer, its configuration and its exit code.",
                    "So it can be started again, and it takes up disk until it is removed.",
                    right=True,
                ),
            ),
        ),
        Question(
            "code-137",
            "A container has exited with 137. What does that tell you?",
            (
                Choice(
                    "Its main process was ended by SIGKILL.",
                    "128 + 9. Who sent it is another question: a stop whose time ran out, a `docker kill`, or the "
                    "kernel when memory was short.",
                    right=True,
                ),
                Choice(
                    "It failed in line 137.",
                    "An exit code knows no lines. Above 128 it usually names a signal.",
                ),
                Choice(
                    "It was stopped politely.",
                    "That would be 143, if SIGTERM ended it, or 0, if it had a plan for SIGTERM.",
                ),
            ),
        ),
        Question(
            "slow-stop",
            "Every `docker stop` of your app takes ten seconds. What is the likely reason?",
            (
                Choice(
                    "The engine needs the time to save the container.",
                    "Nothing is saved: the files are in the layer already.",
                ),
                Choice(
                    "Its process 1 has no plan for SIGTERM, so the grace period runs out.",
                    "And then it is killed, in the middle of whatever it was doing.",
                    right=True,
                ),
                Choice(
                    "The image is big.",
                    "A stop does not touch the image. It waits for a process.",
                ),
            ),
        ),
        Question(
            "restart",
            "A container misbehaves, since somebody changed a file in it. You restart it. What about the file?",
            (
                Choice(
                    "It is as in the image again.",
                    "A restart is a stop and a start of the same container. Its layer is kept.",
                ),
                Choice(
                    "It is still changed.",
                    "Only a new container starts from the image. Lesson 07 makes a habit of that.",
                    right=True,
                ),
                Choice("It is deleted.", "A restart deletes nothing but what was in memory."),
            ),
        ),
    ),
)
