"""A learner's session in the sandbox: how much it takes, what it costs when nothing happens, and what is left of it."""

import json

import pytest

from labkit.microvm import qemu
from tests.binder import sandbox
from tests.notebooks.execute import extras, paths

GUARANTEED = "450m"  # what Binder promises to a session; more may be taken away at any moment
IDLE = 0.06  # of one processor, everything together

SESSION = """
import time, labkit
client = labkit.connect()
labkit.base_image(client)
for _ in range(4):
    client.containers.run("labkit/base", ["sleep", "1000"], detach=True)
print(client.containers.run("labkit/base", ["echo", "it", "works"], remove=True).decode(), flush=True)
"""


def test_a_session_fits_into_what_binder_guarantees(docker_client, image, machine):
    """JupyterLab and a notebook's kernel take their part; the machine with four containers gets the rest."""
    script = BESIDE_JUPYTER + SESSION
    environment = {"LABKIT_VM_KIND": machine}
    limits = {"mem_limit": GUARANTEED, "memswap_limit": GUARANTEED}
    done = sandbox.python(docker_client, script, environment=environment, **limits)
    assert "it works" in done.text, done.text
    assert done.status == 0, done.text


BESIDE_JUPYTER = """
import subprocess, sys, time, urllib.request
server = subprocess.Popen(["jupyter", "lab", "--no-browser", "--IdentityProvider.token="], stderr=subprocess.DEVNULL)
for _ in range(300):
    try:
        urllib.request.urlopen("http://127.0.0.1:8888/api")
        break
    except OSError:
        time.sleep(0.1)
"""


def test_an_idle_machine_costs_next_to_nothing(docker_client, image, machine):
    script = SESSION + "time.sleep(1000)"
    with sandbox.sandbox(docker_client, ["python", "-c", script], environment={"LABKIT_VM_KIND": machine}) as session:
        wait_for(session, "it works")
        assert sandbox.cpu_share(session, 20) < IDLE


def wait_for(session, words: str) -> None:
    """Read the log until some words come."""
    text = b""
    for piece in session.logs(stream=True, follow=True):
        text += piece
        if words.encode() in text:
            return
    pytest.fail(text.decode())


# --- where not even a machine works ----------------------------------------------------------------------------------

REFUSED = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["ptrace", "unshare", "setns", "mount"], "action": "SCMP_ACT_ERRNO"}],
}
NOTHING = {
    "security_opt": ["no-new-privileges", "seccomp=" + json.dumps(REFUSED)],
    "volumes": {"/dev/null": {"bind": f"/usr/bin/{qemu.board().program}", "mode": "ro"}},
}


def test_the_doctor_says_what_is_missing(docker_client, image):
    done = sandbox.run(docker_client, ["labkit", "doctor", "--json"], **NOTHING)
    report = json.loads(done.text)
    assert not report["engine"]["works"]
    (finding,) = [each for each in report["findings"] if each["name"] == "virtual machine"]
    assert finding["outcome"] == "missing"
    assert "ptrace" in finding["means"] and "QEMU" in finding["means"]
    assert "apt install" not in finding["mend"]  # all is there, and forbidden


def test_connect_says_it_too(docker_client, image):
    done = sandbox.python(docker_client, "import labkit; labkit.connect()", **NOTHING)
    error = done.text.splitlines()[-1]
    assert error.startswith("labkit.errors.NoEngine: ")
    for words in ("namespaces are refused", "ptrace", "QEMU: ", "labkit doctor", "read the lesson"):
        assert words in error


def test_the_lessons_still_read_well(docker_client, image):
    """Each opens, and as a web page it has the stored outputs and the tables of its pictures."""
    done = sandbox.python(docker_client, READ, **NOTHING)
    lines = done.text.splitlines()
    assert len(lines) == len([*paths(), *extras()]), done.text
    assert all(line.split()[1:] == ["True"] * 3 for line in lines), done.text


READ = """
import html, pathlib, re, nbformat
from nbconvert import HTMLExporter
def words(page): return " ".join(html.unescape(re.sub("<[^>]*>", " ", page)).split())
for path in sorted(pathlib.Path("/opt/labkit/notebooks").rglob("*.ipynb")):
    notebook = nbformat.read(path, 4)
    page = words(HTMLExporter().from_notebook_node(notebook)[0])
    stored = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    tables = [words(o["data"]["text/html"]) for o in stored if "text/html" in o.get("data", {})]
    print(path.stem, len(stored) > 5, all(table in page for table in tables), len(tables) > 0)
"""
