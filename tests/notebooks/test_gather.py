"""The glossary and the index say what the lessons say."""

import re

import pytest

from tests.notebooks.execute import paths
from tests.notebooks.gather import INDEX, facts, pages, words

each_lesson = pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)


def test_the_pages_are_up_to_date():
    """`python -m tests.notebooks.gather` writes them."""
    for path, text in pages().items():
        assert path.read_text("utf-8") == text


def test_no_term_is_defined_twice():
    terms = [term.casefold() for path in paths() for term, _ in words(path)]
    assert sorted({term for term in terms if terms.count(term) > 1}) == []


@each_lesson
def test_a_lesson_defines_its_terms(path):
    """Lesson 00 has none of its own: it only says how a lesson works."""
    assert len(list(words(path))) >= (3 if facts(path).number != "00" else 0)


@each_lesson
def test_a_lesson_stands_on_earlier_ones(path):
    assert all(number < facts(path).number for number in facts(path).before)


def test_the_paths_hold_what_they_promise():
    """Each path lists lessons in an order that their prerequisites allow, and its minutes are the lessons' sum."""
    minutes = {facts(path).number: facts(path).minutes for path in paths()}
    sections = re.findall(
        r"^## .*?, (\d+) minutes\n(.*?)(?=^## |\Z)", INDEX.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert len(sections) == 3
    for promised, text in sections:
        lessons = re.findall(r"\]\((\d\d)_\w+\.ipynb\)", text)
        assert int(promised) == sum(minutes[number] for number in lessons)
        assert lessons == sorted(set(lessons))
