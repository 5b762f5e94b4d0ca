"""The checks of lesson 05: each looks at a container's state, its files and the signals that it was sent."""

import signal

from docker.models.containers import Container

from labkit.lessons.evidence import Evidence, exit_code, moment
from labkit.lessons.material import Outcome, not_yet, passed
from labkit.lessons.missing import missing, wrong_image

IMAGE = "labkit/base"
DIARY, SIGNAL, GENTLE = "lab05-diary", "lab05-signal", "lab05-gentle"
PAGE = "/diary.txt"
SIGNALS = ("SIGHUP", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGALRM")

# the parts of the notebook that a message sends back to
CREATE, STOP, AGAIN = "Create is not start", "Stop: the files stay", "Start it again"
CODES, GRACE = "How did it end? Exit codes", "The grace period"


# --- diary ----------------------------------------------------------------------------------------


def diary(evidence: Evidence) -> Outcome:
    """A running container with a file that is older than its last stop."""
    word = str(evidence.words["word"])
    expected = f"{DIARY}, running, started again after a stop, with {word} in {PAGE} from before the stop"
    container = evidence.container(DIARY)
    if container is None:
        return missing(evidence, DIARY, expected, STOP)
    if wrong := wrong_image(evidence, container, IMAGE):
        return not_yet(*wrong, expected, CREATE)
    if container.status != "running":
        return not_yet(*_not_running(container), expected, AGAIN)
    text = evidence.file(container, PAGE)
    if text is None:
        return not_yet("nothing changed", f"{DIARY} runs, and has no file {PAGE}", expected, STOP)
    if word not in text:
        return not_yet("wrong content", f"{PAGE} is there, and reads {text.strip()!r}", expected, STOP)
    return _older_than_the_stop(evidence, container, expected)


def _not_running(container: Container) -> tuple[str, str]:
    sentences = {
        "created": ("not started", "was created and never started"),
        "paused": ("paused", "is paused, which is not a stop: its process is still there"),
    }
    slip, sentence = sentences.get(container.status, ("not restarted", f"is {container.status}: half done"))
    return slip, f"{container.name} {sentence}"


def _older_than_the_stop(evidence: Evidence, container: Container, expected: str) -> Outcome:
    stopped, written = moment(container.attrs["State"]["FinishedAt"]), evidence.written_at(container, PAGE)
    if stopped < 0:  # the API's "never" is the year 1
        return not_yet("never stopped", f"{PAGE} is there, and {DIARY} has never been stopped", expected, STOP)
    if written is None or written > stopped:
        return not_yet("too fresh", f"{PAGE} was written after the last stop of {DIARY}", expected, STOP)
    return passed(f"{PAGE} is older than the last stop of {DIARY}: the read-write layer was kept")


# --- signal-code ----------------------------------------------------------------------------------


def signal_code(evidence: Evidence) -> Outcome:
    """A container that ended with 128 and the number of the drawn signal."""
    wanted = signal.Signals[str(evidence.words["signal"])]
    expected = f"{SIGNAL}, exited with the code that says: ended by {wanted.name}"
    container = evidence.container(SIGNAL)
    if container is None:
        return missing(evidence, SIGNAL, expected, CODES)
    if wrong := wrong_image(evidence, container, IMAGE):
        return not_yet(*wrong, expected, CREATE)
    if container.status == "created":
        return not_yet("not started", f"{SIGNAL} was created, and its command never ran", expected, CODES)
    if container.status != "exited":
        return not_yet("still running", f"{SIGNAL} is {container.status}, so it has no exit code", expected, CODES)
    if (code := exit_code(container)) != 128 + wanted:
        return not_yet("wrong code", f"{SIGNAL} exited with {code}, which says: {said(code)}", expected, CODES)
    return passed(f"{SIGNAL} exited with {code}: 128, and {wanted.value} for {wanted.name}")


def said(code: int) -> str:
    """What an exit code tells, by the custom of shells and engines: 137 is "ended by SIGKILL"."""
    try:
        return f"ended by {signal.Signals(code - 128).name}"
    except ValueError:
        return "success" if code == 0 else "it ended by itself, and failed"


# --- gentle ---------------------------------------------------------------------------------------


def gentle(evidence: Evidence) -> Outcome:
    """A container that was asked to stop, and ended by itself with 0, before SIGKILL."""
    expected = f"{GENTLE}, stopped with SIGTERM, ended by itself with exit code 0, without SIGKILL"
    container = evidence.container(GENTLE)
    if container is None:
        return missing(evidence, GENTLE, expected, GRACE)
    if wrong := wrong_image(evidence, container, IMAGE):
        return not_yet(*wrong, expected, CREATE)
    if container.status == "created":
        return not_yet("not started", f"{GENTLE} was created and never started", expected, CREATE)
    if container.status != "exited":
        return not_yet("never stopped", f"{GENTLE} is {container.status}: it has not been stopped", expected, STOP)
    return _gently(evidence, exit_code(container), expected)


def _gently(evidence: Evidence, code: int, expected: str) -> Outcome:
    sent = evidence.signals(GENTLE)
    if signal.SIGKILL in sent:
        return not_yet("killed", f"{GENTLE} was sent SIGKILL and exited with {code}", expected, GRACE)
    if signal.SIGTERM not in sent:
        seen = f"{GENTLE} exited with {code}, and was never sent SIGTERM: nobody stopped it"
        return not_yet("not asked", seen, expected, GRACE)
    if code:
        return not_yet("wrong code", f"{GENTLE} got SIGTERM and exited with {code}: {said(code)}", expected, CODES)
    return passed(f"{GENTLE} got SIGTERM, and ended by itself with 0: no SIGKILL was needed")
