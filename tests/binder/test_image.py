"""The image itself: whose it is, how large, which layers a change touches, and where its JupyterLab begins."""

import re
import time

import pytest

from labkit.microvm import guest
from tests.binder import build, sandbox

PROGRAMS = 4  # layers: the base, the distribution's programs, the user, the Python packages
LARGEST = 1000  # MB: more, and somebody should look at what came in


def test_it_runs_as_an_ordinary_user(docker_client, image):
    config = docker_client.images.get(image).attrs["Config"]
    assert config["User"] == "jovyan"
    assert sandbox.run(docker_client, ["id", "-u"]).text == "1000\n"


def test_its_size_is_bounded(docker_client, image):
    assert docker_client.images.get(image).attrs["Size"] / 1e6 < LARGEST


@pytest.mark.parametrize("folder", ["/opt/labkit", "/etc", "/usr/local"])
def test_the_learner_can_change_nothing_of_it(docker_client, image, folder):
    assert sandbox.run(docker_client, ["find", folder, "-writable", "!", "-type", "l"]).text == ""


@pytest.mark.parametrize(
    ("changed", "kept"), [("notebooks/00_start_here.ipynb", -1), ("labkit/lessons/lesson_00.py", PROGRAMS)]
)
def test_a_change_in_a_lesson_touches_no_layer_before_its_own(docker_client, source, image, changed, kept):
    before = docker_client.images.get(image).attrs["RootFS"]["Layers"]
    other = build.image(docker_client, source.changed(changed, b"{}"), tag="labkit-test/binder:other")
    try:
        after = docker_client.images.get(other).attrs["RootFS"]["Layers"]
        assert after[:kept] == before[:kept]
        assert after[kept] != before[kept]
    finally:
        docker_client.images.remove("labkit-test/binder:other")


def test_nothing_of_the_site_is_in_it(docker_client, image):
    """No certificate that was given, and no such argument in the image's history."""
    given = [line for text in build.certificates() for line in text.splitlines() if len(line) == 64][:1]
    for needle in given:
        found = sandbox.run(docker_client, ["grep", "-rlsF", needle, "/etc", "/usr/local", "/usr/share", "/opt"])
        assert found.text == ""
    history = docker_client.images.get(image).history()
    assert not [step for step in history if "CERTIFICATE" in step["CreatedBy"]]


def test_all_python_is_compiled_beforehand(docker_client, image):
    """The learner may not write there, so it would be compiled at every start."""
    script = (
        "import importlib.util as u, pathlib, sys; import labkit; "
        "print([str(p) for p in pathlib.Path(labkit.__file__).parent.rglob('*.py') "
        "if not pathlib.Path(u.cache_from_source(str(p))).exists()])"
    )
    assert sandbox.python(docker_client, script).text == "[]\n"


def test_the_guests_files_are_there_and_whole(docker_client, image):
    script = "from labkit.microvm import guest; f = guest.default_files(); "
    script += "print({kind: guest.is_built(kind, f / kind) for kind in guest.BUILDERS})"
    assert sandbox.python(docker_client, script).text == f"{dict.fromkeys(guest.BUILDERS, True)}\n"


# --- how it starts ---------------------------------------------------------------------------------------------------

FIRST = "/lab/tree/notebooks/00_start_here.ipynb"
ASK = """
import sys, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *ignored): return None
try:
    urllib.request.build_opener(Stay).open("http://127.0.0.1:8888/" + sys.argv[1])
except urllib.error.HTTPError as answer:
    print(answer.headers["Location"])
"""


# As a person starts it, and as BinderHub does: with a command of its own.
STARTS = {"a laptop": None, "Binder": ["jupyter-lab", "--ip=0.0.0.0", "--port=8888", "--IdentityProvider.token=secret"]}


@pytest.mark.parametrize("start", STARTS)
def test_it_begins_with_the_first_lesson(docker_client, image, start):
    with sandbox.sandbox(docker_client, STARTS[start]) as server:
        token = find_token(server) if STARTS[start] is None else "secret"
        where = answered(server, f"?token={token}")
        assert where.split("?")[0] == FIRST
        assert "00_start_here.ipynb" in sandbox.execute(server, "ls", "/home/jovyan/notebooks")


def find_token(server) -> str:
    """The token from JupyterLab's own log."""
    for _ in range(300):
        if found := re.search(r"token=([0-9a-f]{48})", server.logs().decode()):
            return found[1]
        time.sleep(0.1)
    pytest.fail(server.logs().decode())


def answered(server, query: str) -> str:
    """Where the root of the server leads to, as soon as it answers."""
    for _ in range(300):
        status, output = server.exec_run(["python", "-c", ASK, query])
        if status == 0 and output.strip():
            return str(output.decode().strip())
        time.sleep(0.1)
    pytest.fail(server.logs().decode())


TWICE = """
from pathlib import Path
from traitlets.config import Config
def start(): exec(Path("/etc/jupyter/jupyter_server_config.py").read_text(), {"get_config": Config})
lesson, other = (Path.home() / "notebooks" / name for name in ("00_start_here.ipynb", "images/path.svg"))
start()
lesson.write_text("mine")
other.unlink()
start()
print(lesson.read_text(), other.exists())
"""


def test_what_the_learner_wrote_is_kept_when_it_starts_again(docker_client, image):
    assert sandbox.python(docker_client, TWICE).text == "mine True\n"


def test_a_hubs_own_server_is_there(docker_client, image):
    done = sandbox.run(docker_client, ["serve-course", "--version"], environment={"JUPYTERHUB_API_TOKEN": "x"})
    assert re.match(r"\d+\.\d+", done.text), done.text
    assert done.text != sandbox.run(docker_client, ["jupyter", "lab", "--version"]).text
