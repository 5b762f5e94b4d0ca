"""What is wrong with a page, and how hard it is to read: spelling, links, sentences."""

import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyphen
from spellchecker import SpellChecker

from tests.prose.pages import ROOT, Page, anchors, blocks, links, page, spoken

OWN_WORDS = Path(__file__).parent / "words.txt"
WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?")
NAME = re.compile(r"\w*[a-z][A-Z]\w*|\b[A-Z]{2,}s?\b|\w*\d\w*|\S*[/_]\S*")  # OverlayFS, PIDs, sha256, a/path: names
SENTENCE = re.compile(r"(?<=[.!?:])\s+")
_syllables = pyphen.Pyphen(lang="en_US")


@dataclass(frozen=True)
class Reading:
    """How a page reads. `grade`: Flesch and Kincaid's, the years at school that its sentences ask for."""

    words: int
    median_cell: float  # words in a cell
    longest_cell: int
    sentence: float  # mean number of words in a sentence
    grade: float


@cache
def dictionary() -> SpellChecker:
    """English, and the words of our field in words.txt."""
    checker = SpellChecker()
    checker.word_frequency.load_words(OWN_WORDS.read_text("utf-8").split())
    return checker


def misspelt(one: Page) -> set[str]:
    """The words that no dictionary knows."""
    text = "\n".join(spoken(block) for cell in one.cells for block in blocks(cell))
    words = {word.replace("’", "'").removesuffix("'s").lower() for word in WORD.findall(NAME.sub(" ", text))}
    return set(dictionary().unknown(word for word in words if len(word) > 1))


def dead_links(one: Page) -> Iterator[str]:
    """The links that lead to no file or no heading. Nothing is asked of the network: there, only the form is judged."""
    for cell in one.cells:
        for target in links(cell):
            if not _alive(one, target):
                yield target


def _alive(one: Page, target: str) -> bool:
    address = urlsplit(target)
    if address.scheme:
        return address.scheme == "https" and "." in address.netloc
    path = (one.path.parent / unquote(address.path)).resolve() if address.path else one.path
    if path == one.path:
        return unquote(address.fragment) in anchors(one)
    if not path.exists() or ROOT not in path.parents:
        return False
    return not address.fragment or unquote(address.fragment) in anchors(page(path))


def reading(one: Page) -> Reading:
    """The measures of its sentences. Code counts as one word."""
    sizes = [len(cell.split()) for cell in one.cells]
    texts = [spoken(block, "code") for cell in one.cells for block in blocks(cell) if block["type"] != "heading"]
    sentences = [words for text in texts for part in SENTENCE.split(text) if (words := WORD.findall(part))]
    words = [word for sentence in sentences for word in sentence]
    length = len(words) / max(len(sentences), 1)
    syllables = sum(len(_syllables.positions(word)) + 1 for word in words) / max(len(words), 1)
    grade = 0.39 * length + 11.8 * syllables - 15.59  # Kincaid and others, 1975
    return Reading(sum(sizes), statistics.median(sizes), max(sizes), round(length, 1), round(grade, 1))
