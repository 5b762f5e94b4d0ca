"""Lesson 12, Let the engine restart what fails: what may be guessed, tried and asked in it."""

from labkit.lessons.checks_12 import SICK, SURVIVOR, TRIES, crash_and_stop, give_up, sick
from labkit.lessons.material import Choice, Exercise, Material, Parameter, Prediction, Question

LESSON = Material(
    number="12",
    title="Let the engine restart what fails",
    cast=(
        *("lab12-plain", "lab12-always", "lab12-done", "lab12-failing", "lab12-damaged", "lab12-server"),
        *(TRIES, SICK, SURVIVOR),
    ),
    predictions=(
        Prediction(
            "crash",
            "The policy is always, a file /tmp/mark is in the container, and the main process crashes. What then?",
            {
                "The engine starts the same container again, mark and all.": "same",
                "The engine makes a new container from the image, without the mark.": "new",
                "The container stays down until somebody looks.": "exited",
            },
        ),
        Prediction(
            "kill",
            "The policy is always, and you run `docker kill`. What happens?",
            {
                "The engine starts it again: always is always.": "running",
                "It stays down.": "exited",
                "It is paused between two restarts.": "restarting",
            },
        ),
        Prediction(
            "damage",
            "The policy is always. A file that the app needs is deleted inside, and the app crashes. What then?",
            {
                "It runs again: the image has the file.": "running",
                "It fails again and again.": "restarting",
                "The engine gives up after three tries.": "exited",
            },
        ),
        Prediction(
            "hung",
            "The server hangs, and the health check fails. The policy is always. What does the engine do?",
            {
                "It restarts the container.": "restarting",
                "It stops the container.": "exited",
                "It says unhealthy, and nothing more.": "unhealthy",
            },
        ),
    ),
    exercises=(
        Exercise(
            "give-up",
            "Try, and give up",
            give_up,
            (
                "Which policy looks at the exit code, and can be told how often?",
                "The command must fail each time: `sh -c` with an exit code other than 0.",
                "The number is MaximumRetryCount. The waits double, so give it some seconds, then check.",
            ),
        ),
        Exercise(
            "sick",
            "Sick, and still running",
            sick,
            (
                "Two things go on: a main process that sleeps, and a check of its own that can be made to fail.",
                "Let the main process make a file and then sleep. The check is `test -e` with that file.",
                "Wait until it is healthy. Then delete the file, with exec. Short intervals save you time.",
            ),
        ),
        Exercise(
            "crash-and-stop",
            "A crash and a stop",
            crash_and_stop,
            (
                "The lesson's `run` and `crash` do the first half. Look at `facts` in between.",
                "A `docker kill` is no crash. The main process must end by itself, or by a signal from inside.",
                "When it runs again, stop it. Its number of restarts is kept.",
            ),
        ),
    ),
    parameters=(Parameter("tries", (2, 3, 4, 5, 6)),),
    questions=(
        Question(
            "test-it",
            "You want to see whether `--restart always` works, and run `docker kill`. It stays down. Why?",
            (
                Choice(
                    "The policy is broken.",
                    "It works. It was simply not its turn: you had asked for the end.",
                ),
                Choice(
                    "The engine was asked to end it, and a policy does not work against you.",
                    "Let the main process end by itself, and the policy acts.",
                    right=True,
                ),
                Choice(
                    "After a kill the read-write layer is gone.",
                    "The layer stays until the container is removed. `docker start` brings it back at once.",
                ),
            ),
        ),
        Question(
            "slower",
            "A container fails at each start. Its restarts come slower and slower. Why?",
            (
                Choice(
                    "The machine is running out of memory.",
                    "A failed run gives its memory back. The waits are made on purpose.",
                ),
                Choice(
                    "The engine doubles its wait after each failure.",
                    "That is the back-off. It spares the machine, up to one try a minute.",
                    right=True,
                ),
                Choice(
                    "The read-write layer grows with each restart.",
                    "It is the same layer each time, and a restart writes nothing into it.",
                ),
            ),
        ),
        Question(
            "heals",
            "Which of these does `--restart always` heal?",
            (
                Choice(
                    "A server that hangs.",
                    "Its process has not ended, so there is nothing for a policy to do.",
                ),
                Choice(
                    "A server that can't read its setting, because it is misspelt.",
                    "Each restart has the same setting. It ends in a restart loop.",
                ),
                Choice(
                    "A server that crashes now and then, by a rare fault.",
                    "A new process begins afresh, and the fault is rare. This is what it is for.",
                    right=True,
                ),
            ),
        ),
        Question(
            "unhealthy",
            "`docker ps` says `Up 3 hours (unhealthy)`. What will a lone Docker engine do about it?",
            (
                Choice(
                    "Nothing.",
                    "It shows what it knows. Somebody else must act: you, a script, an orchestrator.",
                    right=True,
                ),
                Choice(
                    "Restart it, if it has a restart policy.",
                    "A policy looks at the end of the main process only. Yours ran on, and the count stayed 0.",
                ),
                Choice(
                    "Send no more requests to it.",
                    "The engine does not look at requests. A published port leads to it as before.",
                ),
            ),
        ),
    ),
)
