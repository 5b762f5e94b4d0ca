"""Lesson 19, Write `docker run` in a page of Python: what may be guessed, tried and asked in it."""

from labkit.lessons.checks_19 import own_page, read_only, volume
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="19",
    title="Write `docker run` in a page of Python",
    cast=("lab19-box",),
    predictions=(
        Prediction(
            "first",
            "Our first `run` starts a program, and keeps nothing apart. How many of the ten promises does it keep?",
            {"None.": "none", "Some of them.": "some", "All of them.": "all"},
        ),
        Prediction(
            "fork",
            "A process asks for a new pid namespace, becomes a shell, and the shell runs `ls` two times. What happens?",
            {"Both work.": 2, "The first works, the second does not.": 1, "Neither works.": 0},
        ),
    ),
    exercises=(
        Exercise(
            "own-page",
            "Your own page",
            own_page,
            (
                "Begin with labkit.Child(client), and give it the layer. All the rest are cells of this lesson.",
                "The order of the calls in the new process matters: views first, then the root, then the powers.",
                "One thing is not as in the lesson: the hostname. Which call sets it, and in which namespace?",
            ),
        ),
        Exercise(
            "read-only",
            "Sealed, with one pocket",
            read_only,
            (
                "Docker does it with a flag and a tmpfs. One function of the page is concerned.",
                "An overlay may have no upper folder. But it needs another lower one then, or the mount has a flag.",
                "MS_RDONLY is the flag. The pocket is a mount of its own, made before the root is exchanged.",
            ),
        ),
        Exercise(
            "volume",
            "A folder that stays",
            volume,
            (
                "A volume is a folder outside that is mounted inside. One function of the page is concerned.",
                "The folder is made once, beside the image's files. The mount is made for each container.",
                "The flag for such a mount is MS_BIND, and its place, /data, must exist before.",
            ),
        ),
    ),
    parameters=(Parameter("word", ("atlas", "beacon", "cairn", "delta", "ember", "gable", "harbor", "isle", "jetty")),),
    questions=(
        Question(
            "essence",
            "Which of these does `docker run` need from the kernel, and a page of Python as well?",
            (
                Choice("A module called docker.", "The kernel has none. It knows processes, namespaces and mounts."),
                Choice(
                    "Namespaces, mounts and capabilities, through ordinary system calls.",
                    "You made all of them, one by one.",
                    right=True,
                ),
                Choice("A hypervisor.", "Nothing was virtualized but views of one kernel."),
            ),
        ),
        Question(
            "two-forks",
            "Why does `run` fork twice before the program starts?",
            (
                Choice(
                    "The first gives up its views, the second is born in the new pid namespace, as number 1.",
                    "And the first one waits for it, to hand on its exit code.",
                    right=True,
                ),
                Choice("For safety, if one of them fails.", "If either fails, there is no container."),
                Choice("One is for the output, one for errors.", "Both go into the same pipe."),
            ),
        ),
        Question(
            "order",
            "What happens if the powers are taken away before the root is exchanged?",
            (
                Choice("Nothing, the order is free.", "Try it: pivot_root asks for a power that is gone."),
                Choice(
                    "The mounts and the exchange of the root are refused.",
                    "To set up a container one needs more power than the container shall have.",
                    right=True,
                ),
                Choice("The container keeps its powers.", "They are gone at once, for whatever comes after."),
            ),
        ),
        Question(
            "engine",
            "Your page keeps all ten promises. What does a real engine have that it has not?",
            (
                Choice("Nothing.", "Stop your notebook, and look for your containers."),
                Choice("Real containers.", "Yours are as real: the kernel can't tell them apart."),
                Choice(
                    "What lies around it: networks, logs, limits, images that come and go, a life after the call.",
                    "That is the larger part of an engine, and none of it makes the container.",
                    right=True,
                ),
            ),
        ),
    ),
)
