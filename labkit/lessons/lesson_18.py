"""Lesson 18, Move an image to another engine (claim C4): what may be guessed, tried and asked in it."""

from labkit.lessons.checks_18 import BACK, MINE, MOVED, SHOP, SOLD, bring_back, move_it
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="18",
    title="Move an image to another engine",
    cast=(SHOP, "lab18-here", "lab18-there", "lab18-box", "lab18-twin", "lab18-flat", MINE, MOVED, BACK),
    predictions=(
        Prediction(
            "id",
            "The other engine loads the image. Which ID will it have there?",
            {
                "A new one: each engine gives out its own.": "new",
                "The same.": "same",
            },
        ),
        Prediction(
            "sold",
            "A container has written /shop/sold.txt. We save its image again and load it there. What is in /shop?",
            {
                "books.txt and sold.txt: the image has grown.": "sold",
                "books.txt only.": "books",
            },
        ),
    ),
    exercises=(
        Exercise(
            "move-it",
            "Your image on another engine",
            move_it,
            (
                "Four steps: build, save, load, run. The first two are for `client`, the others for `there`.",
                "`save(named=True)` takes the name along. CMD in the recipe says what is printed.",
                f"A container that is removed at its end can't be looked at. Run {MOVED} with `detach=True`.",
            ),
        ),
        Exercise(
            "bring-back",
            "A change, made there and brought here",
            bring_back,
            (
                f"{SHOP} is on the second engine already. Start a container of it there, and let it write {SOLD}.",
                "A container does not travel. What makes an image out of it?",
                f"Commit it as {BACK} on the second engine. Then save there, and load here.",
            ),
        ),
    ),
    parameters=(
        Parameter("word", ("bridge", "caravan", "ferry", "harbour", "lantern", "passage", "saddle", "tunnel")),
    ),
    questions=(
        Question(
            "works",
            "The image has arrived on a server where nothing but an engine is installed. What must be installed there?",
            (
                Choice(
                    "The libraries that the program needs.",
                    "They are in the image: it brought its whole file system.",
                ),
                Choice(
                    "Nothing.",
                    "An engine and a kernel of the right kind are there. All else is in the image.",
                    right=True,
                ),
                Choice(
                    "The operating system that the image was built on.",
                    "What the program needs of it is in the image. The kernel is the server's.",
                ),
            ),
        ),
        Question(
            "volume",
            "A database keeps its data in a volume. Its image is moved to another engine. Where is the data?",
            (
                Choice(
                    "In the image: it belongs to the database.",
                    "A volume is no part of a container, and a container is no part of its image.",
                ),
                Choice(
                    "On the first engine only.",
                    "Data must be moved by itself: with a backup, or by copying the volume.",
                    right=True,
                ),
                Choice(
                    "On both, because a volume follows its image.",
                    "The archive has layers and a configuration. There is no volume in it.",
                ),
            ),
        ),
        Question(
            "processor",
            "You built an image on a computer with an ARM processor. Does it run on a server with an x86 processor?",
            (
                Choice(
                    "Yes: containers are portable.",
                    "Its programs are made of ARM instructions. The image's configuration says so.",
                ),
                Choice(
                    "Not as it is: the image is built once for each kind of processor.",
                    "One name can stand for several images, and each engine takes the one that fits.",
                    right=True,
                ),
                Choice(
                    "Yes, if both have the same engine.",
                    "The engine starts the program. It does not translate it.",
                ),
            ),
        ),
        Question(
            "same",
            "Two engines show the same image ID. What follows?",
            (
                Choice(
                    "Both images were built from the same Dockerfile.",
                    "Two builds of one Dockerfile mostly have different IDs: times and files differ.",
                ),
                Choice(
                    "Both hold the same bytes: each layer and the configuration.",
                    "The ID is a digest of digests. Change one bit, and it is another ID.",
                    right=True,
                ),
                Choice(
                    "Nothing: an ID is a number that an engine gives out.",
                    "It is computed from the content. You have computed it yourself.",
                ),
            ),
        ),
    ),
)
