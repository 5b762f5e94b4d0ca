"""Lesson 03, Containers and virtual machines (claims C3, C4, C10, C11, C13, C14, C15): guesses, tasks, questions."""

from labkit.lessons.checks_03 import (
    APP,
    ID,
    IMAGE,
    KEEPER,
    MINE,
    NOTE,
    PAIR,
    carve,
    one_kernel,
    small_app,
    stop_start,
)
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="03",
    title="Containers and virtual machines",
    cast=("lab03-box", "lab03-neighbour", *PAIR, KEEPER, APP),
    predictions=(
        Prediction(
            "processes",
            "An operating system is about to boot in the machine. No app is in it. How many processes will it have?",
            {"None: no app, no process.": 0, "One.": 1, "More than ten.": 2},
        ),
        Prediction(
            "kernel",
            "Two containers and a virtual machine run. How many kernels is that?",
            {"One: they all share it.": 1, "Two.": 2, "Three: one for each.": 3},
        ),
        Prediction(
            "faster",
            "Which is ready first: a container, or a virtual machine with the same app?",
            {"The container.": "container", "The machine.": "machine", "Both take the same time.": "same"},
        ),
    ),
    exercises=(
        Exercise(
            "one-kernel",
            "Two containers, one kernel",
            one_kernel,
            (
                f"Two containers from {IMAGE} that stay alive for a while. Each writes one file, {ID}.",
                "The kernel's boot ID is a file, and you have read it in this lesson. Where was it?",
                "A command's output goes into a file with `>`. That needs a shell: a list of `sh`, `-c` and the line.",
            ),
        ),
        Exercise(
            "carve",
            "Carve a machine",
            carve,
            (
                "`labkit.VM` takes what the machine shall have: each kind of device is an argument.",
                "The lesson's own machine has one of each. Look at the call that made it.",
                "Made is not booted. And keep it in a variable of its own, or it is forgotten.",
            ),
        ),
        Exercise(
            "stop-start",
            "Stop and start",
            stop_start,
            (
                f"The container {KEEPER} needs a command that stays busy, and a file {NOTE}.",
                "The verbs are methods of the container, and the lesson has used both.",
                "`restart` is both at once. A new container under the old name is not the same one.",
            ),
        ),
        Exercise(
            "small-app",
            "The app, and nothing else",
            small_app,
            (
                f"Let a container from {IMAGE} write {MINE}, then make an image of it. Lesson 02 has done it.",
                "`commit` makes the container's own layer the top layer of a new image, and takes its name.",
                "Too big, or too many layers? Begin again with a fresh container, and write that one file only.",
            ),
        ),
    ),
    parameters=(Parameter("word", ("acorn", "basil", "clover", "daisy", "fern", "hazel", "ivy", "juniper", "myrtle")),),
    questions=(
        Question(
            "small-vm",
            "Is a container a small virtual machine?",
            (
                Choice(
                    "Yes: it has a small kernel, on small virtual hardware.",
                    "It has no kernel and no hardware of its own. You saw one boot ID in both containers.",
                ),
                Choice(
                    "No: it is a group of processes that see a virtual operating system.",
                    "A virtual machine virtualizes hardware, a container virtualizes the operating system.",
                    right=True,
                ),
                Choice(
                    "Yes: the engine boots a hidden virtual machine for each container.",
                    "On Linux it boots nothing at all. On other systems there is one machine for all containers.",
                ),
            ),
        ),
        Question(
            "carves",
            "What does a hypervisor carve, and what does a container engine carve?",
            (
                Choice("Both carve up hardware.", "The engine leaves the hardware to the operating system."),
                Choice(
                    "The hypervisor hardware; the engine resources of an operating system.",
                    "Virtual processors and disks here; virtual process trees and file systems there.",
                    right=True,
                ),
                Choice(
                    "The hypervisor operating systems; the engine apps.",
                    "The hypervisor does not care what runs in its machines. An operating system is put in afterwards.",
                ),
            ),
        ),
        Question(
            "why-fast",
            "Why does a container start faster?",
            (
                Choice(
                    "Its operating system is up already, and only a process has to be started.",
                    "That is all. The machine had to boot a kernel first.",
                    right=True,
                ),
                Choice(
                    "Its image is small, so there is less to read.",
                    "A large image starts as fast: files are read when somebody opens them.",
                ),
                Choice(
                    "It was started once before, and was only woken.",
                    "Each time it was a new container, made, started and removed.",
                ),
            ),
        ),
        Question(
            "kvm",
            "The processor helps, and your virtual machine boots in a tenth of a second. What is still different?",
            (
                Choice(
                    "Nothing: then it is a container.",
                    "Speed is not what makes the difference. There would still be two kernels.",
                ),
                Choice(
                    "Each machine still has a kernel of its own, with memory and files of its own.",
                    "It costs space for each machine. It also makes a thicker wall between them.",
                    right=True,
                ),
                Choice(
                    "The machine could no longer be stopped and started.",
                    "The verbs are the same on any hardware, for machines and for containers.",
                ),
            ),
        ),
        Question(
            "wall",
            "You run a stranger's program, and want the thickest wall around it. What do you take?",
            (
                Choice(
                    "A container: it can't even see other processes.",
                    "It still calls the one kernel that all share. A flaw in that concerns everybody.",
                ),
                Choice(
                    "A virtual machine: its kernel is not yours.",
                    "What it can reach of yours is only virtual hardware, which is little and well watched.",
                    right=True,
                ),
                Choice(
                    "It makes no difference.",
                    "Count the kernels. One shared kernel is one place where a flaw is enough.",
                ),
            ),
        ),
    ),
)
