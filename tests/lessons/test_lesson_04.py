"""The exercises of lesson 04: what learners do, and what the checks say."""

import io
import json
import tarfile
from functools import partial

import pytest

from labkit.child import Child, children
from labkit.lessons import lesson_04
from labkit.lessons.checks_04 import BOX, GUEST, TWIN
from tests.lessons.attempts import Attempt, exercise_tests

BASE = "labkit/base"
WORD = "wrench"  # drawn with the seed of conftest.py

# the steps of the lesson, as a learner would copy them
HOST = "linux.unshare(linux.CLONE_NEWUTS)\nlinux.sethostname('{}')"
BORN = "linux.unshare(linux.CLONE_NEWPID)\npid = os.fork()\nif pid:\n    leave_to(pid)"
TREE = """
import io, tarfile
linux.unshare(linux.CLONE_NEWNS)
linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
linux.mount("tmpfs", "/tmp", "tmpfs")
os.mkdir("/tmp/root")
tarfile.open(fileobj=io.BytesIO(layer)).extractall("/tmp/root")
"""
BIND = "linux.mount('/tmp/root', '/tmp/root', None, linux.MS_BIND)"
PIVOT = "os.chdir('/tmp/root')\nlinux.pivot_root('.', '.')\nlinux.umount2('.', linux.MNT_DETACH)\nos.chdir('/')"
CHROOT = "os.chroot('/tmp/root')\nos.chdir('/')"
SHELL = "os.execve('/bin/sh', ['sh'], {'PATH': '/bin'})"


def layer(client):
    with tarfile.open(fileobj=io.BytesIO(b"".join(client.images.get(BASE).save()))) as saved:
        manifest = json.load(saved.extractfile("manifest.json"))
        return saved.extractfile(manifest[0]["Layers"][0]).read()


def by_hand(*steps, host=WORD):
    def do(client):
        made = Child(client)
        made.give(layer=layer(client))
        for step in (HOST.format(host), *steps):
            said = made.run(step)
            assert "Error" not in said, said

    return do


def ended(client):
    by_hand(BORN)(client)
    children()[-1].close()


def run(client, name, image=BASE, command="sleep 60", **options):
    return client.containers.run(image, command, name=name, detach=True, **options)


def beside(client, name=GUEST, mode=f"container:{BOX}", **options):
    run(client, BOX)
    return run(client, name, network_mode=mode, **options)


def from_another_image(client, name, **options):
    maker = client.containers.create(BASE, "true", name="lab04-maker")
    maker.commit("lab04-other")
    maker.remove()
    run(client, name, "lab04-other", **options)


def box_is_gone(client):
    beside(client)
    client.containers.get(BOX).remove(force=True)


hand = partial(Attempt, "by-hand")
net = partial(Attempt, "one-net")
twin = partial(Attempt, "twin")

RIGHT = [
    hand("pivot_root", by_hand(TREE, BIND, BORN, PIVOT, SHELL)),
    hand("chroot", by_hand(BORN, TREE, CHROOT, SHELL)),
    net("run", beside),
    net("by its ID", lambda c: run(c, GUEST, network_mode=f"container:{run(c, BOX).id}")),
    twin("run", lambda c: run(c, TWIN, hostname=WORD, cap_drop=["ALL"])),
    twin(
        "create and start",
        lambda c: c.containers.create(BASE, "sleep 60", name=TWIN, hostname=WORD, cap_drop=["all"]).start(),
    ),
]
WRONG = [
    hand("still Python", by_hand(TREE, BIND, BORN, PIVOT), "is still python", "not become"),
    hand("the lesson's hostname", by_hand(TREE, BORN, CHROOT, SHELL, host="by-hand"), "host by-hand", "wrong hostname"),
    hand("no fork", by_hand(TREE, CHROOT, SHELL), "its number is not 1", "not PID 1"),
    hand("the machine's root", by_hand(BORN, SHELL), "no /home/learner", "old root"),
    hand("ended", ended, "has ended", "exited"),
    net("a network of its own", lambda c: beside(c, mode="none"), f"mode of {GUEST} is none", "own network"),
    net("alone", box_is_gone, f"{BOX} is not", "too few"),
    net("ended at once", lambda c: beside(c, command="true").wait(timeout=30), "is exited, exit code 0", "exited"),
    net("slip", lambda c: beside(c, "lab04-gest"), "called lab04-gest", "misnamed"),
    net("another image", lambda c: (run(c, BOX), from_another_image(c, GUEST)), "from lab04-other", "wrong image"),
    twin("another hostname", lambda c: run(c, TWIN, cap_drop=["ALL"]), f"hostname of {TWIN} is", "wrong hostname"),
    twin("all its powers", lambda c: run(c, TWIN, hostname=WORD), "dropped: none", "too many powers"),
    twin("some of them", lambda c: run(c, TWIN, hostname=WORD, cap_drop=["CHOWN"]), "dropped:", "too many powers"),
    twin("created only", lambda c: c.containers.create(BASE, "sleep 60", name=TWIN), "never started", "not started"),
    twin("slip", lambda c: run(c, "lab04-twins"), "called lab04-twins", "misnamed"),
    twin("removed", lambda c: run(c, TWIN).remove(force=True), "was here and has been removed", "gone"),
    twin("no name", lambda c: run(c, None, command="true", labels=["lab04"]), "Docker made up", "unnamed"),
]


@pytest.fixture
def lesson(begin_with_child):
    """Lesson 04 with the lesson's own child, that has been made and is not the learner's."""
    return begin_with_child("04")


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_04.LESSON, RIGHT, WRONG
)
