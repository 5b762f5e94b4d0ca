"""Lesson 07, Replace instead of repair (claims C6 and C7): what may be guessed, tried and asked in it."""

from labkit.lessons.checks_07 import FLEET, MINE, SAFE, lasting_fix, night_shift, sealed
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="07",
    title="Replace a container instead of repairing it",
    cast=("lab07-shop", "lab07-twin", "lab07-sealed", "lab07-roomy", *FLEET, MINE, SAFE),
    predictions=(
        Prediction(
            "restart",
            "Somebody has changed a file in a container. The container is restarted. Is there still drift?",
            {"No: it starts from the image again.": False, "Yes: its layer is kept.": True},
        ),
        Prediction(
            "replace",
            "The repaired container has failed. A new one is started from its image. What does its page say?",
            {
                "Welcome: the fix was made in lab07-shop.": "Welcome to the shop",
                "Wellcome: the fix went with the old container.": "Wellcome to the shop",
            },
        ),
        Prediction(
            "sealed",
            "This container runs with read_only=True. You are root in it, and write to the page. What happens?",
            {
                "The page changes: root may do anything.": "changed",
                "The write is refused.": "refused",
                "The container is stopped.": "stopped",
            },
        ),
    ),
    exercises=(
        Exercise(
            "night-shift",
            "The night shift",
            night_shift,
            (
                "The page tells, and so does `diff`. A loop over the three names asks each of them.",
                "To replace is two steps: remove the old one, run a new one with its name. You have a function for "
                "the shop that does the same.",
                "Only the one that drifted. Are all three replaced? Run the lesson's cells from the top, for a new "
                "night.",
            ),
        ),
        Exercise(
            "lasting-fix",
            "A fix that lasts",
            lasting_fix,
            (
                "How was version 2 made from version 1? The same, one version on.",
                "`build` takes a name and the lines of a Dockerfile: FROM the version below, RUN what you would have "
                "done by hand.",
                "Then run the container from the new image. Don't touch the page with `exec_run`: that is drift.",
            ),
        ),
        Exercise(
            "sealed",
            "Sealed, with one pocket",
            sealed,
            (
                "Two containers in the lesson were sealed. One of them had a place to write.",
                "`read_only=True` seals it. `tmpfs=`, or a volume, mounts something on /tmp.",
                "The note is written when the container runs: `exec_run` with `touch` will do.",
            ),
        ),
    ),
    parameters=(
        Parameter("night", FLEET),
        Parameter("word", ("amber", "cedar", "comet", "fjord", "heron", "lotus", "maple", "otter", "quartz")),
    ),
    questions=(
        Question(
            "hot-fix",
            "At night you repair a running container by hand, and it works. What should you do in the morning?",
            (
                Choice("Nothing: it works.", "Until it is replaced. Then the fault is back, and nobody knows why."),
                Choice(
                    "Restart it, so that the repair is saved.",
                    "The repair is in its layer already. A restart keeps the layer, and a replacement loses it.",
                ),
                Choice(
                    "Build the fix into a new image, and replace the container.",
                    "Then the fix is written down, and in every container to come.",
                    right=True,
                ),
            ),
        ),
        Question(
            "immutable",
            "What does it mean that containers are designed to be immutable?",
            (
                Choice(
                    "Nothing in a container can ever be written.",
                    "By default it can. With `read_only` only its mounts can be written to.",
                ),
                Choice(
                    "They are not changed after they were started. A change means a new image and a new container.",
                    "A habit, which `read_only` turns into a rule.",
                    right=True,
                ),
                Choice("Their image can't be removed.", "That is another matter: an image in use is kept."),
            ),
        ),
        Question(
            "same-image",
            "Ten containers were made from the same image. Are they still the same?",
            (
                Choice("Yes: the image decides.", "Each has a layer of its own, and may have been changed in it."),
                Choice(
                    "Only as long as none of them has drifted.",
                    "`docker diff` tells for each. Read-only ones can't drift.",
                    right=True,
                ),
                Choice("No: each has copied its own image.", "They share one image, and copy nothing at the start."),
            ),
        ),
        Question(
            "logs",
            "An app in a read-only container needs to write temporary files. What do you do?",
            (
                Choice(
                    "Mount a tmpfs where it writes them.",
                    "One place to write, known and named; all else stays sealed.",
                    right=True,
                ),
                Choice("Give up `read_only`.", "Then everything can be changed, for the sake of one folder."),
                Choice("Make the app run as root.", "It makes no difference: the kernel refuses root too."),
            ),
        ),
    ),
)
