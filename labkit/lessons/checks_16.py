"""The checks of lesson 16: each looks at networks, names and published ports, and says what it sees."""

from docker.errors import NotFound
from docker.models.containers import Container
from docker.models.networks import Network

from labkit.lessons.evidence import Evidence, exit_code, is_from
from labkit.lessons.material import Outcome, not_tried, not_yet, passed

SITE, NET = "lab16-site", "lab16-net"  # the image and the network that the lesson makes
MINE, LATE = "lab16-mine", "lab16-late"
INNER, GATE, VAULT = "lab16-inner", "lab16-doorman", "lab16-safe"
ASK = ("timeout", "5", "wget", "-q", "-O", "-")

# the parts of the notebook that a message sends back to
IMAGE, NAMES, ALIASES = "An image that serves a page", "A network that you make", "One name for several"
PUBLISH, INTERNAL = "Publish a port", "An internal network"

Wrong = tuple[str, str, str]  # the slip, what was seen, where to look


def _not_running(container: Container) -> Wrong | None:
    if container.status == "running":
        return None
    if container.status == "created":
        return "not started", f"{container.name} was created and never started", PUBLISH
    return "exited", f"{container.name} is {container.status}, with code {exit_code(container)}", IMAGE


def _networks(container: Container) -> list[str]:
    return sorted(container.attrs["NetworkSettings"]["Networks"])


# --- publish --------------------------------------------------------------------------------------


def publish(evidence: Evidence) -> Outcome:
    """A page that this machine can open, and no other machine."""
    word = str(evidence.words["word"])
    expected = f"{MINE} from {SITE}, with NAME={word}, its port 80 published on the loopback address"
    container = evidence.container(MINE)
    if container is None:
        if odd := evidence.stranger([MINE]):
            return not_yet("misnamed", f"a container called {odd}", f"the name {MINE}, letter by letter", PUBLISH)
        return not_tried(f"no container is called {MINE}", expected, PUBLISH)
    wrong = _not_from_site(evidence, container) or _not_running(container) or _not_published(container)
    wrong = wrong or _not_the_page(evidence, container, word)
    if wrong:
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{MINE} serves the page of {word} to this machine, and to no other")


def _not_from_site(evidence: Evidence, container: Container) -> Wrong | None:
    image = evidence.image(SITE)
    if image is not None and is_from(container, image):
        return None
    return "wrong image", f"{container.name} was made from {container.attrs['Config']['Image']}", IMAGE


def _not_published(container: Container) -> Wrong | None:
    container.reload()
    published = {port: places for port, places in container.ports.items() if places}
    if not published:
        return "not published", f"{container.name} runs, and none of its ports is published", PUBLISH
    if "80/tcp" not in published:
        return "wrong port", f"{' and '.join(published)} is published, and 80/tcp is not", PUBLISH
    if not all(place["HostIp"].startswith("127.") for place in published["80/tcp"]):
        return "open to all", f"port 80 is published on {published['80/tcp'][0]['HostIp']}: on all addresses", PUBLISH
    return None


def _not_the_page(evidence: Evidence, container: Container, word: str) -> Wrong | None:
    said = evidence.says(container, *ASK, "http://127.0.0.1/")
    if said is None:
        return "no answer", f"{container.name} is published, and its program gives no answer", IMAGE
    return None if word in said.split() else ("wrong answer", f"its page reads {said.strip()!r}", IMAGE)


# --- join -----------------------------------------------------------------------------------------


def join(evidence: Evidence) -> Outcome:
    """A running container, connected under a further name. Watched, so nothing is asked inside."""
    word = str(evidence.words["alias"])
    expected = f"{LATE}, still the same, on {NET} under the further name {word}"
    for action in ("die", "destroy"):
        if evidence.happened(LATE, action):
            evidence.seen.add(f"late {action}")
    container = evidence.container(LATE)
    if container is None:
        if "late destroy" in evidence.seen:
            return not_yet("gone", f"{LATE} was removed", expected, NAMES)
        return not_tried(f"no container is called {LATE}", expected, NAMES)
    if "late die" in evidence.seen:
        return not_yet("started anew", f"{LATE} has ended in the meantime", expected, NAMES)
    place = evidence.endpoint(container, NET)
    if place is None:
        others = [name for name in _networks(container) if name != "bridge"]
        if others:
            return not_yet("wrong network", f"{LATE} is on {' and '.join(others)}, not on {NET}", expected, NAMES)
        return not_tried(f"{LATE} is on the default bridge only", expected, NAMES)
    if word not in (place.get("Aliases") or ()):
        return not_yet("no alias", f"{LATE} is on {NET}, and nobody there is called {word}", expected, ALIASES)
    return passed(f"{LATE} is found on {NET} as {word}, and was never restarted")


# --- doorman --------------------------------------------------------------------------------------


def doorman(evidence: Evidence) -> Outcome:
    """Two networks, one of them internal, and one container that is on both."""
    expected = f"{VAULT} on {INNER} only, {INNER} internal, {GATE} on {INNER} and on {NET}"
    network = _network(evidence, INNER)
    found = {name: one for name in (GATE, VAULT) if (one := evidence.container(name))}
    if network is None and not found:
        return not_tried(f"no network is called {INNER}", expected, INTERNAL)
    if network is None:
        return not_yet("wrong network", f"{' and '.join(found)} there, and no network {INNER}", expected, INTERNAL)
    if not network.attrs["Internal"]:
        return not_yet("not internal", f"{INNER} is a network with a way out", expected, INTERNAL)
    if missing := [name for name in (GATE, VAULT) if name not in found]:
        return not_yet("too few", f"{INNER} is there, {' and '.join(missing)} missing", expected, INTERNAL)
    wrong = _not_running(found[GATE]) or _not_running(found[VAULT]) or _not_placed(found[GATE], found[VAULT])
    if wrong:
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{VAULT} can be reached by {GATE}, and by nobody on {NET}")


def _network(evidence: Evidence, name: str) -> Network | None:
    try:
        return evidence.client.networks.get(name)
    except NotFound:
        return None


def _not_placed(gate: Container, vault: Container) -> Wrong | None:
    if INNER not in _networks(vault):
        return "wrong network", f"{VAULT} is on {' and '.join(_networks(vault))}", INTERNAL
    if further := [name for name in _networks(vault) if name != INNER]:
        return "too many", f"{VAULT} is on {INNER}, and on {' and '.join(further)} as well", INTERNAL
    if missing := [name for name in (NET, INNER) if name not in _networks(gate)]:
        return "wrong network", f"{GATE} is not on {' and '.join(missing)}", INTERNAL
    return None
