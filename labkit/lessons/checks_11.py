"""The checks of lesson 11: each looks at containers from outside, as the lesson teaches it, and says what it sees."""

from labkit.lessons.evidence import ADDED, DELETED, Evidence
from labkit.lessons.material import Outcome, not_tried, not_yet, passed

APP, DEAD, ODD = "lab11-app", "lab11-dead", "lab11-odd"
COLOURS = ("red", "green", "blue")
REPORT, RESCUED, STATE = "/var/report", "/var/app/report", "/var/app/state"

# the parts of the notebook that a message sends back to
APP_MADE, TOP, DIFF = "An app to look at", "What runs in it?", "What has it changed?"
COPY, INSIDE = "Carry a file out, and one in", "Go inside"


# --- crowd ----------------------------------------------------------------------------------------


def crowd(evidence: Evidence) -> Outcome:
    """Of three containers, the one with too many processes stopped, and the two others running."""
    culprit = f"lab11-{evidence.words['culprit']}"
    expected = "the container with too many processes stopped, the two others running"
    three = {name: evidence.container(name) for name in (f"lab11-{colour}" for colour in COLOURS)}
    if not any(three.values()):
        return not_tried("none of the three containers is there", expected, TOP)
    states = {name: one.status if one else "removed" for name, one in three.items()}
    ended = [name for name, state in states.items() if state in ("exited", "removed")]
    if "paused" in states.values():
        paused = next(name for name, state in states.items() if state == "paused")
        return not_yet("paused", f"{paused} is paused, which is not stopped", expected, TOP)
    if not ended:
        return not_tried("all three run", expected, TOP)
    if len(ended) > 1:
        return not_yet("too many", f"{' and '.join(ended)} are stopped", expected, TOP)
    if ended != [culprit]:
        return not_yet("wrong one", f"{ended[0]} is stopped, and it had few processes", expected, TOP)
    return passed(f"{culprit} is stopped, and the two others run")


# --- rescue ---------------------------------------------------------------------------------------


def rescue(evidence: Evidence) -> Outcome:
    """A file of a dead container, copied into a running one."""
    expected = f"{REPORT} of {DEAD}, the same text, as {RESCUED} in {APP}; {APP} running, {DEAD} not"
    app, dead = evidence.container(APP), evidence.container(DEAD)
    if app is None:
        return not_tried(f"no container is called {APP}", expected, APP_MADE)
    if dead is None:
        if evidence.happened(DEAD, "destroy"):
            return not_yet("gone", f"{DEAD} was removed, and its files with it", expected, COPY)
        return not_tried(f"no container is called {DEAD}", expected, COPY)
    if app.status != "running":
        return not_yet("exited", f"{APP} does not run: it is {app.status}", expected, APP_MADE)
    if dead.status == "running":
        return not_yet("started anew", f"{DEAD} was started again", expected, COPY)
    text = evidence.file(app, RESCUED)
    if text is None:
        if elsewhere := [path for path in evidence.changes(app) if path.endswith("report")]:
            return not_yet("wrong place", f"{APP} has {elsewhere[0]}, and no {RESCUED}", expected, COPY)
        return not_tried(f"{APP} has no {RESCUED}", expected, COPY)
    if text.strip() != f"the code is {evidence.words['code']}":
        return not_yet("wrong content", f"{RESCUED} reads {text.strip()!r}", expected, COPY)
    return passed(f"{RESCUED} reads as the report of {DEAD} does")


# --- stray ----------------------------------------------------------------------------------------


def stray(evidence: Evidence) -> Outcome:
    """A file added by hand, deleted by hand, and nothing else. Watched, so nothing is asked inside."""
    path = f"/etc/{evidence.words['stray']}"
    expected = f"{ODD} still running, without the file that somebody has left, and with the app's own"
    container = evidence.container(ODD)
    if container is None:
        if evidence.happened(ODD, "destroy"):
            return not_yet("gone", f"{ODD} was removed", expected, INSIDE)
        return not_tried(f"no container is called {ODD}", expected, DIFF)
    if evidence.happened(ODD, "die"):
        return not_yet("started anew", f"{ODD} has ended in the meantime", expected, INSIDE)
    changes = evidence.changes(container)
    if changes.get(STATE) != ADDED:
        return not_yet("wrong one", f"{STATE} is gone, and that was the app's own", expected, DIFF)
    if deleted := sorted(name for name, kind in changes.items() if kind == DELETED):
        return not_yet("wrong one", f"{deleted[0]} is deleted, and it came with the image", expected, DIFF)
    if path in changes:
        return not_tried(f"{ODD} has a file that does not belong there", expected, DIFF)
    if others := sorted(name for name in changes if changes[name] == ADDED and not name.startswith("/var/app")):
        return not_yet("too much changed", f"{others[0]} is there now, which is not the image's either", expected, DIFF)
    return passed(f"{ODD} differs from its image by the app's own files only")
