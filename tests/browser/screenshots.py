"""Pictures of the views and of the lessons, light and dark: `python -m tests.browser.screenshots`, into ./screenshots.

Each lesson, and the gallery of all views, is run in JupyterLab up to its end, on the engine that DOCKER_HOST names,
else on one of our own. Names of notebooks as arguments (`gallery`, `01`) choose among them. Those in CHOSEN are also
put where the README shows them, in fewer colours.
"""

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import docker
from PIL import Image

from tests import engines
from tests.browser import lab

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "screenshots"
IMAGES = ROOT / "notebooks" / "images"
NARROW = 500  # pixels, the width of a drawing in a small window
WINDOW, TALL = {"width": 1280, "height": 900}, {"width": 1280, "height": 1900}  # a view must fit in, to be photographed
VIEWS = ("stack", "processes", "lifecycle", "walk", "namespaces", "gauges", "services", "timeline", "stacks")
# a picture made here -> its name in notebooks/images, for the README
CHOSEN = {
    "03-stacks-1-light": "vm-beside-container",
    "02-stack-4-light": "layer-stack",
    "gallery-lifecycle-1-light": "life-cycle",
    "gallery-processes-1-light": "process-tree",
}
COLOURS = 256  # enough for drawings, and a third of the bytes
# how a notebook's name begins -> (what its last cell holds, how the names of what it makes begin)
ENDS = {"gallery": ("tidy()", "gallery-")}


def main(chosen: tuple[str, ...]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        named = os.environ.get("DOCKER_HOST")
        address = named or stack.enter_context(engines.embedded()).address
        browser, server = stack.enter_context(lab.chromium()), stack.enter_context(lab.jupyterlab(address))
        for notebook in [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "notebooks" / "extra").glob("*.ipynb")]:
            if notebook.name.startswith(chosen):
                shutil.copy(notebook, server.folder)
        shutil.copytree(IMAGES, server.folder / "images", dirs_exist_ok=True)
        for notebook in sorted(server.folder.glob("*.ipynb")):
            short = notebook.stem if notebook.stem in ENDS else notebook.stem[:2]
            last, prefix = ENDS.get(short, ("lesson.end()", f"lab{short}-"))
            photograph(browser, server, notebook.name, short, last)
            clean(address, prefix)


def photograph(browser: Any, server: lab.Lab, path: str, short: str, last: str) -> None:
    """One notebook, run but for its last cell: the window, then each view in it, in both themes, and narrow."""
    with lab.opened(browser, server, path, device_scale_factor=2) as notebook:
        notebook.run_before(last)
        for theme in lab.THEMES:
            notebook.theme(theme)
            notebook.page.wait_for_timeout(2500)  # what has just changed glows for a while
            drawn = notebook.page.locator(".jp-OutputArea .lk")
            if drawn.count():
                drawn.last.scroll_into_view_if_needed()
            notebook.page.screenshot(path=FOLDER / f"{short}-{theme}.png")
            notebook.page.set_viewport_size(TALL)
            for name in VIEWS:
                views = notebook.page.locator(f".jp-OutputArea .lk-view-{name}")
                for number in range(views.count()):
                    shoot(notebook, views.nth(number), f"{short}-{name}-{number + 1}-{theme}")
            notebook.page.set_viewport_size(WINDOW)


def shoot(notebook: lab.Notebook, view: Any, name: str) -> None:
    view.scroll_into_view_if_needed()
    notebook.page.wait_for_timeout(600)
    view.screenshot(path=FOLDER / f"{name}.png")
    view.evaluate("(root, width) => (root.style.width = `${width}px`)", NARROW)
    view.screenshot(path=FOLDER / f"{name}-narrow.png")
    view.evaluate("(root) => (root.style.width = '')")
    print(FOLDER / f"{name}.png")
    if name in CHOSEN:
        with Image.open(FOLDER / f"{name}.png") as picture:
            picture.convert("RGB").quantize(COLOURS).save(IMAGES / f"{CHOSEN[name]}.png", optimize=True)


def clean(address: str, prefix: str) -> None:
    """Remove the notebook's containers, and the networks and images that it made."""
    with contextlib.closing(docker.DockerClient(address)) as client:
        for container in client.containers.list(all=True, filters={"name": prefix}):
            container.remove(force=True)
        for network in client.networks.list(filters={"name": prefix}):
            network.remove()
        for image in client.images.list():
            for tag in image.tags:
                if tag.startswith(prefix):
                    client.images.remove(tag, force=True)


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or ("",))
