"""Lesson 04, Build a container by hand (claims C10 and C12): what may be guessed, tried and asked in it."""

from labkit.lessons.checks_04 import BOX, GUEST, IMAGE, TWIN, by_hand, one_net, twin
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="04",
    title="Build a container by hand",
    cast=(BOX, GUEST, TWIN),
    predictions=(
        Prediction(
            "hostname",
            "The child is in a UTS namespace of its own, and sets the hostname to `by-hand`. Who sees the new name?",
            {"The whole machine.": "all", "The child only.": "child", "Nobody: only the machine's root may.": "none"},
        ),
        Prediction(
            "pid",
            "The child asks for a new pid namespace. Which number does it have after that?",
            {"1": "one", "The same as before.": "same", "None.": "none"},
        ),
    ),
    exercises=(
        Exercise(
            "by-hand",
            "Once more, by hand",
            by_hand,
            (
                "Begin with labkit.Child(client). The cells of this lesson, in their order, are the whole recipe.",
                "You may leave steps out. Which ones does the task ask for? A new root needs a mount first.",
                "It has to be process 1, so there is a fork. At last it has to be a shell: the image has one.",
            ),
        ),
        Exercise(
            "one-net",
            "Share one namespace",
            one_net,
            (
                f"Two containers, {BOX} and {GUEST}. The first may be the lesson's own.",
                "`run` takes a network mode. Besides `none` and `bridge` there is a form that names a container.",
                "The form is a word, a colon, and the name. The help of `run` shows it beside `--network`.",
            ),
        ),
        Exercise(
            "twin",
            "Ask the engine for the same",
            twin,
            (
                f"One call of `run` from {IMAGE}, with two more arguments. Let the command stay busy.",
                "The hostname has an argument of its own. So have the capabilities that are to be dropped.",
                "There is a word that stands for every capability.",
            ),
        ),
    ),
    parameters=(
        Parameter("word", ("anvil", "bolt", "chisel", "forge", "hammer", "mallet", "rivet", "tongs", "wrench")),
    ),
    questions=(
        Question(
            "what",
            "To the Linux kernel, what is a container?",
            (
                Choice("A kind of process of its own.", "You made one of an ordinary process, with ordinary calls."),
                Choice(
                    "Processes with namespaces, a root and limits of their own. It has no word for the whole.",
                    "Each part is a call by itself, and can be had without the others.",
                    right=True,
                ),
                Choice("A small virtual machine.", "Nothing was booted, and no hardware was made."),
            ),
        ),
        Question(
            "pid-one",
            "Why did the child have to fork after asking for a pid namespace?",
            (
                Choice(
                    "A process keeps its number. Only its children are born in the new namespace.",
                    "The first of them is number 1 there.",
                    right=True,
                ),
                Choice("A namespace needs two processes.", "One is enough; the engine's container has only one."),
                Choice("To have a copy if something goes wrong.", "The one outside only waits for the one inside."),
            ),
        ),
        Question(
            "pivot",
            "The tree was mounted already. What did pivot_root add?",
            (
                Choice("It copied the files.", "No file was copied. The mount was there before."),
                Choice(
                    "The tree became the root, and the machine's own tree was out of reach.",
                    "That is what makes it a container's file system and not just a folder.",
                    right=True,
                ),
                Choice("It made the tree read-only.", "You can write in it: the writes go to the upper folder."),
            ),
        ),
        Question(
            "root",
            "The child was root, and so is a container's first process. May it do all that root may?",
            (
                Choice("Yes: root is root.", "Root's power is cut into capabilities, and you took most of them away."),
                Choice(
                    "No: it has only the capabilities that were left to it.",
                    "The engine leaves a container's root some of them, unless you ask for others.",
                    right=True,
                ),
                Choice("No: root in a container is an ordinary user.", "Its number is 0, and it may do some of it."),
            ),
        ),
    ),
)
