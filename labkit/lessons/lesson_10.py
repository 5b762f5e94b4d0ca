"""Lesson 10, Choose what a container starts: what may be guessed, tried and asked in it."""

from labkit.lessons.checks_10 import GREET, GREETER, LOOK, NAP, PROBE, any_nap, greeter, look_inside
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="10",
    title="Choose what a container starts",
    cast=(
        *("lab10-once", "lab10-hello", "lab10-exec", "lab10-shell", "lab10-direct", "lab10-through", "lab10-lost"),
        *("lab10-script", "lab10-quoted", GREET, GREETER, LOOK, NAP, PROBE),
    ),
    predictions=(
        Prediction(
            "word",
            'The image has CMD ["echo", "hello from the image"]. You start it with the one word Ada. What happens?',
            {
                "It prints: hello from the image Ada.": True,
                "It prints: hello from the image.": False,
                "It fails: there is no program called Ada.": "not found",
            },
        ),
        Prediction(
            "dropped",
            "You replace the entrypoint by `echo bye`, and give no command. The image's CMD is world. What is printed?",
            {
                "bye world": "bye world",
                "bye": "bye",
                "hello world: the image's entrypoint can't be replaced.": "hello world",
            },
        ),
        Prediction(
            "dollar",
            'NAME is Ada, and the command is ["echo", "hello $NAME"]. What is printed?',
            {
                "hello Ada": "hello Ada",
                "hello $NAME": "hello $NAME",
                "hello, and nothing behind it": "hello ",
            },
        ),
        Prediction(
            "lost",
            "The image has the line ENTRYPOINT echo hello, in the shell form. You start it with Ada. What is printed?",
            {
                "hello Ada": "hello Ada",
                "hello": "hello",
                "Ada": "Ada",
            },
        ),
    ),
    exercises=(
        Exercise(
            "greeter",
            "A greeter",
            greeter,
            (
                "Which part is printed each time, and which part may be replaced? They belong to two instructions.",
                "What you give at a start replaces CMD, and is appended to ENTRYPOINT.",
                f"{GREET} does nearly the same. Use the exec form for both instructions.",
            ),
        ),
        Exercise(
            "look-inside",
            "Look inside",
            look_inside,
            (
                "Started as it is, the image says hello. Its entrypoint is in the way.",
                "`containers.run` and `containers.create` have an argument for the entrypoint.",
                f"The container is called {LOOK}. Leave it in the list when it has ended: no `remove`.",
            ),
        ),
        Exercise(
            "any-nap",
            "A nap of any length",
            any_nap,
            (
                "The variable needs a value in the image, and somebody who puts it into the command at the start.",
                "A shell puts it in. It must not stay: which word makes it step aside?",
                "One ENV instruction, and one CMD. Look at PID 1 with `docker top` or the process tree.",
            ),
        ),
    ),
    parameters=(
        Parameter("word", ("Lisbon", "Nairobi", "Oslo", "Quito", "Tokyo", "Vienna", "Perth", "Cairo", "Dublin")),
    ),
    questions=(
        Question(
            "together",
            'An image has ENTRYPOINT ["ping"] and CMD ["localhost"]. What does `docker run IMAGE host` execute?',
            (
                Choice(
                    "`ping localhost host`",
                    "What you give is not appended to CMD. It replaces it.",
                ),
                Choice(
                    "`ping host`",
                    "Entrypoint, then command; and the command is yours, in the place of the image's.",
                    right=True,
                ),
                Choice(
                    "`host`",
                    "That would be so without an entrypoint. Here the entrypoint stays in front.",
                ),
            ),
        ),
        Question(
            "layer",
            "You change only the CMD in a Dockerfile. What is different in the new image?",
            (
                Choice(
                    "It has one layer more.",
                    "CMD makes no file. You counted: one layer, that of the base image.",
                ),
                Choice(
                    "Its configuration. The layers are the same.",
                    "That is why such a change costs next to nothing to store or to send.",
                    right=True,
                ),
                Choice(
                    "Nothing, until a container is started.",
                    "The command is written into the image when it is built, and can be read with inspect.",
                ),
            ),
        ),
        Question(
            "forms",
            "Why does a container with `CMD node server.js; echo bye` take ten seconds to stop?",
            (
                Choice(
                    "PID 1 is a shell, and does not pass TERM on to the server.",
                    "The shell form starts /bin/sh -c. With more than one command in the line, the shell stays.",
                    right=True,
                ),
                Choice(
                    "The server is slow to close.",
                    "It might be, but here it never hears that it should: PID 1 is somebody else.",
                ),
                Choice(
                    "The shell prints bye first.",
                    "It would, if it got that far. It is killed while it still waits for the server.",
                ),
            ),
        ),
        Question(
            "script",
            'What is `exec "$@"` for, at the end of an entrypoint script?',
            (
                Choice(
                    "It starts the app in the background.",
                    "Then the script would end, and with it the container.",
                ),
                Choice(
                    "It makes the script's process become the command, so that the app is PID 1.",
                    "Signals reach it, its exit code is the container's, and the command can still be replaced.",
                    right=True,
                ),
                Choice(
                    "It runs the script once more with the arguments.",
                    "`exec` replaces the shell by a program: here by what stands in the arguments.",
                ),
            ),
        ),
    ),
)
