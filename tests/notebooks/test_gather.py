"""The glossary and the index say what the lessons say."""

import re

import pytest

from tests.notebooks.execute import paths
from tests.notebooks.gather import INDEX, facts, pages, words
from tests.notebooks.test_claims import CLAIMS

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


PATH = re.compile(r"^## .*?, (\d+) minutes\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| (\d+) \| (?:\[(\d\d)\]\((.*?)\))? ?\|", re.MULTILINE)
PATHS = [(int(minutes), ROW.findall(text)) for minutes, text in PATH.findall(INDEX.read_text("utf-8"))]


def test_the_paths_hold_what_they_promise():
    """Their rows add up, no row asks for more minutes than its lesson has, and the order is the lessons' own."""
    lessons = {facts(path).number: facts(path) for path in paths()}
    (chapter, _), (workshop, _), (course, _) = PATHS
    assert (chapter, workshop, course) == (90, 240, sum(lesson.minutes for lesson in lessons.values()))
    for minutes, rows in PATHS[:2]:
        assert minutes == sum(int(one) for one, _, _ in rows)
        walked = [lessons[number] for _, number, _ in rows if number]
        assert [(lesson.number, lesson.path.name) for lesson in walked] == [row[1:] for row in rows if row[1]]
        assert walked == sorted(walked, key=lambda lesson: lesson.number)
        assert all(int(one) <= lessons[number].minutes for one, number, _ in rows if number)


def test_the_short_path_has_all_claims():
    walked = {number for _, number, _ in PATHS[0][1]}
    assert {claim for path in paths() for claim in facts(path).claims if facts(path).number in walked} == set(CLAIMS)
