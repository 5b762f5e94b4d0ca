"""Lesson 14, Set limits, and see them kept: what may be guessed, tried and asked in it."""

from labkit.lessons.checks_14 import DAM, FIT, HIGH, LOW, dam, fit, three_to_one
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

_NAMES = ("free", "hog", "parent", "bomb", "busy", "light", "heavy", "tiny")

LESSON = Material(
    number="14",
    title="Set limits, and see them kept",
    cast=(*(f"lab14-{name}" for name in _NAMES), FIT, DAM, LOW, HIGH),
    predictions=(
        Prediction(
            "memory",
            "The program wants more memory than its limit. What will happen?",
            {
                "It gets an error message, and can go on with less.": "error",
                "It is made to wait until memory is free.": "waits",
                "It is killed.": "killed",
            },
        ),
        Prediction(
            "child",
            "The child of the main process uses too much memory. What will happen to the container?",
            {
                "It ends: the limit is the container's.": "ends",
                "It runs on, without the child.": "runs",
            },
        ),
        Prediction(
            "flood",
            "The loop wants to start 100 processes, and 20 are allowed. What will happen at the limit?",
            {
                "The container is killed, as it was for memory.": "killed",
                "No further process can be started, and the program is told.": "refused",
                "The oldest processes are ended to make room.": "ends",
            },
        ),
        Prediction(
            "cpu",
            "An endless loop may use a tenth of one processor. What will happen at the limit?",
            {
                "It is killed.": "killed",
                "It gets an error.": "error",
                "It has to wait.": "waits",
            },
        ),
    ),
    exercises=(
        Exercise(
            "fit",
            "Enough memory, and not too much",
            fit,
            (
                "Try a small limit first, and look at the exit code.",
                "mem_limit takes a number of bytes, or a text such as '24m'.",
                f"{FIT} must have ended when you check. `wait()` waits for that; remove it before you try again.",
            ),
        ),
        Exercise(
            "dam",
            "A flood is stopped at your number",
            dam,
            (
                "The lesson did the same with another number.",
                "`lesson.word('most')` gives the number; the option is the one of the bomb.",
                f"{DAM} must not be removed when it has ended: its log is looked at.",
            ),
        ),
        Exercise(
            "three-to-one",
            "One gets three times as much",
            three_to_one,
            (
                "Is it a limit that is asked for, or a share?",
                "Only the proportion counts: choose one number, and three times that.",
                f"cpu_shares takes the number. {LOW} and {HIGH} must both be running, whatever they do.",
            ),
        ),
    ),
    parameters=(Parameter("most", (12, 14, 16, 18, 22, 24, 26, 28)),),
    questions=(
        Question(
            "silent",
            "A container has ended with exit code 137, and its log is empty. What do you suspect?",
            (
                Choice(
                    "A fault in the program, which forgot to write its error.",
                    "SIGKILL can't be caught. No program can write a last line then.",
                ),
                Choice(
                    "Somebody or something killed it: maybe the OOM killer.",
                    "OOMKilled in `docker inspect` tells. If it is false, it was another SIGKILL, as from docker kill.",
                    right=True,
                ),
                Choice(
                    "Nothing: the program ended by itself, with 137 as its result.",
                    "A program can choose that number, and hardly any does. 128 + 9 says signal 9.",
                ),
            ),
        ),
        Question(
            "reserve",
            "You start a container with a memory limit of 4 GiB. How much memory is taken from the machine at once?",
            (
                Choice(
                    "4 GiB: they are set aside for the container.",
                    "A virtual machine often gets its memory so. A container does not.",
                ),
                Choice(
                    "What its processes use; the limit is only the most that they may.",
                    "The sum of all limits may be far more than the machine has. Then it is a bet.",
                    right=True,
                ),
                Choice(
                    "Half of it, the rest on demand.",
                    "Nothing is set aside. It counts what is used.",
                ),
            ),
        ),
        Question(
            "slow",
            "A service became slow after somebody gave it `--cpus 0.5`. There is no error in its log. Why?",
            (
                Choice(
                    "It is throttled: it waits for its next share of time.",
                    "The kernel holds it back without a word. throttled_periods in the measurements shows it.",
                    right=True,
                ),
                Choice(
                    "It was killed and restarted again and again.",
                    "No process is ever killed for using the processor.",
                ),
                Choice(
                    "It has half the memory as well.",
                    "Each limit stands for itself.",
                ),
            ),
        ),
        Question(
            "meminfo",
            "A program in a container with a limit of 512 MiB reads /proc/meminfo. What does it read there?",
            (
                Choice(
                    "512 MiB.",
                    "There is no namespace for memory. The file is the machine's.",
                ),
                Choice(
                    "The memory of the machine.",
                    "So a program that takes half of it may be killed. Its control group has the true number.",
                    right=True,
                ),
                Choice(
                    "Nothing: the file is hidden.",
                    "You have read it in the lesson.",
                ),
            ),
        ),
        Question(
            "shares",
            "A container with 256 CPU shares is alone on its machine. How much of the processors may it use?",
            (
                Choice(
                    "A quarter: 256 of 1024.",
                    "A share is no part of the machine. It is a weight against others.",
                ),
                Choice(
                    "All of them.",
                    "Nobody else wants them, so its weight does not matter.",
                    right=True,
                ),
                Choice(
                    "None, until another container starts.",
                    "The kernel leaves no processor idle while somebody wants it.",
                ),
            ),
        ),
    ),
)
