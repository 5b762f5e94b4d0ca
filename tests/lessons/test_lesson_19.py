"""The exercises of lesson 19: pages that learners write, and what the checks say of them."""

import json
from functools import partial
from pathlib import Path

import pytest

from labkit.child import Child
from labkit.lessons import lesson_19
from tests.lessons.attempts import Attempt, exercise_tests
from tests.lessons.test_lesson_04 import layer

WORD = "atlas"  # drawn with the seed of conftest.py
NOTEBOOK = next((Path(__file__).parents[2] / "notebooks").glob("19_*.ipynb"))
MAGIC = "%%child\n"


def page() -> str:
    """All that the notebook sends to its child, in order: the page as the lesson leaves it."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return "\n".join(source.removeprefix(MAGIC) for source in sources if source.startswith(MAGIC))


CHROOT = "def enter(root):\n    os.chroot(root)\n    os.chdir('/')"
DEFAULT = {
    "run": '\n\n\nrun(["echo", "hello"])',
    "host": 'linux.sethostname("box")',
    "powers": "    drop_powers()\n    become(command)",
    "views": "    linux.unshare(VIEWS)\n    fork_and_wait()",
}
HOST = (DEFAULT["host"], f'linux.sethostname("{WORD}")')
READ_ONLY = (
    '    linux.mount("proc", f"{root}/proc", "proc")\n',
    '    linux.mount("proc", f"{root}/proc", "proc")\n    linux.mount("tmpfs", f"{root}/tmp", "tmpfs")\n'
    "    linux.mount(None, root, None, linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)\n",
)
NO_FORK = (DEFAULT["views"], "    linux.unshare(VIEWS)")
NO_PROC = (READ_ONLY[0], "")  # it is the new process 1 that may mount it, unless root on the machine does
NO_PLACE = (READ_ONLY[0], '    linux.mount("proc", f"{root}/no-such-folder", "proc")\n')
NO_POCKET = (READ_ONLY[0], READ_ONLY[1].replace('    linux.mount("tmpfs", f"{root}/tmp", "tmpfs")\n', ""))
SEALED_BELOW = ('"overlay", 0, layers)', '"overlay", 0, f"lowerdir=/tmp/lower:{box}/upper")')
POCKET = (READ_ONLY[0], READ_ONLY[0] + '    linux.mount("tmpfs", f"{root}/tmp", "tmpfs")\n')
VOLUME = (
    READ_ONLY[0],
    READ_ONLY[0] + '    os.makedirs("/tmp/volume", exist_ok=True)\n    os.mkdir(f"{root}/data")\n'
    '    linux.mount("/tmp/volume", f"{root}/data", None, linux.MS_BIND)\n',
)
IN_THE_IMAGE = ('os.mkdir("/tmp/lower")', 'os.makedirs("/tmp/lower/data")')
MOUNT_ONLY = (
    READ_ONLY[0],
    READ_ONLY[0] + '    os.makedirs("/tmp/volume", exist_ok=True)\n'
    '    linux.mount("/tmp/volume", f"{root}/data", None, linux.MS_BIND)\n',
)
ONE_LAYER = (
    ('box = tempfile.mkdtemp(dir="/tmp")', 'box = "/tmp/box"'),
    ('os.mkdir(f"{box}/{name}")', 'os.makedirs(f"{box}/{name}", exist_ok=True)'),
)


def write(*changes, end=""):
    """A new child with the lesson's page in it, changed here and there."""

    def do(client):
        text = page()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        made = Child(client)
        made.give(layer=layer(client))
        box = client.containers.run("labkit/base", "sleep 60", name="lab19-box", detach=True)
        allowed = int(box.exec_run("awk '/CapBnd/ {print $2}' /proc/1/status").output, 16)
        made.run(f"allowed = {allowed}")
        said = made.run(text + "\n" + end)
        assert "Error" not in said, said

    return do


def empty(client):
    Child(client)


def closed(client):
    Child(client).close()


own = partial(Attempt, "own-page")
sealed = partial(Attempt, "read-only")
kept = partial(Attempt, "volume")

RIGHT = [
    own("the lesson's, with another hostname", write(HOST)),
    own("with chroot", write(HOST, end=CHROOT)),
    sealed("mounted again, read-only", write(READ_ONLY)),
    sealed("an overlay without an upper folder", write(SEALED_BELOW, POCKET)),
    kept("a folder of the workshop", write(VOLUME)),
    kept("its place is in the image", write(IN_THE_IMAGE, MOUNT_ONLY)),
]
WRONG = [
    own("nothing in it", empty, "name 'run' is not defined", "no run"),
    own("ended", closed, "not Python any more", "exited"),
    own("the lesson's hostname", write(), "9 of 10 promises are kept", "wrong hostname"),
    own("all powers", write(HOST, (DEFAULT["powers"], "    become(command)")), "lacks the powers", "too many powers"),
    own("no second fork", write(HOST, NO_FORK, NO_PROC), "is process 1 (`sh -c echo $$` printed: ", "not PID 1"),
    own("nothing runs", write(HOST, NO_PLACE), "(`echo hello` printed: ", "wrong output"),
    own("one layer for all", write(HOST, *ONE_LAYER), "starts fresh", "not fresh"),
    sealed("as in the lesson", write(), "`touch /home/new` succeeds", "writable"),
    sealed("no pocket", write(NO_POCKET), "no place to write at all", "no room"),
    sealed("nothing in it", empty, "name 'run' is not defined", "no run"),
    sealed("ended", closed, "not Python any more", "exited"),
    kept("as in the lesson", write(), "nothing can be written to /data", "no volume"),
    kept("a folder in the layer", write(IN_THE_IMAGE), "does not find", "not kept"),
    kept("the whole layer", write(IN_THE_IMAGE, *ONE_LAYER), "/tmp is kept as well", "not fresh"),
    kept("nothing in it", empty, "name 'run' is not defined", "no run"),
]


@pytest.fixture
def lesson(begin_with_child):
    """Lesson 19 with the lesson's own child, that has been made and is not the learner's."""
    return begin_with_child("19")


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_19.LESSON, RIGHT, WRONG
)
