"""The checks of lesson 13: each looks at a container without a shell from outside, as the lesson teaches it."""

from docker.models.containers import Container

from labkit.lessons.evidence import Evidence, exit_code, is_from
from labkit.lessons.material import Outcome, not_yet, passed
from labkit.lessons.missing import missing

BASE = "labkit/base"
SLIM, QUIET, HELPER, DESK, FIXED = "lab13-slim", "lab13-quiet", "lab13-helper", "lab13-desk", "lab13-fixed"
PAGE, ORDERS, CARRIED = "/www/index.html", "/www/orders.txt", "/orders.txt"
SHELLS = ("/bin/sh", "/bin/busybox", "/sh", "/bin/bash")

# the parts of the notebook that a message sends back to
IMAGE, OUTSIDE, BESIDE = "An image with one program", "What needs no shell", "A second container beside it"
REPAIR = "An emergency repair"

Wrong = tuple[str, str, str]  # the slip, what was seen, where to look


def _not_running(container: Container, look: str) -> Wrong | None:
    if container.status == "running":
        return None
    if container.status == "created":
        return "not started", f"{container.name} was created and never started", look
    return "exited", f"{container.name} is {container.status}, with code {exit_code(container)}", look


# --- helper ---------------------------------------------------------------------------------------


def helper(evidence: Evidence) -> Outcome:
    """A container with tools, in two namespaces of one without. Watched: nothing is asked inside."""
    expected = f"{HELPER} from {BASE}, running, with the processes and the network of {QUIET}"
    container, quiet = evidence.container(HELPER), evidence.container(QUIET)
    if container is None:
        return missing(evidence, HELPER, expected, BESIDE)
    if quiet is None:
        return not_yet("gone", f"{HELPER} is there, and {QUIET} is not", expected, IMAGE)
    wrong = _not_from_base(evidence, container) or _not_running(container, BESIDE) or _not_beside(container, quiet)
    if wrong:
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{HELPER} sees the processes of {QUIET} and shares its network")


def _not_from_base(evidence: Evidence, container: Container) -> Wrong | None:
    image = evidence.image(BASE)
    if image is not None and is_from(container, image):
        return None
    return "wrong image", f"{container.name} was made from {container.attrs['Config']['Image']}", BESIDE


def _not_beside(container: Container, quiet: Container) -> Wrong | None:
    """What of the two namespaces is not that of the other container."""
    host = container.attrs["HostConfig"]
    modes = {"processes": host.get("PidMode") or "", "network": host.get("NetworkMode") or ""}
    # an engine notes the id of the other, whatever name was given; a remote one may keep the name
    wanted = {f"container:{quiet.id}", f"container:{quiet.name}"}
    if "host" in modes.values():
        return "wrong place", f"{HELPER} shares with the host, not with {QUIET}", BESIDE
    own = [kind for kind, mode in modes.items() if not mode.startswith("container:")]
    if own:
        return "too few", f"{HELPER} has its own {' and its own '.join(own)}", BESIDE
    if not set(modes.values()) <= wanted:
        return "wrong one", f"{HELPER} shares with another container than {QUIET}", BESIDE
    return None


# --- carry ----------------------------------------------------------------------------------------


def carry(evidence: Evidence) -> Outcome:
    """A file out of a container without a shell, into one with tools."""
    expected = f"{ORDERS} of {QUIET}, the same text, as {CARRIED} in {DESK}"
    desk, quiet = evidence.container(DESK), evidence.container(QUIET)
    if desk is None:
        return missing(evidence, DESK, expected, OUTSIDE)
    if quiet is None:
        return not_yet("gone", f"{DESK} is there, and {QUIET} is not", expected, IMAGE)
    text = evidence.file(desk, CARRIED)
    if text is None:
        if elsewhere := [path for path in evidence.changes(desk) if path.endswith("orders.txt")]:
            return not_yet("wrong place", f"{DESK} has {elsewhere[0]}, and no {CARRIED}", expected, OUTSIDE)
        return not_yet("nothing changed", f"{DESK} is there, and has no {CARRIED}", expected, OUTSIDE)
    if text.strip() != f"{evidence.words['orders']} orders":
        return not_yet("wrong content", f"{CARRIED} reads {text.strip()!r}", expected, OUTSIDE)
    return passed(f"{CARRIED} in {DESK} reads as the file of {QUIET} does")


# --- fixed ----------------------------------------------------------------------------------------


def fixed(evidence: Evidence) -> Outcome:
    """The real repair: a new image, as slim as the old one, with the page where it belongs."""
    word = str(evidence.words["word"])
    expected = f"{FIXED} running, from a new image that has {PAGE} with the word {word}, and no shell"
    container, old = evidence.container(FIXED), evidence.image(SLIM)
    if container is None:
        return missing(evidence, FIXED, expected, IMAGE)
    if old is not None and is_from(container, old):
        if PAGE in evidence.changes(container):
            return not_yet("repaired", f"{FIXED} comes from {SLIM}, and was mended by hand", expected, REPAIR)
        return not_yet("wrong image", f"{FIXED} comes from {SLIM}, the image with the mistake", expected, IMAGE)
    wrong = _not_running(container, IMAGE) or _not_fixed(evidence, container, word)
    if wrong:
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{FIXED} has the page in its image, and no shell")


def _not_fixed(evidence: Evidence, container: Container, word: str) -> Wrong | None:
    for shell in SHELLS:
        if evidence.written_at(container, shell) is not None:
            return "too big", f"{FIXED} has {shell}", IMAGE
    if PAGE in evidence.changes(container):
        return "repaired", f"{PAGE} was put into the container, and is not in its image", REPAIR
    text = evidence.file(container, PAGE)
    if text is None:
        return "wrong place", f"the new image has no {PAGE}", OUTSIDE
    return None if word in text.split() else ("wrong content", f"{PAGE} reads {text.strip()!r}", IMAGE)
