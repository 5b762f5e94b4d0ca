"""The object that a notebook holds: guesses, hints, answers, progress, and what it leaves behind."""

from html import unescape

import docker
import pytest

from labkit.errors import LabkitError
from labkit.lessons import Lesson, lesson_01
from labkit.lessons.tidy import tidy
from labkit.rootfs import LABELS

NO_ENGINE = None  # predictions, hints and quizzes ask no engine


@pytest.fixture
def lesson(progress):
    return Lesson("01", NO_ENGINE, progress)


def test_a_guess_is_kept_and_shown_beside_the_fact(lesson, progress):
    assert "No guess yet." in repr(lesson.predict("disk"))
    lesson.guess("disk", "a")
    assert "Your guess: Three times as much" in repr(Lesson("01", NO_ENGINE, progress).predict("disk"))
    shown = repr(lesson.reveal("disk", "kilobytes"))
    assert "your guess:    Three times as much" in shown
    assert "what happened: Nearly nothing" in shown
    assert "Not what you guessed" in shown


def test_a_right_guess_is_said_to_be_right(lesson):
    lesson.guess("kernel", "C")
    assert "You saw it coming." in repr(lesson.reveal("kernel", 1))


def test_a_fact_that_nobody_offered_is_shown_as_it_is(lesson):
    assert "what happened: 7" in repr(lesson.reveal("kernel", 7))


def test_hints_come_one_at_a_time_and_the_last_one_stays(lesson):
    shown = [repr(lesson.hint("two-from-one")) for _ in range(4)]
    assert [text.split(":")[0] for text in shown] == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]


@pytest.mark.parametrize("question", lesson_01.LESSON.questions, ids=lambda question: question.key)
def test_each_answer_is_explained(question, lesson):
    for letter, choice in zip("abc", question.choices, strict=True):
        shown = repr(lesson.answer(question.key, letter))
        assert shown.startswith("✓ right" if choice.right else "✗ not quite")
        assert choice.why in shown


def test_progress_counts_exercises_and_right_answers(lesson, progress):
    lesson.answer("stopped", "b")
    lesson.answer("disk", "c")
    progress.record("01", "exercises", "two-from-one", state="passed")
    row = next(line for line in repr(lesson.progress()).splitlines() if line.startswith("01"))
    assert "exercises 1 of 3" in row
    assert "quiz 1 of 4" in row


@pytest.mark.parametrize(
    "call",
    [
        lambda lesson: lesson.predict("dsk"),
        lambda lesson: lesson.reveal("dsk", 1),
        lambda lesson: lesson.hint("two"),
        lambda lesson: lesson.check("two"),
        lambda lesson: lesson.answer("stoped", "a"),
    ],
)
def test_a_misspelt_name_lists_the_right_ones(call, lesson):
    with pytest.raises(LabkitError, match="choose one of '"):
        call(lesson)


@pytest.mark.parametrize("letter", ["", "z", "d", "ab", "1"])
def test_a_letter_that_is_none_of_the_answers(letter, lesson):
    with pytest.raises(LabkitError, match="one letter of a, b, c"):
        lesson.answer("stopped", letter)


def test_text_and_html_say_the_same(lesson):
    """Every word of the text form is in the HTML, which is what a page without a kernel shows."""
    for card in (lesson.predict("disk"), lesson.reveal("disk", "kilobytes"), lesson.progress()):
        html = unescape(card.html)
        words = [word for word in repr(card).split() if word not in ("a)", "b)", "c)")]  # the list numbers itself
        assert [word for word in words if word.rstrip(":") not in html] == []


def test_a_page_without_a_kernel_can_unfold_the_answers(lesson):
    assert lesson.quiz().html.count("<details>") == len(lesson_01.LESSON.questions)
    assert "<script" not in lesson.quiz().html


# --- widgets: driven as a click would drive them ----------------------------------------------------


def test_a_click_on_an_option_notes_the_guess(lesson, progress):
    question, options, status = lesson.predict("disk").widget().children
    options.value = options.options[0]
    assert progress.section("01", "guesses")["disk"]["guess"] == options.options[0]
    assert "Your guess is noted" in status.value
    assert "How much more disk" in question.value


def test_a_click_on_an_answer_explains_it(lesson, progress):
    _, options, why = lesson.quiz().widget().children[0].children
    options.value = 2
    assert "✓ right" in why.value
    assert progress.section("01", "answers")["what-is-it"]["right"] is True


def test_an_answer_from_an_earlier_day_is_shown_again(lesson):
    lesson.answer("what-is-it", "a")
    _, options, why = lesson.quiz().widget().children[0].children
    assert options.value == 0
    assert "✗ not quite" in why.value


def test_a_widget_is_made_only_where_a_notebook_can_show_it(lesson, monkeypatch):
    view = "application/vnd.jupyter.widget-view+json"
    assert view not in lesson.predict("disk")._repr_mimebundle_()
    monkeypatch.setattr("labkit.lessons.cards.get_ipython", lambda: "a kernel")
    bundle = lesson.predict("disk")._repr_mimebundle_()
    assert {view, "text/plain", "text/html"} == set(bundle)
    assert bundle["text/plain"] == repr(lesson.predict("disk"))


def test_the_buttons_of_a_check_look_again_and_give_hints(client, begin):
    lesson = begin("00")
    shown, buttons, hints = lesson.check("guest").widget().children
    check_again, hint = buttons.children
    assert "not tried yet" in shown.value
    client.containers.create("labkit/base", "true", name="lab00-guest")
    check_again.click()
    assert "✓ passed" in shown.value
    hint.click()
    assert "Hint 1 of 3" in hints.value


# --- on an engine -----------------------------------------------------------------------------------


def test_a_check_that_was_passed_before_says_so(begin, progress):
    lesson = begin("01")
    progress.record("01", "exercises", "exit-code", state="passed", version=2)
    shown = repr(lesson.check("exit-code"))
    assert shown.startswith("○ not tried yet")
    assert "you passed this exercise in an earlier run" in shown


def test_begin_and_end_remove_the_lessons_own_and_nothing_else(client, begin, capsys):
    lesson = begin("01")
    other = client.containers.create("labkit/base", "true", name="lab99-other")
    not_ours = client.containers.create("labkit/base", "true", name="lab01-foreign", labels={"labkit": "no"})
    client.containers.create("labkit/base", "true", name="lab01-red").commit("lab01-image")
    try:
        lesson.end()
        lesson.end()
        names = {container.name for container in client.containers.list(all=True, ignore_removed=True)}
        assert "lab01-red" not in names
        assert {"lab99-other", "lab01-foreign"} <= names
        with pytest.raises(docker.errors.ImageNotFound):
            client.images.get("lab01-image")
        assert "Left alone" in capsys.readouterr().out
    finally:
        other.remove()
        not_ours.remove()


def test_networks_and_volumes_of_the_cast_go_and_others_stay(client):
    ours = client.networks.create("lab98-net"), client.volumes.create("lab98-data")
    labelled = client.volumes.create("lab98-extra", labels=LABELS)
    foreign = client.networks.create("lab98-foreign"), client.volumes.create("lab98-other")
    try:
        assert tidy(client, "lab98-", ["lab98-net", "lab98-data"]) == ["lab98-foreign", "lab98-other"]
        for gone in (*ours, labelled):
            with pytest.raises(docker.errors.NotFound):
                gone.reload()
    finally:
        for one in foreign:
            one.remove()
