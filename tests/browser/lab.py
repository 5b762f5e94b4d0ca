"""JupyterLab in Chromium, for tests and screenshots: a server with folders of its own, and a page that it drives.

Nothing of the user's Jupyter is read or changed: settings, data and kernels' files live in a temporary folder.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from tests.backends import backend_missing

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
# quiet: a fresh profile must not call home, or "no request leaves the machine" would measure Chromium
CHROMIUM_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SETTINGS = {
    # every cell is in the page, also those out of sight
    "notebook-extension/tracker.jupyterlab-settings": '{"windowingMode": "none"}',
    "apputils-extension/notification.jupyterlab-settings": '{"fetchNews": "false", "checkForUpdates": false}',
}
READY_SECONDS = 60
# Chromium drops what it is fetching whenever a network interface of the machine comes or goes, as those of containers
# do. JupyterLab asks again; the console keeps the line.
NETWORK_CAME_OR_WENT = ("ERR_NETWORK_CHANGED", "Failed to fetch")
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


@dataclass
class Lab:
    """A running JupyterLab: its address with the token, and the folder whose notebooks it shows."""

    url: str
    token: str
    folder: Path


@contextlib.contextmanager
def jupyterlab(docker_host: str) -> Iterator[Lab]:
    """Start JupyterLab whose kernels find the engine at `docker_host`; stop it and remove its folders at the end."""
    home = Path(tempfile.mkdtemp(prefix="lk-lab-"))
    log = home / "lab.log"
    for name, text in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (home / "notebooks").mkdir()
    lab = Lab(f"http://127.0.0.1:{free_port()}", secrets.token_hex(16), home / "notebooks")
    with open(log, "wb") as output:
        command, environment = command_line(lab), environment_of(home, docker_host)
        server = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment)
    try:
        wait_until_ready(lab, server, log)
        yield lab
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(home, ignore_errors=True)


def command_line(lab: Lab) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.port={lab.url.rsplit(':')[-1]}", f"--IdentityProvider.token={lab.token}"),
        f"--ServerApp.root_dir={lab.folder}",
        "--LabApp.expose_app_in_browser=True",  # window.jupyterapp: what Lab's menus call, without the menus
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LanguageServerManager.autodetect=False",
    ]


def environment_of(home: Path, docker_host: str) -> dict[str, str]:
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "XDG_DATA_HOME": "xdg",
    }
    return {**os.environ, **{name: str(home / folder) for name, folder in folders.items()}, "DOCKER_HOST": docker_host}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(lab: Lab, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{lab.url}/api?token={lab.token}", timeout=5).close()
            return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not answer at {lab.url}; its log ends:\n{log.read_text()[-3000:]}")


# --- the page -----------------------------------------------------------------------------------------


@dataclass
class Notebook:
    """A notebook open in JupyterLab, driven by Lab's own commands; `errors` and `outside` should stay empty."""

    page: Any
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def command(self, name: str, **arguments: object) -> None:
        """Execute one of Lab's commands, and wait for its end."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)", [name, arguments]
        )

    def theme(self, name: str) -> None:
        """Change to the light or the dark theme."""
        self.command("apputils:change-theme", theme=THEMES[name])
        light = "true" if name == "light" else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")

    def run_before(self, source: str) -> None:
        """Run all cells above the last one that contains `source`."""
        self.choose(source)
        self.command("notebook:run-all-above")

    def choose(self, source: str) -> None:
        """Make the last cell that contains `source` the active one."""
        self.page.evaluate(
            """(source) => {
              const notebook = window.jupyterapp.shell.currentWidget.content;
              const holds = (cell) => cell.model.sharedModel.getSource().includes(source);
              notebook.activeCellIndex = notebook.widgets.findLastIndex(holds);
            }""",
            source,
        )

    def run(self, source: str) -> None:
        """Run the last cell that contains `source`."""
        self.choose(source)
        self.command("notebook:run-cell")

    def view(self, name: str) -> Any:
        """The last drawing of a view: "stack" or "processes"."""
        view = self.page.locator(f".jp-OutputArea .lk-view-{name}").last
        view.scroll_into_view_if_needed()
        return view


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright's. Where there is none, the test is skipped by name."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        backend_missing("browser", "pip install playwright")
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        backend_missing("browser", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(browser: Any, lab: Lab, path: str, **options: Any) -> Iterator[Notebook]:
    """Open a notebook of Lab's folder, with a kernel that is ready."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    notebook = Notebook(context.new_page())
    notebook.page.on("console", lambda m: note(notebook.errors, m.text) if m.type == "error" else None)
    notebook.page.on("pageerror", lambda error: note(notebook.errors, str(error)))
    notebook.page.on("request", lambda r: None if stays_here(r.url, lab) else notebook.outside.append(r.url))
    try:
        load(notebook.page, f"{lab.url}/lab/tree/{path}?token={lab.token}&reset")
        yield notebook
    finally:
        with contextlib.suppress(Exception):  # the page may be gone; its kernel ends with the server then
            notebook.command("notebook:shutdown-kernel")
        context.close()


@contextlib.contextmanager
def run_until(end: str, browser: Any, lab: Lab, notebook: Path, name: str = "") -> Iterator[Notebook]:
    """A copy of the notebook, of this name, opened; all of it run but its end: the last cell that contains `end`."""
    shutil.copy(notebook, lab.folder / (name or notebook.name))
    with opened(browser, lab, name or notebook.name) as copy:
        copy.run_before(end)
        yield copy


@contextlib.contextmanager
def containers_removed(client: docker.DockerClient, prefix: str) -> Iterator[None]:
    """Remove at the end the containers that are named like this, whatever became of the notebook that made them."""
    try:
        yield
    finally:
        for container in client.containers.list(all=True, filters={"name": prefix}):
            container.remove(force=True)


def load(page: Any, url: str) -> None:
    """Load a page until its kernel is ready; once more when the network came or went meanwhile."""
    from playwright.sync_api import Error

    for attempt in range(3):
        try:
            page.goto(url)
            page.wait_for_function(KERNEL_READY, timeout=READY_SECONDS * 500)
            return
        except Error:
            if attempt == 2:
                raise


def note(errors: list[str], text: str) -> None:
    if not any(sign in text for sign in NETWORK_CAME_OR_WENT):
        errors.append(text)


KERNEL_READY = """() => {
  const session = window.jupyterapp?.shell.currentWidget?.sessionContext;
  return session?.isReady && session.session?.kernel?.status === "idle";
}"""


def stays_here(url: str, lab: Lab) -> bool:
    here = (lab.url, lab.url.replace("http", "ws"))
    return url.startswith(here) or url.startswith(("data:", "blob:", "about:"))
