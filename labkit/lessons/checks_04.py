"""The checks of lesson 04: two look at containers, one at the process that the learner has made a container of."""

from docker.models.containers import Container

from labkit import child
from labkit.lessons.evidence import Evidence, exit_code, is_from
from labkit.lessons.material import Outcome, not_tried, not_yet, passed
from labkit.lessons.missing import missing

IMAGE = "labkit/base"
BOX, GUEST, TWIN = "lab04-box", "lab04-guest", "lab04-twin"

# the parts of the notebook that a message sends back to
HOSTNAME, ROOT, PROGRAM = "A hostname of its own", "A root of its own", "Become the program"
PROCESS, BESIDE, POWERS = "A process tree of its own", "Beside one from the engine", "Fewer powers"


def _wrong_start(evidence: Evidence, container: Container) -> tuple[str, str] | None:
    """The slip and what to say about a container from another image, or one that does not run."""
    image = evidence.image(IMAGE)
    if image and not is_from(container, image):
        return "wrong image", f"{container.name} was made from {container.attrs['Config']['Image']}"
    if container.status == "created":
        return "not started", f"{container.name} was created and never started"
    if container.status != "running":
        return "exited", f"{container.name} is {container.status}, exit code {exit_code(container)}"
    return None


# --- by-hand --------------------------------------------------------------------------------------


def by_hand(evidence: Evidence) -> Outcome:
    """A second child that has become a shell, as process 1, with the learner's hostname and the image's root."""
    word = str(evidence.words["word"])
    expected = f"a new child that is a shell, process 1, on the host {word}, with the image's root folder"
    made = child.children()
    if len(made) < 2:
        return not_tried("no child beside the lesson's own", expected, HOSTNAME)
    last = made[-1]
    if last.program == "ended":
        return not_yet("exited", "the last child has ended", expected, PROGRAM)
    if last.program != "sh":
        return not_yet("not become", f"the last child is still {last.program}", expected, PROGRAM)
    host, pid, home = (last.run(f"{line}; true").strip() for line in ("hostname", "echo $$", "ls -d /home/learner"))
    if host != word:
        return not_yet("wrong hostname", f"it is on the host {host}", expected, HOSTNAME)
    if pid != "1":
        return not_yet("not PID 1", f"it is a process like others: its number is not 1 but {pid}", expected, PROCESS)
    if home != "/home/learner":
        return not_yet("old root", "its root folder is not that of the image: no /home/learner", expected, ROOT)
    return passed(f"a container, made by hand: {host}, process {pid}, and a root folder from the image")


# --- one-net --------------------------------------------------------------------------------------


def one_net(evidence: Evidence) -> Outcome:
    """A container that shares one namespace of another, and only that one."""
    expected = f"{GUEST}, from {IMAGE}, running in the network namespace of {BOX}"
    guest, box = evidence.container(GUEST), evidence.container(BOX)
    if guest is None:
        return missing(evidence, GUEST, expected, BESIDE, IMAGE)
    if box is None:
        return not_yet("too few", f"{GUEST} is there, and {BOX} is not", expected, BESIDE)
    if wrong := _wrong_start(evidence, guest):
        return not_yet(*wrong, expected, BESIDE)
    mode = guest.attrs["HostConfig"]["NetworkMode"]
    if mode not in (f"container:{box.id}", f"container:{BOX}"):
        return not_yet("own network", f"the network mode of {GUEST} is {mode.split(':')[0]}", expected, BESIDE)
    return passed(f"{GUEST} and {BOX}: two hostnames, two process trees, and one network")


# --- twin -----------------------------------------------------------------------------------------


def twin(evidence: Evidence) -> Outcome:
    """What was done by hand, asked of the engine: a hostname, and no capability at all."""
    word = str(evidence.words["word"])
    expected = f"{TWIN}, from {IMAGE}, running, on the host {word}, with no capability at all"
    container = evidence.container(TWIN)
    if container is None:
        return missing(evidence, TWIN, expected, POWERS, IMAGE)
    if wrong := _wrong_start(evidence, container):
        return not_yet(*wrong, expected, POWERS)
    host = container.attrs["Config"]["Hostname"]
    if host != word:
        return not_yet("wrong hostname", f"the hostname of {TWIN} is {host}", expected, HOSTNAME)
    dropped, added = (container.attrs["HostConfig"][key] or [] for key in ("CapDrop", "CapAdd"))
    if "ALL" not in [name.upper() for name in dropped] or added:
        seen = f"dropped: {', '.join(dropped) or 'none'}; added: {', '.join(added) or 'none'}"
        return not_yet("too many powers", seen, expected, POWERS)
    return passed(f"{TWIN} is on its own host, and its root has no power that any user lacks")
