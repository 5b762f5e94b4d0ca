"""Pictures of the views and of the lessons, light and dark: `python -m tests.browser.screenshots`, into ./screenshots.

Each lesson is run in JupyterLab up to its end, on the engine that DOCKER_HOST names, else on one of our own.
"""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

import docker

from tests import engines
from tests.browser import lab

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "screenshots"
NARROW = 500  # pixels, the width of a drawing in a small window


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        named = os.environ.get("DOCKER_HOST")
        address = named or stack.enter_context(engines.embedded()).address
        browser, server = stack.enter_context(lab.chromium()), stack.enter_context(lab.jupyterlab(address))
        for lesson in sorted((ROOT / "notebooks").glob("*.ipynb")):
            shutil.copy(lesson, server.folder)
        shutil.copytree(ROOT / "notebooks" / "images", server.folder / "images", dirs_exist_ok=True)
        for lesson in sorted(server.folder.glob("*.ipynb")):
            photograph(browser, server, lesson.name)
            clean(address, f"lab{lesson.name[:2]}-")


def photograph(browser: Any, server: lab.Lab, lesson: str) -> None:
    """One lesson: the window, then each view in it, in both themes, and narrow."""
    with lab.opened(browser, server, lesson, device_scale_factor=2) as notebook:
        notebook.run_before("lesson.end()")
        for theme in lab.THEMES:
            notebook.theme(theme)
            notebook.page.wait_for_timeout(2500)  # what has just changed glows for a while
            drawn = notebook.page.locator(".jp-OutputArea .lk")
            if drawn.count():
                drawn.last.scroll_into_view_if_needed()
            notebook.page.screenshot(path=FOLDER / f"{lesson[:2]}-{theme}.png")
            for name in ("stack", "processes"):
                views = notebook.page.locator(f".jp-OutputArea .lk-view-{name}")
                for number in range(views.count()):
                    shoot(notebook, views.nth(number), f"{lesson[:2]}-{name}-{number + 1}-{theme}")


def shoot(notebook: lab.Notebook, view: Any, name: str) -> None:
    view.scroll_into_view_if_needed()
    notebook.page.wait_for_timeout(600)
    view.screenshot(path=FOLDER / f"{name}.png")
    view.evaluate("(root, width) => (root.style.width = `${width}px`)", NARROW)
    view.screenshot(path=FOLDER / f"{name}-narrow.png")
    view.evaluate("(root) => (root.style.width = '')")
    print(FOLDER / f"{name}.png")


def clean(address: str, prefix: str) -> None:
    """Remove the lesson's containers, and the images that it made."""
    with contextlib.closing(docker.DockerClient(address)) as client:
        for container in client.containers.list(all=True, filters={"name": prefix}):
            container.remove(force=True)
        for image in client.images.list():
            for tag in image.tags:
                if tag.startswith(prefix):
                    client.images.remove(tag, force=True)


if __name__ == "__main__":
    main()
