"""Patterns of .dockerignore and of COPY, against Go's rules."""

import pytest

from labkit.engine.build.ignore import BadPattern, compiled, ignored, matches, read

# (rules, ignored paths, paths that stay)
RULES = {
    "a name": ("a", ["a", "a/b", "a/b/c"], ["b", "ba", "b/a"]),
    "a star stops at a slash": ("*.log", ["a.log", ".log"], ["a/b.log", "a.logs"]),
    "one folder": ("*/x", ["a/x", "a/x/y"], ["x", "a/b/x"]),
    "any folder": ("**/x", ["x", "a/x", "a/b/x", "x/y"], ["ax", "xa"]),
    "all below": ("a/**", ["a/b", "a/b/c"], ["a", "b"]),
    "in the middle": ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["z", "az"]),
    "one letter": ("a?c", ["abc"], ["ac", "a/c", "abbc"]),
    "a class": ("[a-c]x", ["ax", "cx"], ["dx", "x"]),
    "not a class": ("[^a-c]x", ["dx"], ["ax", "/x", "x"]),
    "escaped": (r"a\*", ["a*"], ["ab"]),
    "spaces around": ("  a  ", ["a"], ["b"]),
    "a comment": ("#a", [], ["a", "#a"]),
    "from the root": ("/a", ["a"], ["b/a"]),
    "a slash at the end": ("a/", ["a", "a/b"], ["b"]),
    "dots": ("./a/../b", ["b"], ["a"]),
    "all but one": ("*\n!b", ["a", ".x"], ["b"]),
    "back in a folder": ("a\n!a/b", ["a", "a/c"], ["a/b", "a/b/c"]),
    "the last rule decides": ("a\n!a\na", ["a"], ["b"]),
    "nothing to take back": ("!a", [], ["a"]),
    "empty lines": ("\n  \n\t\n", [], ["a"]),
    "dots are dots": ("a.b", ["a.b"], ["axb"]),
}


@pytest.mark.parametrize(("text", "out", "stays"), RULES.values(), ids=RULES)
def test_rules(text, out, stays):
    rules = read(text)
    assert [path for path in out if not ignored(rules, path)] == []
    assert [path for path in stays if ignored(rules, path)] == []


@pytest.mark.parametrize("pattern", ["[", "a[", "[]", "[^]", "a\\", "[z-a]"])
def test_bad_patterns(pattern):
    with pytest.raises(BadPattern):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*", "a", True),
        ("*", "a/b", False),
        ("**", "a/b", False),
        ("d/*", "d/a", True),
        ("[[]a", "[a", True),
        ("[", "[", False),
        ("[z-a]", "b", False),
    ],
)
def test_wildcards_of_copy(pattern, path, expected):
    assert matches(pattern, path) == expected
