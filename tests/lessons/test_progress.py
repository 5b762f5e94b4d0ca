"""The progress file: it survives, it is versioned, and two writers don't lose each other's lines."""

import json
import threading

import pytest

from labkit.errors import LabkitError
from labkit.lessons.progress import VERSION, Progress, default_path


def test_what_is_recorded_is_there_for_the_next_reader(progress):
    progress.record("01", "exercises", "two-from-one", state="passed")
    again = Progress(progress.path).section("01", "exercises")
    assert again["two-from-one"]["state"] == "passed"
    assert again["two-from-one"]["at"].endswith("+00:00")


def test_reading_makes_no_file(progress):
    assert progress.section("01", "guesses") == {}
    assert not progress.path.exists()


def test_the_file_has_a_version(progress):
    progress.record("01", "hints", "two-from-one", taken=1)
    assert json.loads(progress.path.read_text())["version"] == VERSION


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"version": 99, "lessons": {}}', "version 99"),
        ('{"version": 1, "les', "not a progress file"),
        ("[]", "not a progress file"),
    ],
)
def test_a_file_we_cannot_read_is_left_as_it_is(progress, content, says):
    progress.path.write_text(content)
    with pytest.raises(LabkitError, match=says):
        progress.record("01", "guesses", "disk", guess="a")
    assert progress.path.read_text() == content


def test_a_failed_write_leaves_the_old_file(progress, monkeypatch):
    progress.record("01", "guesses", "disk", guess="a")

    def full_disk(old, new):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("labkit.lessons.progress.os.replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        progress.record("01", "guesses", "disk", guess="b")
    assert progress.section("01", "guesses")["disk"]["guess"] == "a"


def test_writers_take_turns(progress):
    def write(number):
        for turn in range(10):
            Progress(progress.path).record("01", "guesses", f"{number}-{turn}", guess="a")

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(progress.section("01", "guesses")) == 40


def test_the_place_follows_the_xdg_rule(tmp_path):
    assert default_path({"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "labkit" / "progress.json"
    assert default_path({}).parts[-4:] == (".local", "share", "labkit", "progress.json")
