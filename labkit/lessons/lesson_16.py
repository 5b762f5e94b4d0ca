"""Lesson 16, Connect networks and publish ports: what may be guessed, tried and asked in it."""

from labkit.lessons.checks_16 import GATE, INNER, LATE, MINE, NET, SITE, VAULT, doorman, join, publish
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

OWN = ("one", "two", "left", "right", "open", "second", "vault", "gate", "none", "host", "guest", "back")

LESSON = Material(
    number="16",
    title="Connect networks and publish ports",
    cast=(SITE, NET, MINE, LATE, INNER, GATE, VAULT, *(f"lab16-{name}" for name in OWN)),
    predictions=(
        Prediction(
            "same-port",
            "A container listens on port 80. A second one, from the same image, wants port 80 too. What happens?",
            {
                "It fails: the port is taken.": False,
                "Both serve their page on port 80.": True,
            },
        ),
        Prediction(
            "default-name",
            "Both are on the engine's default network. lab16-two knows name and address of lab16-one. What reaches it?",
            {
                "The name and the address.": "both",
                "The address only.": "address",
                "Neither: containers are closed off from each other.": "neither",
            },
        ),
        Prediction(
            "exposed",
            "The Dockerfile says EXPOSE 80. On which port of this machine can the page of lab16-one be opened?",
            {
                "On port 80.": "80",
                "On a port that the engine has chosen.": "chosen",
                "On none.": "none",
            },
        ),
    ),
    exercises=(
        Exercise(
            "publish",
            "A page for this machine only",
            publish,
            (
                "`run` of this lesson does nearly all of it. Which variable does it set, and to what?",
                "`ports` is a dictionary: the container's port and protocol, and what it is on this machine.",
                "An address and a port make a pair. With `None` as port the engine chooses a free one.",
            ),
        ),
        Exercise(
            "join",
            "Connect a running container",
            join,
            (
                "A network object has a method for this. It takes the container.",
                "The same method takes further names, as a list.",
                "Connected already, without the name? Disconnect it, then connect it again.",
            ),
        ),
        Exercise(
            "doorman",
            "One door between two networks",
            doorman,
            (
                "The lesson has built the same thing with other names. Count what it needed.",
                "Whether a network is internal is said when it is made.",
                "A container starts on one network. The second one is connected afterwards.",
            ),
        ),
    ),
    parameters=(
        Parameter("word", ("alpaca", "badger", "cuckoo", "dingo", "ferret", "gecko", "ibis", "jackal")),
        Parameter("alias", ("printer", "mailbox", "archive", "counter", "library", "studio")),
    ),
    questions=(
        Question(
            "expose",
            "What does EXPOSE in a Dockerfile do?",
            (
                Choice(
                    "It opens the port on the host.",
                    "You looked: nothing was published. Only `--publish` does that, when the container is made.",
                ),
                Choice(
                    "It notes in the image which port the program listens on.",
                    "A note for people and tools. `--publish-all` reads it, for example.",
                    right=True,
                ),
                Choice(
                    "It lets the other containers reach the port.",
                    "On a common network they can reach every port on which something listens, noted or not.",
                ),
            ),
        ),
        Question(
            "localhost",
            "In a container, a program opens http://localhost:80/. Whom does it ask?",
            (
                Choice(
                    "The host: localhost is the machine.",
                    "The container has a loopback interface of its own. The host's is in another network namespace.",
                ),
                Choice(
                    "The container itself.",
                    "So a service in the next container is not at localhost. It has a name on the network.",
                    right=True,
                ),
                Choice(
                    "Whichever container listens on port 80.",
                    "Many can, at the same time, each on its own interfaces. localhost leads to none of the others.",
                ),
            ),
        ),
        Question(
            "default-bridge",
            "Why make a network, when there is a default one?",
            (
                Choice(
                    "Containers on the default bridge can't reach each other.",
                    "They can, by address. You did it.",
                ),
                Choice(
                    "A network that you make is faster.",
                    "Both are bridges of the same kind.",
                ),
                Choice(
                    "On yours, containers are found by name, and only those you connect are on it.",
                    "Names, and company of your choice. These are the two reasons.",
                    right=True,
                ),
            ),
        ),
        Question(
            "every-address",
            "`--publish 8080:80`, without an address. Who can open the page?",
            (
                Choice(
                    "Only programs on this machine.",
                    "For that the address must be named: 127.0.0.1:8080:80.",
                ),
                Choice(
                    "Everybody who can reach one of this machine's addresses.",
                    "Without an address it is all of them. On a train or in a hotel, few people want that.",
                    right=True,
                ),
                Choice(
                    "Other containers only.",
                    "They need no published port: they share a network.",
                ),
            ),
        ),
    ),
)
