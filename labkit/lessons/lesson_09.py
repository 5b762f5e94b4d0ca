"""Lesson 09, Connect four services (claim C9): what may be guessed, tried and asked in it."""

from labkit.lessons.checks_09 import FOUR, REVIEWS, SHOP, fifth_service, replace_auth, second_version
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="09",
    title="Connect four services",
    cast=(*FOUR, REVIEWS, SHOP, "lab09-visitors"),
    predictions=(
        Prediction(
            "kill",
            "The catalog is about to be killed. What will a visitor of the web server see?",
            {
                "No page at all: the shop is down.": "down",
                "A page on which only the catalog is missing.": "gap",
                "The whole page: the engine starts the catalog again at once.": "whole",
            },
        ),
        Prediction(
            "find",
            "A new catalog starts under the old name. The web server has run all the time. Does it find the new one?",
            {
                "No: it knows the old address, and must be restarted.": "no",
                "Yes: it asks for the name each time.": "yes",
            },
        ),
    ),
    exercises=(
        Exercise(
            "fifth-service",
            "A fifth service",
            fifth_service,
            (
                "Two steps, as for the other four: an image, then a container from it.",
                "`build` makes an image from a name and one line of shell. `echo` is enough for the line.",
                "`start` gives the container its name and its network. It wants the name without `lab09-`.",
            ),
        ),
        Exercise(
            "second-version",
            "A new version of one service",
            second_version,
            (
                "A new version is a new image. `build` takes a name with a tag: `store:2`.",
                "Two containers can't have one name. What has to go first?",
                "The replacement keeps the name, and comes from another image: `start` has a second argument.",
            ),
        ),
        Exercise(
            "replace-auth",
            "Replace one of four",
            replace_auth,
            (
                "The same steps as for the catalog, with another name.",
                "A dead container still holds its name, until it is removed.",
                "Killed, removed, started anew: look at the cells under 'Kill one' and 'Replace it'.",
            ),
        ),
    ),
    parameters=(
        Parameter("word", ("great", "lovely", "sturdy", "shiny", "handy", "bright", "cosy", "solid")),
        Parameter("lamps", (4, 6, 8, 9, 11, 12, 15, 20)),
    ),
    questions=(
        Question(
            "why-four",
            "Why is a shop with four features four containers, and not one container with four programs?",
            (
                Choice(
                    "A container can hold only one program.",
                    "It can hold many, and run many. It is a choice, and there are reasons for it.",
                ),
                Choice(
                    "Each part can fail, be replaced and be brought up to date without the others.",
                    "You replaced the catalog, and nobody else even noticed more than a gap.",
                    right=True,
                ),
                Choice(
                    "Four containers are faster than one.",
                    "Calls over a network are slower than calls inside a program. Speed is not the reason.",
                ),
            ),
        ),
        Question(
            "address",
            "A replaced container may have another IP address. How do the others find it?",
            (
                Choice(
                    "They ask for its name, and the engine's resolver knows the address of today.",
                    "That is why services call each other by name, and why the replacement keeps the name.",
                    right=True,
                ),
                Choice(
                    "The engine sends all packets for the old address to the new one.",
                    "Nobody forwards anything. The old address may soon be another container's.",
                ),
                Choice(
                    "They have to be restarted.",
                    "The web server was never restarted. It asked again for the name, as for each page.",
                ),
            ),
        ),
        Question(
            "waiting",
            "A service calls another one that has died. Why does the call stand behind `timeout`?",
            (
                Choice(
                    "So that the engine notices the death.",
                    "The engine notices by itself: the main process has ended. It needs no call for that.",
                ),
                Choice(
                    "Because a dead container answers slowly.",
                    "It does not answer at all. That is the point.",
                ),
                Choice(
                    "A caller that waits for ever is out of service too.",
                    "So one failure would spread from service to service. A bounded wait keeps it small.",
                    right=True,
                ),
            ),
        ),
        Question(
            "who-replaced",
            "Who put the new catalog in its place?",
            (
                Choice(
                    "The engine: it had promised four services.",
                    "It promised nothing. `run` starts one container, once.",
                ),
                Choice(
                    "You did. An orchestrator, such as Kubernetes, does it without being asked.",
                    "An orchestrator compares what should run with what runs, and does what you did by hand.",
                    right=True,
                ),
                Choice(
                    "The web server: it needed a catalog.",
                    "It noticed a missing answer and left a gap. It can't start containers.",
                ),
            ),
        ),
    ),
)
