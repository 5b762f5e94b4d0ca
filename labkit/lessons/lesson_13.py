"""Lesson 13, Debug a container that has no shell: what may be guessed, tried and asked in it."""

from labkit.lessons.checks_13 import DESK, FIXED, HELPER, QUIET, SLIM, carry, fixed, helper
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="13",
    title="Debug a container that has no shell",
    cast=(SLIM, QUIET, HELPER, DESK, FIXED, "lab13-side"),
    predictions=(
        Prediction(
            "side",
            "A second container shares the processes and the network of the first. What is process 1 in its own `ps`?",
            {
                "Its own main process, sleep.": "sleep",
                "The web server of the first container.": "httpd",
                "The first process of the host.": "host",
            },
        ),
        Prediction(
            "mounts",
            "It does not share the mounts. Can it read the files of the first container all the same?",
            {
                "No: each container sees its own files only.": False,
                "Yes, by way of /proc.": True,
            },
        ),
        Prediction(
            "end",
            "The first container is killed. What happens to the second, which lives in its process namespace?",
            {
                "It goes on: it has a main process of its own.": "running",
                "It is killed too.": "exited",
                "It is paused, until process 1 is back.": "paused",
            },
        ),
    ),
    exercises=(
        Exercise(
            "helper",
            "Stand beside it",
            helper,
            (
                "Which two things did the second container of this lesson share with the first?",
                "Both are options of `run`, and both take `container:` and a name.",
                "Without the one it does not see the processes. Without the other, localhost is its own.",
            ),
        ),
        Exercise(
            "carry",
            "Carry a file to where the tools are",
            carry,
            (
                "The file is in a container without tools, so it must come out from outside.",
                "`get_archive` gives a tar archive and some facts about it. `put_archive` takes one.",
                "The archive that comes out can go in as it is: join its pieces, and name the folder.",
            ),
        ),
        Exercise(
            "fixed",
            "The real repair",
            fixed,
            (
                "It is the image that is wrong, not the container. Which file is missing there, and where?",
                "A new image may stand on the old one: FROM takes its name. Then one COPY is enough.",
                "The build needs a folder with a Dockerfile and the page in it. `build` of this lesson makes one.",
            ),
        ),
    ),
    parameters=(
        Parameter("orders", (17, 23, 29, 31, 37, 41, 43, 47)),
        Parameter("word", ("anchor", "beacon", "compass", "harbour", "lantern", "pebble", "rudder", "sextant")),
    ),
    questions=(
        Question(
            "why-slim",
            "Why do people make images without a shell?",
            (
                Choice(
                    "A container without a shell starts faster.",
                    "The shell is a file that nobody reads. It costs no time at the start.",
                ),
                Choice(
                    "What is not there needs no update, and serves no attacker.",
                    "Fewer files also mean a smaller image. The price is that you must debug from outside.",
                    right=True,
                ),
                Choice(
                    "A shell in the image would run as process 1.",
                    "Process 1 is what the command says. A shell that lies in the image runs only if somebody runs it.",
                ),
            ),
        ),
        Question(
            "no-shell",
            "`docker exec -it shop sh` says `executable file not found`. What does that mean?",
            (
                Choice(
                    "The container is not running.",
                    "Then the engine says so: `is not running`. This one runs.",
                ),
                Choice(
                    "There is no program called sh in that container.",
                    "exec starts a program of the container's own files. It brings none along.",
                    right=True,
                ),
                Choice(
                    "You may not use exec on this container.",
                    "The engine tried. It just found no such file.",
                ),
            ),
        ),
        Question(
            "share",
            "With `--pid container:shop --network container:shop`, what do the two containers share?",
            (
                Choice(
                    "Process numbers, interfaces and ports. Files and hostname stay apart.",
                    "Two namespaces of several. That is enough to see, to measure and to ask at localhost.",
                    right=True,
                ),
                Choice(
                    "Everything: they are one container now.",
                    "Each still has its own image, its own layer and its own mounts. You compared them.",
                ),
                Choice(
                    "The files, so that the tools appear in the slim one.",
                    "The slim one stays as slim as it was. Its exec still finds no shell.",
                ),
            ),
        ),
        Question(
            "repair",
            "You put the missing file into the running container, and the page works. Are you done?",
            (
                Choice(
                    "Yes: the container works now.",
                    "The next container from this image has the mistake again.",
                ),
                Choice(
                    "No: the image has the mistake still. Build a new one, and replace the container.",
                    "The repair by hand wins time. The new image ends the matter.",
                    right=True,
                ),
                Choice(
                    "No: it must be restarted first.",
                    "The file was served at once, and a restart would keep it. The image is what is wrong.",
                ),
            ),
        ),
    ),
)
