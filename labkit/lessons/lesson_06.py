"""Lesson 06, Keep data in a volume (claim C5): what may be guessed, tried and asked in it."""

from labkit.lessons.checks_06 import (
    BOARD,
    COPY,
    GLASS,
    PEN,
    READER,
    SEED,
    SITE,
    VAULT,
    WRITER,
    hand_over,
    seed,
    two_doors,
)
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

CELLS = tuple(f"lab06-{name}" for name in ("shop", "till", "maker", "look", "v1", "v2", "nameless", "bind"))
VOLUMES = ("lab06-data", "lab06-pages", VAULT, BOARD, COPY)

LESSON = Material(
    number="06",
    title="Keep data in a volume",
    cast=(*CELLS, *VOLUMES, WRITER, READER, PEN, GLASS, SEED),
    predictions=(
        Prediction(
            "restart",
            "The shop has written a file into its own layer, a tmpfs and a volume. How many are left after a restart?",
            {"All three.": 3, "Two.": 2, "One.": 1, "None.": 0},
        ),
        Prediction(
            "delete",
            "The shop is removed, and a new one is started in the same way. Which of the three files does it find?",
            {
                "All of them: it has the same name.": ["own layer", "tmpfs", "volume"],
                "Those in its own layer and in the volume.": ["own layer", "volume"],
                "Only the one in the volume.": ["volume"],
                "None.": [],
            },
        ),
        Prediction(
            "commit",
            "We commit the shop, and start a container from the new image. Does /data hold the orders?",
            {"Yes: a commit takes all files.": True, "No: a volume is not part of the container's layer.": False},
        ),
        Prediction(
            "second",
            "The image's second version has a new page, and is started with the volume of the first. Which page shows?",
            {
                "The new one: the image is newer.": "version 2",
                "The old one: the volume covers the image's file.": "version 1",
            },
        ),
    ),
    exercises=(
        Exercise(
            "hand-over",
            "Hand it over",
            hand_over,
            (
                "Three steps: write, remove, start another. The volume is all that the two have in common.",
                f"Both containers are made with the same `volumes=`, in which {VAULT} is bound to /vault.",
                "Did the reader come too early? Remove it and start it again, when the writer is gone.",
            ),
        ),
        Exercise(
            "two-doors",
            "One writes, one reads",
            two_doors,
            (
                "How did the shop and the till share their volume, and what was different in their options?",
                "The mode stands beside the path: `rw` or `ro`.",
                "A mode can't be changed later. Remove the container and make it anew.",
            ),
        ),
        Exercise(
            "seed",
            "Fill a volume from an image",
            seed,
            (
                "When does the engine copy files of an image? Where must the volume be mounted for that?",
                f"The container must be made from {SITE}, and the volume must be empty before.",
                "Mount it exactly at the folder that holds the page. Did the volume have files from an earlier try? "
                "Remove it first.",
            ),
        ),
    ),
    parameters=(Parameter("word", ("amber", "cedar", "comet", "fjord", "heron", "lotus", "maple", "otter", "quartz")),),
    questions=(
        Question(
            "ephemeral",
            "What does it mean that a container is ephemeral?",
            (
                Choice("It must be restarted every day.", "It may run for years. But nothing must depend on that."),
                Choice(
                    "It can be removed and replaced at any time, and its own layer goes with it.",
                    "So what matters is kept somewhere else, in a volume or in another service.",
                    right=True,
                ),
                Choice("It loses its files when it stops.", "A stop keeps them. A delete removes them."),
            ),
        ),
        Question(
            "database",
            "You run a database in a container. Where do its files belong?",
            (
                Choice("In the image.", "The image is read-only, and the same for everybody."),
                Choice(
                    "In the container's own layer: it is kept until the container is deleted.",
                    "And with the next update the container is deleted. Many have lost a database this way.",
                ),
                Choice(
                    "In a named volume.",
                    "It outlives each container, and the next version of the database mounts it again.",
                    right=True,
                ),
            ),
        ),
        Question(
            "old-page",
            "You ship an image with a corrected file, restart with the usual volume, and see the old file. Why?",
            (
                Choice(
                    "The volume is mounted over that folder, and it was filled by the first image.",
                    "A volume is filled only while it is empty. Afterwards it covers what the image has there.",
                    right=True,
                ),
                Choice("The engine has cached the old image.", "The new image runs. One of its folders is covered."),
                Choice("The image was not built.", "Possible, but look at the mounts first: they cover files."),
            ),
        ),
        Question(
            "rm",
            "`docker rm` removes a container that has a named and an anonymous volume. What happens to the volumes?",
            (
                Choice("Both are removed.", "Neither is, unless you ask for the anonymous one with `--volumes`."),
                Choice(
                    "Both stay.",
                    "With `--volumes` the anonymous one would go. A named volume goes only when it is named.",
                    right=True,
                ),
                Choice("The named one is removed.", "Never: a named volume is removed by its name, and only so."),
            ),
        ),
    ),
)
