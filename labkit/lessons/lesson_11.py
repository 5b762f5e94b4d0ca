"""Lesson 11, Look inside a container: what may be guessed, tried and asked in it."""

from labkit.lessons.checks_11 import APP, COLOURS, DEAD, ODD, crowd, rescue, stray
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="11",
    title="Look inside a container",
    cast=(APP, DEAD, ODD, *(f"lab11-{colour}" for colour in COLOURS)),
    predictions=(
        Prediction(
            "exec-log",
            "We run `echo I am here too` in the container with exec. Is the line in its log afterwards?",
            {
                "Yes: all that is said in the container is in its log.": True,
                "No: the log is that of the main process.": False,
            },
        ),
        Prediction(
            "after-exec",
            "A shell that exec has started ends with exit code 5. What is the container's status afterwards?",
            {
                "running: the shell was only a visitor.": "running",
                "exited: it ended with code 5.": "exited",
                "paused: it has no shell any more.": "paused",
            },
        ),
        Prediction(
            "stopped",
            "Logs, inspect, diff, copying, exec: which are refused now that the container is stopped?",
            {
                "All of them: nothing runs any more.": "all",
                "exec only.": "exec",
                "logs only.": "logs",
            },
        ),
    ),
    exercises=(
        Exercise(
            "crowd",
            "Find the crowd",
            crowd,
            (
                "What is too much here is the number of processes. Which questions tell you that?",
                "`top` gives a list for each container, and `stats` a number. `inspect` shows how each was made.",
                "A loop over the three names, and the length of the list for each. Then stop one.",
            ),
        ),
        Exercise(
            "rescue",
            "Rescue a report",
            rescue,
            (
                "Nothing runs in the dead container, so nothing can be run in it. Which way is left?",
                "`take` reads a file of any container, running or not. `put` writes one.",
                "`put` takes a container, a folder, the file's name there, and the text.",
            ),
        ),
        Exercise(
            "stray",
            "What does not belong here",
            stray,
            (
                "Compare the container with its image. There is a command for that.",
                "Leave out what lies below /var/app, and what is only a folder on the way.",
                "Delete the file with a command inside: the file, not its folder.",
            ),
        ),
    ),
    parameters=(
        Parameter("culprit", COLOURS),
        Parameter("code", (3141, 2718, 1618, 1414, 1732, 2236, 4669, 5772)),
        Parameter("stray", ("core.old", "notes.bak", "test.tmp", "debug.on", "todo.txt", "copy.sav")),
    ),
    questions=(
        Question(
            "empty-log",
            "`docker logs` of a container shows nothing, though its program is busy. What is likely?",
            (
                Choice(
                    "The program writes its log into a file inside.",
                    "Then copy the file out; better, let the program write to its standard output.",
                    right=True,
                ),
                Choice(
                    "Logs must be switched on when the container is made.",
                    "The engine catches both streams from the start, unless it was told not to.",
                ),
                Choice(
                    "The log appears when the container ends.",
                    "You read the app's log while it was running.",
                ),
            ),
        ),
        Question(
            "exec-child",
            "Whose child is a process that `docker exec` has started?",
            (
                Choice(
                    "Process 1 of the container.",
                    "Its parent number was 0 inside: the parent is not in the container at all.",
                ),
                Choice(
                    "A process of the engine, outside.",
                    "It was made outside, and joined the container's namespaces.",
                    right=True,
                ),
                Choice(
                    "The shell of the container.",
                    "There need not be one. In an image without a shell, exec can start any program that is there.",
                ),
            ),
        ),
        Question(
            "crashed",
            "A container has crashed in the night. What do you do first?",
            (
                Choice(
                    "Remove it and start a new one, then look for the cause.",
                    "With it go its log, its files and its exit code. Look first. (The new one may start meanwhile.)",
                ),
                Choice(
                    "Exec into it, and look around.",
                    "Nothing runs there, so exec is refused.",
                ),
                Choice(
                    "Read its log and its exit code, and copy out what you need.",
                    "All of that is still there, until the container is removed.",
                    right=True,
                ),
            ),
        ),
        Question(
            "secret",
            "A password was given with `--env`. Who can read it?",
            (
                Choice(
                    "Only the main process.",
                    "Each further process in the container gets the same environment, those of exec too.",
                ),
                Choice(
                    "Whoever can run `docker inspect`, and each process in the container.",
                    "So treat it as visible. For secrets there are files that are mounted for a service.",
                    right=True,
                ),
                Choice(
                    "Everybody who has the image.",
                    "The image does not have it: it was given when the container was made.",
                ),
            ),
        ),
    ),
)
