"""Names: Docker's rule for them, and random ones of two words."""

import random

import pytest

from labkit.engine.containers import names
from labkit.engine.errors import BadParameter


@pytest.mark.parametrize("name", ["web", "a1", "Web-1.2_x", "/web", "0a"])
def test_allowed(name):
    assert names.check_name(name) == name.removeprefix("/")


@pytest.mark.parametrize("name", ["", "a", ".b", "-b", "_b", "a b", "a/b", "//a", "ä1", "a" + "\n"])
def test_refused_in_dockers_words(name):
    with pytest.raises(BadParameter) as refusal:
        names.check_name(name)
    assert refusal.value.message == f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"


def test_a_random_name_has_two_words():
    left, right = names.random_name(()).split("_")
    assert left in names.ADJECTIVES
    assert right in names.NOUNS


def test_a_random_name_is_free():
    choose = random.Random(1)
    taken = {f"{left}_{right}" for left in names.ADJECTIVES for right in names.NOUNS}
    assert names.random_name(taken, choose) not in taken


def test_all_random_names_are_allowed():
    assert all(names.check_name(f"{left}_{right}") for left in names.ADJECTIVES for right in names.NOUNS)


def test_there_are_enough_of_them():
    assert len(set(names.ADJECTIVES)) * len(set(names.NOUNS)) > 5000
