"""Stages and arguments: which steps a build has, and which values they see."""

import pytest

from labkit.engine.build.arguments import Arguments
from labkit.engine.build.dockerfile import parse
from labkit.engine.build.stages import plan
from labkit.engine.build.words import expand
from labkit.engine.errors import BadParameter

THREE = b"ARG V=1\nFROM a:$V AS One\nRUN 1\nFROM b AS two\nRUN 2\nRUN 3\nFROM one\nCMD x\n"


def test_stages():
    planned = plan(parse(THREE))
    assert [(stage.base, stage.name, len(stage.steps)) for stage in planned.stages] == [
        ("a:$V", "one", 1),
        ("b", "two", 2),
        ("one", "", 1),
    ]
    assert len(planned) == 8 and [one.text for one in planned.arguments] == ["ARG V=1"]


def test_a_target_ends_the_plan():
    planned = plan(parse(THREE), target="TWO")
    assert [stage.name for stage in planned.stages] == ["one", "two"] and len(planned) == 6


@pytest.mark.parametrize("target", ["three", "1", "9"])
def test_no_such_target(target):
    with pytest.raises(BadParameter, match=f"failed to reach build target {target} in Dockerfile"):
        plan(parse(THREE), target=target)


def test_labels_from_outside_come_last_and_are_not_expanded():
    steps = plan(parse(THREE), labels={"z": "it's $V", "a": "1"}).stages[-1].steps
    assert [one.text for one in steps] == ["CMD x", "LABEL a=1", "LABEL z=it's $V"]
    assert [expand(word, {"V": "9"}) for word in steps[-1].pairs[0]] == ["z", "it's $V"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"RUN x\n", "line 1: no build stage in current context"),
        (b"ARG A\nENV B=1\nFROM x\n", "line 2: no build stage in current context: ENV"),
        (b"ARG A\n", "a FROM is missing"),
        (b"FROM x AS a\nFROM y AS A\n", "line 2: a stage name already used"),
    ],
)
def test_no_stage(source, words):
    with pytest.raises(BadParameter) as caught:
        plan(parse(source))
    assert words in caught.value.message


def test_arguments_before_from_are_for_from_alone():
    arguments = Arguments({})
    arguments.declare_globally("V", "1")
    arguments.new_stage()
    assert arguments.in_from() == {"V": "1"} and arguments.in_stage([]) == {}
    arguments.declare("V", None)
    assert arguments.in_stage([]) == {"V": "1"}
    arguments.new_stage()
    assert arguments.in_stage([]) == {}


def test_a_given_value_wins_over_a_default_and_the_environment_over_both():
    arguments = Arguments({"A": "given", "B": None})
    for name in ("A", "B", "C"):
        arguments.declare(name, "default")
    arguments.declare("D", None)
    assert arguments.in_stage([]) == {"A": "given", "B": "default", "C": "default"}
    assert arguments.in_stage(["A=env", "C="]) == {"B": "default"}


def test_what_nobody_asked_for_is_told():
    arguments = Arguments({"A": "1", "B": "2", "http_proxy": "p"})
    arguments.declare("A", None)
    assert arguments.unused() == ["B"]


def test_proxies_are_seen_without_being_declared_and_leave_no_trace():
    arguments = Arguments({"HTTP_PROXY": "secret", "https_proxy": "known", "A": "1"})
    arguments.declare("https_proxy", None)
    arguments.declare("A", None)
    seen = arguments.in_stage([])
    assert seen == {"HTTP_PROXY": "secret", "https_proxy": "known", "A": "1"}
    assert arguments.recorded(seen) == ["A=1", "https_proxy=known"]
