"""Quotes and variables in the words of a Dockerfile; what dockerd gives for the same words is the last column."""

import pytest

from labkit.engine.build.words import BadWord, expand, expand_words, json_list, split

VALUES = {"A": "1", "B": "two words", "EMPTY": ""}

EXPANDED = [
    ("plain", "plain"),
    ("$A", "1"),
    ("${A}x$A", "1x1"),
    ("$Ax", ""),
    ("$NONE", ""),
    ("'$A'", "$A"),
    ('"$A and $B"', "1 and two words"),
    (r"\$A", "$A"),
    (r'"\$A \" \\ \n"', '$A " \\ \\n'),
    (r"a\nb", "anb"),
    (r"a\ b", "a b"),
    ("'it'\"'\"'s'", "it's"),
    ("$1$$ $?", " "),
    ("a$", "a$"),
    ("$(A)", "$(A)"),
    ("${NONE:-def}", "def"),
    ("${EMPTY:-def}", "def"),
    ("${EMPTY-def}", ""),
    ("${NONE-def}", "def"),
    ("${A:-def}", "1"),
    ("${NONE:-${A}z}", "1z"),
    ('${NONE:-"a }"}', "a }"),
    ("${A:+alt}", "alt"),
    ("${EMPTY:+alt}", ""),
    ("${EMPTY+alt}", "alt"),
    ("${A:?gone}", "1"),
    ("ä$A", "ä1"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), EXPANDED)
def test_expand(text, expected):
    assert expand(text, VALUES) == expected


def test_another_escape():
    assert expand(r"c:\dir`$A", VALUES, "`") == r"c:\dir$A"


BAD = [
    ("'a", "single-quote"),
    ('"a', "double-quote"),
    ("${A", "unexpected end of statement while looking for matching }"),
    ("${A:-b", "unexpected end of statement while looking for matching }"),
    ("${A:x}", "unsupported modifier (x) in substitution"),
    ("${A#x}", "unsupported modifier (#) in substitution"),
    ("${NONE:?gone away}", "NONE: gone away"),
    ("${EMPTY:?}", "EMPTY: is not allowed to be unset"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_bad_words_name_themselves(text, words):
    with pytest.raises(BadWord) as caught:
        expand(text, VALUES)
    assert caught.value.message.startswith('failed to process "') and words in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$B x", ["two", "words", "x"]), ('"$B" x', ["two words", "x"]), ("  ", []), ("$NONE", []), (r"a\ b", ["a b"])],
)
def test_expand_into_several_words(text, expected):
    assert expand_words(text, VALUES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1  b=2", ["a=1", "b=2"]),
        ("a=\"x y\" b='p q'", ['a="x y"', "b='p q'"]),
        (r"a=x\ y b", [r"a=x\ y", "b"]),
        (r'a="x\" y" b', [r'a="x\" y"', "b"]),
        (r"a='x\' b", [r"a='x\'", "b"]),
        ("", []),
    ],
)
def test_split_keeps_quotes(text, expected):
    assert split(text) == expected


def test_json_lists():
    assert json_list('["a", "b c"]') == ["a", "b c"]
    assert json_list("[not json") is None and json_list('"a"') is None and json_list("[ -d /x ]") is None
    with pytest.raises(Exception, match="strings only"):
        json_list('["a", 1]')
