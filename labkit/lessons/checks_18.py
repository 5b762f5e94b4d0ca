"""The checks of lesson 18: each looks at two engines, the lesson's own and the second one that it has started."""

import docker
from docker.errors import NotFound
from docker.models.containers import Container
from docker.models.images import Image

from labkit import second_engine
from labkit.lessons.evidence import Evidence, is_from
from labkit.lessons.material import Outcome, not_tried, not_yet, passed
from labkit.provenance import image_files, origin_in_image

BASE, SHOP = "labkit/base", "lab18-shop"
MINE, MOVED, BACK = "lab18-mine", "lab18-moved", "lab18-back"
SOLD = "/shop/sold.txt"

# the parts of the notebook that a message sends back to
START, SOMETHING, FILE = "A second engine", "Something to move", "Into a file"
LOAD, EXPORT, BEHIND = "Out of the file", "Export is another thing", "What stays behind"


def _image(client: docker.DockerClient, name: str) -> Image | None:
    try:
        return client.images.get(name)
    except NotFound:  # ImageNotFound is one
        return None


def _layers(image: Image) -> list[str]:
    digests: list[str] = image.attrs["RootFS"]["Layers"]
    return digests


def _not_the_same(origin: Image, arrived: Image, name: str) -> tuple[str, str, str] | None:
    """The slip, the sentence and where to look, when the image on the other side is another one."""
    if _layers(arrived) == _layers(origin):  # two engines may name one image by different digests
        return None
    if len(_layers(arrived)) == 1:
        return "flattened", f"{name} has arrived with one single layer, as import makes it", EXPORT
    seen = f"there is an image {name} on both engines, and they have not the same layers"
    return "another image", seen, LOAD


# --- move-it --------------------------------------------------------------------------------------


def move_it(evidence: Evidence) -> Outcome:
    """An image made on the first engine, on the second one byte for byte, and run there."""
    word = str(evidence.words["word"])
    expected = f"{MINE} on both engines, the same image, and {MOVED} on the second one, which prints {word}"
    there = second_engine.current()
    if there is None:
        return not_tried("no second engine runs: the lesson starts it", expected, START)
    here, arrived = evidence.image(MINE), _image(there, MINE)
    if here is None and arrived is None:
        return not_tried(f"no image is called {MINE}", expected, SOMETHING)
    if here is None:
        return not_yet("wrong engine", f"{MINE} is on the second engine only", expected, SOMETHING)
    if arrived is None:
        return not_yet("not moved", f"{MINE} is here, and not on the second engine", expected, FILE)
    if wrong := _not_the_same(here, arrived, MINE):
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    if wrong := _not_said(there, arrived, word):
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{MOVED} runs the same bytes on the second engine, and printed {word}")


def _not_said(there: docker.DockerClient, image: Image, word: str) -> tuple[str, str, str] | None:
    """The slip, the sentence and where to look, when no container on the second engine prints the word."""
    try:
        container: Container = there.containers.get(MOVED)
    except NotFound:
        return "too few", f"{MINE} has arrived, and no container there is called {MOVED}", LOAD
    if not is_from(container, image):
        return "wrong image", f"{MOVED} was made from {container.attrs['Config']['Image']}", LOAD
    if container.attrs["Config"].get("Cmd") != image.attrs["Config"].get("Cmd"):
        return "overridden", f"{MOVED} was given a command of its own", SOMETHING
    if container.status == "created":
        return "not started", f"{MOVED} was created and never started", LOAD
    text = container.logs().decode(errors="replace").strip()
    if word not in text:
        return "wrong output", f"{MOVED} printed {text!r}" if text else f"{MOVED} printed nothing", SOMETHING
    return None


# --- bring-back -----------------------------------------------------------------------------------


def bring_back(evidence: Evidence) -> Outcome:
    """An image made on the second engine out of the shop, and brought to the first."""
    expected = f"{BACK} on both engines: the layers of {SHOP}, and one more with {SOLD}"
    there = second_engine.current()
    if there is None:
        return not_tried("no second engine runs: the lesson starts it", expected, START)
    shop, here, origin = evidence.image(SHOP), evidence.image(BACK), _image(there, BACK)
    if shop is None:
        return not_yet("no image", f"there is no image {SHOP}: the lesson makes it near its beginning", expected, START)
    if here is None and origin is None:
        return not_tried(f"no image is called {BACK}", expected, BEHIND)
    if origin is None:
        return not_yet("wrong engine", f"{BACK} is here only: it was not made on the second engine", expected, BEHIND)
    if wrong := _not_on_the_shop(there, shop, origin):
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    if here is None:
        return not_yet("not moved", f"{BACK} is on the second engine, and not here", expected, FILE)
    if wrong := _not_the_same(origin, here, BACK):
        slip, seen, look = wrong
        return not_yet(slip, seen, expected, look)
    return passed(f"{BACK} came back: the layers of {SHOP}, and the one with {SOLD} that was made there")


def _not_on_the_shop(there: docker.DockerClient, shop: Image, back: Image) -> tuple[str, str, str] | None:
    """The slip, the sentence and where to look, when the image is not the shop's and one layer more."""
    if len(_layers(back)) == 1:
        return "flattened", f"{BACK} has one single layer: its container was exported, not committed", EXPORT
    if _layers(back)[: len(_layers(shop))] != _layers(shop):
        return "wrong layers", f"{BACK} does not stand on {SHOP}: its lower layers are others", BEHIND
    if _layers(back) == _layers(shop):
        return "nothing changed", f"{BACK} has the layers of {SHOP} and no more", BEHIND
    if origin_in_image(SOLD, image_files(there, back.id or "") or ()).kind != "image":
        return "wrong place", f"{BACK} has a layer more, and no {SOLD} in it", BEHIND
    return None
