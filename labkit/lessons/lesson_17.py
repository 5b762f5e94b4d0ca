"""Lesson 17, Build an image, its layers and its cache: what may be guessed, tried and asked in it."""

from labkit.lessons.checks_17 import QUICK, RAW, SAID, SAYS, THIN, better_order, no_trace, say_it
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

_IMAGES = ("one", "again", "two", "three", "four", "all", "some", "heavy", "light", "workshop", "slim", "broken")

LESSON = Material(
    number="17",
    title="Build an image, its layers and its cache",
    cast=(*(f"lab17-{name}" for name in _IMAGES), "lab17-try", "lab17-look", "lab17-judge", SAID, SAYS, QUICK, THIN),
    predictions=(
        Prediction(
            "again",
            "The same folder and the same recipe are built once more. Which steps does the engine do again?",
            {
                "All: a build begins from nothing.": "all",
                "Only RUN: a command must be run to know what it gives.": "run",
                "None.": "none",
            },
        ),
        Prediction(
            "change",
            "One word of hello.sh is changed. Which steps are done again?",
            {
                "COPY alone: nothing else uses that file.": "copy",
                "COPY, and each step after it.": "after",
                "None: the Dockerfile is the same.": "none",
            },
        ),
        Prediction(
            "delete",
            "The recipe makes a file of 3 MB, uses it, and removes it in its last step. How much does the image grow?",
            {
                "By a few bytes: the file is gone.": "small",
                "By 3 MB at least.": "big",
            },
        ),
    ),
    exercises=(
        Exercise(
            "say-it",
            "Your own image says your word",
            say_it,
            (
                "Two things are asked for: an image, and a container that was run from it with no command.",
                "The instruction CMD says what a container runs. `echo` prints.",
                f"`client.images.build(fileobj=..., tag='{SAID}', rm=True)` takes a recipe without a folder. "
                f"Then run {SAID} with a name, detached, so that it stays for the check.",
            ),
        ),
        Exercise(
            "better-order",
            "A change of the program repeats no installation",
            better_order,
            (
                "Which instruction of the recipe is the first to miss when hello.sh changes?",
                "What runs before that one is taken from the cache. Do the two RUN need anything from the folder?",
                f"Move lines, write the text into the folder's Dockerfile, and build the folder as {QUICK}.",
            ),
        ),
        Exercise(
            "no-trace",
            "A result without what it was made from",
            no_trace,
            (
                f"A layer is what is there when its step ends. Where may {RAW} be at the end of a step?",
                "There are two ways: one step that does it all, or a stage that is thrown away.",
                "`seq 200000 > FILE` writes it, `wc -l < FILE` counts. With two stages, COPY has an option --from.",
            ),
        ),
    ),
    parameters=(Parameter("word", ("anchor", "basalt", "copper", "garnet", "indigo", "marble", "saffron", "velvet")),),
    questions=(
        Question(
            "date",
            "A recipe has the line `RUN date > /built.txt`. You build it today and tomorrow. What is in the file?",
            (
                Choice(
                    "Tomorrow's date: the command gives another result, so the step must run.",
                    "Nobody runs the command to find out. The cache compares its text, which is the same.",
                ),
                Choice(
                    "Today's date: the text of the step is the same, so it is taken from the cache.",
                    "That is why an old `RUN apt-get update` can leave you with old packages. `no-cache` helps.",
                    right=True,
                ),
                Choice(
                    "Both dates.",
                    "`>` writes the file anew. And tomorrow the step does not even run.",
                ),
            ),
        ),
        Question(
            "order",
            "Your program changes each hour, its installation each month. Where does `COPY` of the program belong?",
            (
                Choice(
                    "Right after FROM: a program comes first.",
                    "Then each change of the program makes everything after it run again.",
                ),
                Choice(
                    "After the installation.",
                    "What changes often comes late, so that what changes rarely is still in the cache.",
                    right=True,
                ),
                Choice(
                    "Anywhere: the engine sorts the steps.",
                    "The steps are done in the order in which they are written. Each stands on the one before.",
                ),
            ),
        ),
        Question(
            "password",
            "Step 2 copies a password into the image, step 3 uses it, step 4 removes it. Who can read it?",
            (
                Choice(
                    "Nobody: it is gone from the image.",
                    "It is hidden from containers. The layer of step 2 still has it.",
                ),
                Choice(
                    "Everybody who has the image.",
                    "`docker save` gives all layers. What must stay secret must never get into one.",
                    right=True,
                ),
                Choice(
                    "Only the one who built it.",
                    "The layers travel with the image, all of them.",
                ),
            ),
        ),
        Question(
            "ignore",
            "What does .dockerignore do?",
            (
                Choice(
                    "It deletes files from the image after the build.",
                    "Too late, as you have seen. It works before the build begins.",
                ),
                Choice(
                    "It keeps files out of what is sent to the engine, so COPY can't even see them.",
                    "Smaller to send, nothing secret gets in, and fewer misses of the cache.",
                    right=True,
                ),
                Choice(
                    "It hides files in the container.",
                    "A container sees all that is in its image. These files never were.",
                ),
            ),
        ),
        Question(
            "layers",
            "A recipe has FROM, ENV, two RUN that write files, and CMD. How many layers does it add?",
            (
                Choice(
                    "Five: each instruction is a layer.",
                    "ENV and CMD change the configuration only. There are no files in that.",
                ),
                Choice(
                    "Two.",
                    "One for each step that touched files. FROM brings the layers of its own image.",
                    right=True,
                ),
                Choice(
                    "One: a build gives one image.",
                    "An image is a stack of layers, and each RUN here put one on top.",
                ),
            ),
        ),
    ),
)
