"""The exercises of lesson 11: what learners do, and what the checks say."""

import io
import tarfile
from functools import partial

import pytest

from labkit.lessons import lesson_11
from labkit.lessons.checks_11 import APP, COLOURS, DEAD, ODD, REPORT
from labkit.lessons.draw import seeded
from tests.contract.helpers import eventually
from tests.lessons.attempts import Attempt, assert_not_tried, exercise_tests

BASE, IMAGE = "labkit/base", "lab11-app"
WORDS = {parameter.key: seeded(parameter, "course 11") for parameter in lesson_11.LESSON.parameters}
CULPRIT = f"lab11-{WORDS['culprit']}"
OTHER, THIRD = (f"lab11-{colour}" for colour in COLOURS if colour != WORDS["culprit"])
CODE, STRAY = WORDS["code"], f"/etc/{WORDS['stray']}"
APP_SCRIPT = "mkdir -p /var/app; echo open > /var/app/state; echo ready; sleep 600 & wait"


def run(client, name, line, image=BASE):
    return client.containers.run(image, ["sh", "-c", line], name=name, detach=True)


def sh(client, name, line):
    """Run a line of shell in a container; it must succeed."""
    done = client.containers.get(name).exec_run(["sh", "-c", line])
    assert done.exit_code == 0, done.output


def inside(name, line):
    return lambda client: sh(client, name, line)


def stop(*names):
    def do(client):
        for name in names:
            client.containers.get(name).stop(timeout=0)

    return do


def kill_all_in(client):
    """The crowd's main process waits for its children, and ends with them."""
    client.containers.get(CULPRIT).exec_run(["sh", "-c", "kill $(pidof sleep)"])
    client.containers.get(CULPRIT).wait(timeout=20)


def removed(name):
    return lambda client: client.containers.get(name).remove(force=True)


# --- rescue ---------------------------------------------------------------------------------------


def copied(client, folder="/var/app"):
    """The archive that comes out of one container goes into the other, as it is."""
    chunks, _ = client.containers.get(DEAD).get_archive(REPORT)
    client.containers.get(APP).put_archive(folder, b"".join(chunks))


def written(text, name="report"):
    def do(client):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
        client.containers.get(APP).put_archive("/var/app", buffer.getvalue())

    return do


def copied_then_stopped(client):
    copied(client)
    stop(APP)(client)


def dead_made_to_live(client):
    """Another container under the dead one's name, to have a shell in it."""
    removed(DEAD)(client)
    run(client, DEAD, f"echo the code is {CODE} >{REPORT}; sleep 600")


# --- stray ----------------------------------------------------------------------------------------


def restarted(client):
    client.containers.get(ODD).restart(timeout=0)


crowd = partial(Attempt, "crowd")
rescue = partial(Attempt, "rescue")
stray = partial(Attempt, "stray")

RIGHT = [
    crowd("stopped", stop(CULPRIT)),
    crowd("its processes ended", kill_all_in),
    rescue("the archive passed on", copied),
    rescue("the text written anew", written(f"the code is {CODE}\n")),
    stray("rm", inside(ODD, f"rm {STRAY}")),
    stray("find", inside(ODD, f"find /etc -name {WORDS['stray']} -exec rm {{}} ';'")),
]
WRONG = [
    crowd("another one", stop(OTHER), f"{OTHER} is stopped", "wrong one"),
    crowd("all of them", stop(CULPRIT, OTHER, THIRD), "are stopped", "too many"),
    crowd("paused", lambda c: c.containers.get(CULPRIT).pause(), "is paused", "paused"),
    rescue("under another name", written("the code is", name="the-report"), "has /var/app/the-report", "wrong place"),
    rescue("another folder", partial(copied, folder="/tmp"), "has /tmp/report", "wrong place"),
    rescue("a wrong code", written("the code is 1"), "reads 'the code is 1'", "wrong content"),
    rescue("empty", written(""), "reads ''", "wrong content"),
    rescue("the app stopped", copied_then_stopped, f"{APP} does not run", "exited"),
    rescue("removed", removed(DEAD), f"{DEAD} was removed", "gone"),
    rescue("another in its place", dead_made_to_live, "was started again", "started anew"),
    stray("moved", inside(ODD, f"mv {STRAY} /tmp/away"), "/tmp/away is there now", "too much changed"),
    stray("restarted", restarted, "has ended in the meantime", "started anew"),
    stray("removed", removed(ODD), f"{ODD} was removed", "gone"),
    stray("too much deleted", inside(ODD, f"rm {STRAY} /etc/motd"), "/etc/motd is deleted", "wrong one"),
    stray("the app's own", inside(ODD, f"rm {STRAY} /var/app/state"), "was the app's own", "wrong one"),
]


@pytest.fixture
def lesson(client, begin):
    """Lesson 11 where its own cells have been run."""
    begun = begin("11")
    client.images.build(fileobj=io.BytesIO(b"FROM labkit/base\nENV APP=yes\n"), tag=IMAGE, rm=True)
    for name in (APP, ODD):
        run(client, name, APP_SCRIPT, IMAGE)
    for colour in COLOURS:
        count = 12 if colour == WORDS["culprit"] else 1
        run(client, f"lab11-{colour}", f"for i in $(seq {count}); do sleep 600 & done; wait")
    run(client, DEAD, f"echo the code is {CODE} >{REPORT}; exit 3").wait(timeout=20)
    for name in (APP, ODD):
        eventually(lambda name=name: b"ready" in client.containers.get(name).logs())
    sh(client, ODD, f"touch {STRAY}")
    eventually(lambda: len(client.containers.get(CULPRIT).top()["Processes"]) == 13)
    return begun


test_every_exercise_has_its_attempts, test_starter_is_not_tried, test_right, test_wrong = exercise_tests(
    lesson_11.LESSON, RIGHT, WRONG
)


def test_nothing_of_the_lesson_is_there_yet(begin):
    """Whoever skips the lesson's first cells has tried nothing."""
    assert_not_tried(begin("11"))
