"""What people read is spelt right, leads somewhere and is said in short sentences; the tools that say so can fail."""

from pathlib import Path

import pytest

from tests.prose.findings import OWN_WORDS, dead_links, dictionary, misspelt, reading
from tests.prose.pages import NOTEBOOKS, Page, materials, page, pages

# The years at school that a page may ask for, and the mean words in a sentence. Most pages stay far below.
HARDEST_GRADE, LONGEST_SENTENCE = 6, 12

READ = [*pages(), *materials()]
each_page = pytest.mark.parametrize("one", READ, ids=lambda one: one.name)


@each_page
def test_it_is_spelt_right(one):
    assert misspelt(one) == set()


@each_page
def test_its_links_lead_somewhere(one):
    assert list(dead_links(one)) == []


@each_page
def test_its_sentences_are_short(one):
    found = reading(one)
    assert found.grade <= HARDEST_GRADE
    assert found.sentence <= LONGEST_SENTENCE


def test_our_words_are_ours_and_sorted():
    """A word that the dictionary has needs no place in our list."""
    words = OWN_WORDS.read_text("utf-8").split()
    assert words == sorted(set(words))
    used = {word for one in READ for cell in one.cells for word in cell.lower().replace("’", "'").split()}
    assert all(any(word in text for text in used) for word in words)


def here(text: str) -> Page:
    return Page(NOTEBOOKS / "written.md", (text,))


def test_a_slip_of_the_pen_is_found_and_code_is_not_read():
    assert misspelt(here("A contaner runs `slepp 60` from /usr/lbi with OverlayFS.")) == {"contaner"}
    assert "container" in dictionary()


@pytest.mark.parametrize(
    ("target", "alive"),
    [
        ("00_start_here.ipynb", True),
        ("00_start_here.ipynb#Your-first-container", True),
        ("../labkit/linux.py", True),
        ("#a-heading", True),
        ("https://docs.docker.com/engine/", True),
        ("00_stop_here.ipynb", False),
        ("00_start_here.ipynb#Your-last-container", False),
        ("#another-heading", False),
        ("http://docs.docker.com/", False),
        ("../../outside.md", False),
    ],
)
def test_a_link_is_judged(target, alive):
    one = here(f"## A heading\n\nSee [this]({target}).")
    assert list(dead_links(one)) == ([] if alive else [target])


def test_sentences_are_measured():
    easy, hard = (
        reading(here("It runs. It ends.")),
        reading(here("Notwithstanding considerable virtualization overhead.")),
    )
    assert (easy.sentence, hard.sentence) == (2, 4)
    assert easy.grade < HARDEST_GRADE < hard.grade


def test_a_notebook_is_its_markdown():
    one = page(Path(NOTEBOOKS, "00_start_here.ipynb"))
    assert one.cells[0].startswith("# Start here")
    assert not any(cell.startswith("import labkit") for cell in one.cells)
