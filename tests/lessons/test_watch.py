"""The live mode: green the moment the state is right, by events alone, and it ends by itself."""

import threading
import time

import pytest

from labkit.lessons.material import Outcome
from labkit.lessons.watch import Watch

BASE = "labkit/base"
SOON = 5.0  # seconds


def until(condition, seconds=SOON):
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "labkit-watch"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert until(lambda: not threads())


def test_it_turns_green_by_itself(client, begin, progress):
    lesson = begin("00")
    shown = lesson.watch("guest").widget()
    assert "not tried yet" in shown.value
    client.containers.create(BASE, "true", name="lab00-gest")
    assert until(lambda: "called lab00-gest" in shown.value), "it also shows what is wrong on the way"
    client.containers.get("lab00-gest").rename("lab00-guest")
    assert until(lambda: "✓ passed" in shown.value)
    assert "the watch has ended" in shown.value
    assert progress.section("00", "exercises")["guest"]["state"] == "passed"
    assert until(lambda: not threads()), "nothing goes on behind a green box"


def test_a_file_that_is_written_inside_is_seen(client, begin):
    """An exec has events of its own."""
    lesson = begin("02")
    maker = client.containers.run(BASE, ["sh", "-c", "mkdir /notes; touch /notes/old.txt; sleep 600"], detach=True,
                                  name="lab02-maker")  # fmt: skip
    assert until(lambda: maker.diff())
    maker.commit("lab02-notes", changes='CMD ["sleep", "600"]')
    shown = lesson.watch("hide-a-file").widget()
    hide = client.containers.run("lab02-notes", name="lab02-hide", detach=True)
    assert until(lambda: "still has /notes/old.txt" in shown.value)
    hide.exec_run("rm /notes/old.txt")
    assert until(lambda: "✓ passed" in shown.value)


def test_what_is_right_already_needs_no_watch(client, begin):
    lesson = begin("00")
    client.containers.create(BASE, "true", name="lab00-guest")
    assert repr(lesson.watch("guest")).startswith("✓ passed")
    assert not threads()


def test_the_end_of_a_lesson_ends_its_watches(client, begin):
    lesson = begin("00")
    shown = lesson.watch("guest").widget()
    lesson.end()
    assert until(lambda: not threads())
    assert "watching: has ended" in shown.value


def test_a_second_watch_takes_the_place_of_the_first(client, begin):
    lesson = begin("00")
    first, second = (lesson.watch("guest").widget() for _ in range(2))
    assert "has ended" in first.value
    assert "turns green by itself" in second.value
    lesson.end()


def test_it_ends_when_its_time_is_up(client):
    watch = Watch(client, lambda: Outcome("not tried", "nothing"), seconds=1.5)
    assert until(lambda: watch.state == "time")


def test_it_looks_only_when_something_happened(client, begin):
    """Nothing polls: without an event there is the first look and one when the stream is open."""
    begin("00")
    looks = []

    def look():
        looks.append(time.monotonic())
        return Outcome("not tried", "nothing")

    watch = Watch(client, look)
    time.sleep(1.0)
    quiet = len(looks)
    watch.stop()
    assert quiet <= 3, "others may be at work on this engine, and each of their events is a look"


def test_an_engine_that_fails_for_a_moment_is_asked_again(client, begin):
    """What a check asks for may be gone at that very moment."""
    begin("00")
    answers = iter([Outcome("not tried", "nothing"), ConnectionError("gone"), Outcome("passed", "there")])

    def look():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    watch = Watch(client, look)
    time.sleep(0.5)
    client.containers.create(BASE, "true", name="lab00-event")
    assert until(lambda: watch.state == "passed")
