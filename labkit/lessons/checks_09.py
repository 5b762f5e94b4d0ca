"""The checks of lesson 09: each looks at services, their images and their network, and asks them for an answer."""

import re

from docker.models.containers import Container

from labkit.lessons.evidence import Evidence, exit_code, is_from
from labkit.lessons.material import Outcome, not_tried, not_yet, passed

SHOP = "lab09-shop"  # the network
WEB, AUTH, CATALOG, STORE = FOUR = ("lab09-web", "lab09-auth", "lab09-catalog", "lab09-store")
REVIEWS, STORE_TWO = "lab09-reviews", "lab09-store:2"
ASK = ("timeout", "5", "wget", "-q", "-O", "-")  # bounded: a name that nobody has may be asked for far away

# the parts of the notebook that a message sends back to
IMAGES, NETWORK, PAGE = "An image for each", "A network with names", "One page, four services"
REPLACE = "Replace it"

STATES = {
    "created": ("not started", "was created and never started"),
    "exited": ("exited", "has exited with code {}"),
    "paused": ("paused", "is paused"),
}


def _not_serving(evidence: Evidence, container: Container) -> tuple[str, str, str] | None:
    """The slip, the sentence and where to look, for a container that does not run or is not on the shop's network."""
    if container.status != "running":
        slip, sentence = STATES.get(container.status, ("exited", f"is {container.status}"))
        return slip, f"{container.name} {sentence.format(exit_code(container))}", NETWORK
    if evidence.endpoint(container, SHOP) is None:
        return "wrong network", f"{container.name} runs, and is not on {SHOP}", NETWORK
    return None


def _says_not(evidence: Evidence, container: Container, word: str) -> tuple[str, str, str] | None:
    """The same for a service whose answer, asked by its name, is not the one that was wanted."""
    said = evidence.says(container, *ASK, f"http://{container.name}/")
    if said is None:
        return "no answer", f"{container.name} is on {SHOP}, and http://{container.name}/ gives no answer", IMAGES
    if word not in re.findall(r"\w+", said):
        return "wrong answer", f"{container.name} answers {said.strip()!r}", PAGE
    return None


# --- fifth-service --------------------------------------------------------------------------------


def fifth_service(evidence: Evidence) -> Outcome:
    """One more service, from an image of its own, found by its name."""
    word = str(evidence.words["word"])
    expected = f"{REVIEWS} on {SHOP}, from an image {REVIEWS}, answering with the word {word}"
    container, image = evidence.container(REVIEWS), evidence.image(REVIEWS)
    if container is None:
        if odd := evidence.stranger([REVIEWS]):
            return not_yet("misnamed", f"a container called {odd}", f"the name {REVIEWS}, letter by letter", NETWORK)
        if image is not None:
            return not_yet("too few", f"an image {REVIEWS}, and no container of that name", expected, NETWORK)
        return not_tried(f"no container is called {REVIEWS}", expected, IMAGES)
    if image is None or not is_from(container, image):
        seen = f"{REVIEWS} was made from {container.attrs['Config']['Image']}"
        return not_yet("wrong image", seen, expected, IMAGES)
    wrong = _not_serving(evidence, container) or _says_not(evidence, container, word)
    if wrong:
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{REVIEWS} is found by its name and answers with your word; nobody else was touched")


# --- second-version -------------------------------------------------------------------------------


def second_version(evidence: Evidence) -> Outcome:
    """The store, replaced by one from a new image, under the same name."""
    number = str(evidence.words["lamps"])
    expected = f"{STORE} from an image {STORE_TWO}, on {SHOP}, answering with {number} lamps"
    container, image = evidence.container(STORE), evidence.image(STORE_TWO)
    if container is None:
        seen = f"no container is called {STORE}"
        return not_yet("gone", seen, expected, REPLACE) if image else not_tried(seen, expected, NETWORK)
    if image is None:
        if evidence.changes(container):
            return not_yet("repaired", f"{STORE} was changed by hand: its files are not its image's", expected, IMAGES)
        return not_tried(f"there is no image {STORE_TWO}", expected, IMAGES)
    if not is_from(container, image):
        return not_yet("wrong image", f"{STORE_TWO} is there, and {STORE} comes from another image", expected, REPLACE)
    wrong = _not_serving(evidence, container) or _says_not(evidence, container, number)
    if wrong:
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{STORE} comes from its second version; the other images are as they were")


# --- replace-auth ---------------------------------------------------------------------------------


def replace_auth(evidence: Evidence) -> Outcome:
    """Authentication replaced by a new container, while the other three run. Watched, so it asks without an exec."""
    expected = f"another container called {AUTH}, from the same image, on {SHOP}; the other three running"
    for action in ("die", "destroy"):
        if evidence.happened(AUTH, action):
            evidence.seen.add(f"auth {action}")
    container = evidence.container(AUTH)
    if "auth destroy" not in evidence.seen:
        return _not_replaced(evidence, container, expected)
    if container is None:
        return not_yet("gone", f"{AUTH} was removed, and nothing is in its place", expected, REPLACE)
    wrong = _wrong_successor(evidence, container)
    if wrong:
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{AUTH} is another container now, and the other three go on")


def _not_replaced(evidence: Evidence, container: Container | None, expected: str) -> Outcome:
    """The first container was never removed: is it dead, started again, or as it was?"""
    if container is None:
        return not_tried(f"no container is called {AUTH}", expected, NETWORK)
    if "auth die" not in evidence.seen:
        return not_tried(f"{AUTH} is the container that the lesson started", expected, REPLACE)
    if container.status == "running":
        return not_yet("repaired", f"{AUTH} had ended and was started again: the same container", expected, REPLACE)
    return not_yet("still there", f"{AUTH} has ended; the dead container still has the name", expected, REPLACE)


def _wrong_successor(evidence: Evidence, container: Container) -> tuple[str, str, str] | None:
    image = evidence.image(AUTH)
    if image is None or not is_from(container, image):
        return "wrong image", f"the new {AUTH} was made from {container.attrs['Config']['Image']}", IMAGES
    if wrong := _not_serving(evidence, container):
        return wrong
    for name in (WEB, CATALOG, STORE):
        other = evidence.container(name)
        if other is None or other.status != "running":
            return "too few", f"{AUTH} is replaced, and {name} does not run", NETWORK
    return None
