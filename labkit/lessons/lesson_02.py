"""Lesson 02, Images and layers (claims C16, C17, C18 and C20): what may be guessed, tried and asked in it."""

from labkit.lessons.checks_02 import (
    ADD,
    BAKED,
    HIDE,
    MINE,
    NOTES,
    THREE,
    add_a_file,
    hide_a_file,
    third_layer,
    three_views,
)
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="02",
    title="Images and layers",
    cast=("lab02-maker", "lab02-red", "lab02-blue", "lab02-green", ADD, HIDE, *THREE),
    predictions=(
        Prediction(
            "write",
            "Red is about to write into a file that came with its image. Which of the image's layers will change?",
            {
                "The top one: the file is in it.": 1,
                "All of them: the image gets a new version.": 2,
                "None.": 0,
            },
        ),
        Prediction(
            "neighbour",
            "Red has changed /notes/hello.txt. What does blue, from the same image, read there now?",
            {
                "Red's text: they share the image.": "red",
                "The image's text, as before.": "image",
                "Nothing: the file belongs to red now.": "nothing",
            },
        ),
        Prediction(
            "delete",
            "Red deletes a file that is in the image. What happens to the file?",
            {
                "It is gone from the image too.": "gone",
                "It stays in the image, and red no longer sees it.": "hidden",
                "The engine refuses: the image is read-only.": "refused",
            },
        ),
        Prediction(
            "fresh",
            "Red and blue have both changed /notes/hello.txt. A third container, green, starts now. What does it read?",
            {
                "Red's text: it wrote first.": "red",
                "Blue's text: it wrote last.": "blue",
                "The image's text.": "image",
            },
        ),
    ),
    exercises=(
        Exercise(
            "add-a-file",
            "Add one file, and only one",
            add_a_file,
            (
                f"The container must be called {ADD} and be made from {NOTES}. Red was started in the same way.",
                "`exec_run` runs a command inside. For `>` you need a shell: a list of `sh`, `-c` and the line.",
                "`container.diff()` shows what the container changed. Too much there? Remove it and start afresh.",
            ),
            since=2,
        ),
        Exercise(
            "hide-a-file",
            "Hide a file that the image has",
            hide_a_file,
            (
                f"Start {HIDE} from {NOTES}, as red was. Then use a command that you know from any Linux.",
                "An empty file is still a file. So is a renamed one.",
                "Delete the file, not its folder: give the command the whole path. Then read `docker diff`.",
            ),
        ),
        Exercise(
            "three-views",
            "One path, three contents",
            three_views,
            (
                "Three containers from one image. Two of them write, one does nothing but exist.",
                "A loop over the names can start all three. Then write to each of the first two.",
                "The third must not even touch the file. Remove and start it again if it has.",
            ),
        ),
        Exercise(
            "third-layer",
            "An image with a third layer",
            third_layer,
            (
                f"How did {NOTES} get its second layer? The same steps, one level higher.",
                f"The container that you commit must come from {NOTES}, and must have added {MINE}.",
                f"`commit` takes the name of the new image: {BAKED}. You may have a fitting container already.",
            ),
        ),
    ),
    parameters=(Parameter("word", ("amber", "cedar", "comet", "fjord", "heron", "lotus", "maple", "otter", "quartz")),),
    version=2,
    questions=(
        Question(
            "who-changes",
            "A container writes into a file of its image. What changes?",
            (
                Choice(
                    "The image: the next container sees the new text.",
                    "The image is read-only. You hashed its layers before and after: not one byte was different.",
                ),
                Choice(
                    "The container's own layer: it gets a copy of the file, and the write goes there.",
                    "That is copy-up. The image's file stays beneath, hidden from this container only.",
                    right=True,
                ),
                Choice(
                    "Nothing: the write fails.",
                    "The write succeeds. It just lands in the container's layer, not in the image.",
                ),
            ),
        ),
        Question(
            "new-container",
            "You start a container from an image. What is copied?",
            (
                Choice(
                    "All files of the image, so that the container may change them.",
                    "Then each container would need the image's whole size. Yours added a few bytes each.",
                ),
                Choice(
                    "The top layer.",
                    "No layer of the image is copied. All of them are shared, the top one too.",
                ),
                Choice(
                    "Nothing. An empty layer is put on top, and a file is copied when it is first changed.",
                    "Copy on write: the work is put off until it is needed, and for most files it never is.",
                    right=True,
                ),
            ),
        ),
        Question(
            "smaller",
            "A container deletes a file of 100 megabytes of its image, and you commit it. Is the new image smaller?",
            (
                Choice(
                    "No. It has one layer more, with a whiteout, and the file is still in the layer below.",
                    "Layers only add. To get rid of a file it must not be in a lower layer in the first place.",
                    right=True,
                ),
                Choice(
                    "Yes, by 100 megabytes.",
                    "The layer with the file is unchanged, and the new image stands on it. The file is only hidden.",
                ),
                Choice(
                    "Yes, but only after the old image is removed.",
                    "The new image needs the old image's layers, whether or not the old name still exists.",
                ),
            ),
        ),
        Question(
            "remove-one",
            "Red and blue come from one image and each has written files. Red is removed. What does blue lose?",
            (
                Choice(
                    "The files of the image.",
                    "They belong to the image. No container takes them along.",
                ),
                Choice(
                    "The files that red wrote before blue did.",
                    "Blue never saw red's files: they were in red's own layer.",
                ),
                Choice(
                    "Nothing.",
                    "Each has its own read-write layer. Red's is gone, blue's is untouched, and so is the image.",
                    right=True,
                ),
            ),
        ),
    ),
)
