"""Lesson 08, Run one process in each container (claim C8): what may be guessed, tried and asked in it."""

from labkit.lessons.checks_08 import APP, BOTH, PAIR, POLITE, TIDY, app_is_one, no_zombies, one_job_each
from labkit.lessons.material import Choice, Exercise, Material, Prediction, Question

LESSON = Material(
    number="08",
    title="Run one process in each container",
    cast=(
        *("lab08-solo", "lab08-maker", "lab08-open", "lab08-wrapped", "lab08-direct", "lab08-home", "lab08-cared"),
        *("lab08-web", "lab08-store", BOTH, POLITE, TIDY, *PAIR),
    ),
    predictions=(
        Prediction(
            "end",
            "The app is PID 1, and a helper is busy beside it. The app ends. What happens to the container?",
            {
                "It runs on until the helper has ended too.": "running",
                "It ends, and takes the helper along.": "exited",
                "It is paused until somebody decides.": "paused",
            },
        ),
        Prediction(
            "inside",
            "Somebody in the container runs `kill -9 1`. What happens?",
            {
                "PID 1 is killed, and the container ends.": "exited",
                "The command fails: not permitted.": "refused",
                "Nothing: PID 1 goes on.": "running",
            },
        ),
        Prediction(
            "shell",
            "PID 1 is a shell, and the app is its child. `stop` sends TERM. How does the container end?",
            {
                "With 0: the shell tells the app, and the app closes.": 0,
                "With 143: TERM ends the shell at once.": 143,
                "With 137: nothing happens until the grace period is over.": 137,
            },
        ),
        Prediction(
            "half",
            "Two apps run in one container, and one of them ends. What does the engine say of the container?",
            {
                "running: PID 1 is well.": "running",
                "exited: a process of it has ended.": "exited",
                "restarting: it mends what is broken.": "restarting",
            },
        ),
    ),
    exercises=(
        Exercise(
            "app-is-one",
            "The app as PID 1",
            app_is_one,
            (
                f"The app of {APP} is the command `sh /app.sh`. Who is its parent in your container, and must it be?",
                "A shell can become another program instead of starting it as a child. One word does that.",
                "Or do without a shell: the engine too can choose the folder in which PID 1 starts.",
            ),
        ),
        Exercise(
            "no-zombies",
            "A PID 1 that reaps",
            no_zombies,
            (
                "`sleep` as PID 1 never asks for the exit code of a child. Let something else be PID 1.",
                "The engine can put a program in front of your command whose only task this is.",
                "It is an argument of `run`, and the lesson has used it once. The command itself stays the same.",
            ),
        ),
        Exercise(
            "one-job-each",
            "One job each",
            one_job_each,
            (
                f"The image {APP} has a command that starts the app once. What if you give no command at all?",
                f"Start {PAIR[0]} and {PAIR[1]} in the same way. Only the names differ.",
                f"Then remove {BOTH}, by force, as it runs.",
            ),
        ),
    ),
    questions=(
        Question(
            "lives-as-long",
            "A container runs a server as PID 1, and you have a shell open in it. The server crashes. What do you see?",
            (
                Choice(
                    "The shell stays, so that you can look for the cause.",
                    "The kernel kills everything in a PID namespace when its PID 1 ends. Your shell is in it.",
                ),
                Choice(
                    "The shell ends too: the container has ended.",
                    "A container lives as long as its PID 1. For the cause, there are `docker logs` and `docker cp`.",
                    right=True,
                ),
                Choice(
                    "The shell becomes PID 1, and the container goes on.",
                    "Nobody inherits the number 1. There is one first process, and without it the namespace is over.",
                ),
            ),
        ),
        Question(
            "slow-stop",
            "A container takes ten seconds to stop, each time, and ends with 137. What is the most likely cause?",
            (
                Choice(
                    "Its files are being saved.",
                    "The read-write layer is on disk already. Nothing is saved at a stop.",
                ),
                Choice(
                    "The engine is slow.",
                    "Ten seconds is the grace period to the second. The engine waits for a process that does not end.",
                ),
                Choice(
                    "TERM does not reach the app: PID 1 has no handler for it.",
                    "A shell as PID 1 is the usual case. `exec`, an init or a handler mends it.",
                    right=True,
                ),
            ),
        ),
        Question(
            "zombie",
            "A zombie is in the list. How do you get rid of it?",
            (
                Choice(
                    "Send it KILL.",
                    "It is dead already. What is left is an entry in a table, and no signal can change that.",
                ),
                Choice(
                    "Its parent must ask for its exit code, or end itself.",
                    "That is called to reap. An init as PID 1 does it for every orphan.",
                    right=True,
                ),
                Choice(
                    "Wait: the kernel removes it after a while.",
                    "It stays as long as its parent lives and does not ask. That can be years.",
                ),
            ),
        ),
        Question(
            "how-many",
            "A web server starts eight worker processes. Does it need nine containers?",
            (
                Choice(
                    "Yes: one process, one container.",
                    "The rule is about jobs. The workers are one job, and their parent is PID 1 and watches them.",
                ),
                Choice(
                    "No: it is one job, and its PID 1 takes care of the workers.",
                    "When PID 1 ends, the job has ended, and the engine sees it. That is what the rule is for.",
                    right=True,
                ),
                Choice(
                    "No: it makes no difference what is put into one container.",
                    "It does: of two jobs in one container, the engine sees at most one.",
                ),
            ),
        ),
    ),
)
