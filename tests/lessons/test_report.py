"""How far a learner is, also after a lesson has changed."""

import dataclasses

import pytest

from labkit.lessons import Lesson, report
from labkit.lessons.material import load


@pytest.fixture
def standing(progress):
    return lambda: report.standing(load("01"), progress)


def test_nothing_is_done_at_first(standing):
    assert standing().exercises == {"two-from-one": "open", "exit-code": "open", "come-and-go": "open"}
    assert report.coming_next([standing()]) == ("01", "two-from-one")


def test_a_pass_is_counted_and_the_next_one_named(standing, progress):
    progress.record("01", "exercises", "two-from-one", state="passed", version=2)
    progress.record("01", "exercises", "no longer there", state="passed", version=2)
    assert standing().passed == 1
    assert report.coming_next([standing()]) == ("01", "exit-code")
    assert report.advice([standing()]) == ["Next: lesson 01, exercise exit-code."]


def test_a_task_that_has_changed_is_to_be_done_again(standing, progress):
    """exit-code is another task since version 2; two-from-one is not."""
    for key in ("two-from-one", "exit-code"):
        progress.record("01", "exercises", key, state="passed", version=1)
    assert standing().again == ["exit-code"]
    assert standing().passed == 1
    said = report.advice([standing()])
    assert said[0] == "Lesson 01 has changed since you passed exit-code (it is version 2 now): do it again."
    assert "↻ exit-code" in report.text(progress)


def test_a_lesson_that_has_changed_says_so_when_it_begins(begin, progress, capsys):
    progress.record("01", "exercises", "exit-code", state="passed", version=1)
    begin("01")
    assert "do it again" in capsys.readouterr().out


def test_an_answer_to_a_question_that_has_changed_is_forgotten(progress):
    lesson = Lesson("01", None, progress)
    lesson.answer("what-is-it", "c")
    assert report.standing(lesson.material, progress).right == 1
    changed = [dataclasses.replace(question, since=3) for question in lesson.material.questions]
    lesson.material = dataclasses.replace(lesson.material, questions=tuple(changed), version=3)
    assert report.standing(lesson.material, progress).right == 0
    _, options, why = lesson.quiz().widget().children[0].children
    assert options.value is None
    assert why.value == ""


def test_when_all_is_done(progress):
    for one in report.standings(progress):
        for key in one.exercises:
            progress.record(one.material.number, "exercises", key, state="passed", version=one.material.version)
    assert report.advice(report.standings(progress)) == ["All exercises are passed."]


def test_a_version_is_never_older_than_what_changed_in_it():
    for material in (load("00"), load("01"), load("02")):
        assert max(item.since for item in (*material.exercises, *material.questions)) <= material.version
