"""Lesson 15, Namespaces and capabilities: what may be guessed, tried and asked in it."""

from labkit.lessons.checks_15 import BLUE, LEAST, LODGER, SAFE, just_enough, move_in, safe
from labkit.lessons.material import Choice, Exercise, Material, Prediction, Question

_NAMES = ("red", "blue", "guest", "none", "one", "admin", "free", "sober", "slip")

LESSON = Material(
    number="15",
    title="Namespaces and capabilities: see why root inside is less",
    cast=(*(f"lab15-{name}" for name in _NAMES), LEAST, LODGER, SAFE),
    predictions=(
        Prediction(
            "hostname",
            "Root in red tries to change red's own hostname. What will happen?",
            {
                "It is changed: it is root, and the hostname is red's own.": "changed",
                "It is refused.": "refused",
            },
        ),
        Prediction(
            "one",
            "A container has lost all capabilities and got NET_ADMIN back. How many of the four commands will work?",
            {
                "One.": 1,
                "Three: two as before, and one more.": 3,
                "All four: it is an administrator now.": 4,
            },
        ),
    ),
    exercises=(
        Exercise(
            "just-enough",
            "Two powers and no more",
            just_enough,
            (
                "The table of tries says what chown and chroot need.",
                "To keep two of fourteen, take all away and give two back.",
                f"cap_drop and cap_add take lists. If {LEAST} ends at once, its log says what was refused.",
            ),
        ),
        Exercise(
            "move-in",
            "One network, two containers",
            move_in,
            (
                "The guest did the same with red.",
                f"The option that chooses the network can also name a container: {BLUE}.",
                f"It must stay: give {LODGER} something to do, as the lesson's containers have.",
            ),
        ),
        Exercise(
            "safe",
            "A container with no power at all",
            safe,
            (
                "Four properties, four options. You have seen three of them in this lesson.",
                "Not being root empties the effective set only. What empties the bounding set?",
                f"user, cap_drop, security_opt and read_only: {SAFE} takes all four.",
            ),
        ),
    ),
    questions=(
        Question(
            "root",
            "A process in a container has the user number 0. What may it do?",
            (
                Choice(
                    "Everything, on the whole machine.",
                    "It sees only what its namespaces show, and lacks most capabilities.",
                ),
                Choice(
                    "What its capabilities allow, on what its namespaces show.",
                    "Both questions are asked each time, and seccomp asks a third.",
                    right=True,
                ),
                Choice(
                    "Everything within the container.",
                    "You have seen it fail to change its own hostname.",
                ),
            ),
        ),
        Question(
            "privileged",
            "A program in a container must change network settings. Somebody proposes privileged=True. What is wrong?",
            (
                Choice(
                    "Nothing: it works.",
                    "It works, and opens all other doors too.",
                ),
                Choice(
                    "It gives all 41 powers and the machine's devices, where one power would do.",
                    "NET_ADMIN alone, and only in the container's own network, is what it needs.",
                    right=True,
                ),
                Choice(
                    "A privileged container has no namespaces.",
                    "It still has them. But with its powers and the devices they hold nobody back.",
                ),
            ),
        ),
        Question(
            "kernel",
            "Which of these does a container not have of its own?",
            (
                Choice(
                    "Process numbers.",
                    "The PID namespace gives it its own: its main process is number 1.",
                ),
                Choice(
                    "The kernel.",
                    "All containers ask the same kernel. A fault in it is a hole in every wall.",
                    right=True,
                ),
                Choice(
                    "Ports.",
                    "The network namespace gives it all of them, unless it shares one.",
                ),
            ),
        ),
        Question(
            "user",
            "An image has the line `USER 1000`. Why does no-new-privileges still help?",
            (
                Choice(
                    "It does not: user 1000 has no power.",
                    "It has none now. A program with root's set-user-ID mark would give it some.",
                ),
                Choice(
                    "Without it a program in the image could make the user root again.",
                    "`sudo` works in that way. The mark on the process switches it off.",
                    right=True,
                ),
                Choice(
                    "It hides the other users.",
                    "What is seen is the matter of namespaces. This is about what may be gained.",
                ),
            ),
        ),
        Question(
            "rootless",
            "Somebody breaks out of a container of a rootless engine. Who are they on the machine?",
            (
                Choice(
                    "Root: they were root inside.",
                    "That number is good inside the user namespace only.",
                ),
                Choice(
                    "The user who runs the engine, or one of that user's spare numbers.",
                    "The map in /proc/self/uid_map says which.",
                    right=True,
                ),
                Choice(
                    "Nobody: the kernel ends the process.",
                    "The kernel does not know that anybody broke out. It checks numbers and powers, as ever.",
                ),
            ),
        ),
    ),
)
