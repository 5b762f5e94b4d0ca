"""Instructions that change the config: the config, and the words in the history, as dockerd has them."""

import pytest

from labkit.engine.build import metadata
from labkit.engine.build.dockerfile import instruction
from labkit.engine.build.metadata import CHANGES, Expand, ports, workdir
from labkit.engine.build.words import expand, expand_words
from labkit.engine.errors import BadParameter

VALUES = {"A": "1", "TWO": "80 81"}
EXPAND = Expand(lambda text: expand(text, VALUES), lambda text: expand_words(text, VALUES))


def change(config, text):
    made = instruction(text)
    return CHANGES[made.word](config, made, EXPAND)


# (instruction, config before, config after, history)
CHANGED = [
    ("ENV B=$A C='$A'", {"Env": ["P=x"]}, {"Env": ["P=x", "B=1", "C=$A"]}, "ENV B=1 C=$A"),
    ("ENV P=new", {"Env": ["P=x", "Q=y"]}, {"Env": ["P=new", "Q=y"]}, "ENV P=new"),
    ("ENV P the  rest", {}, {"Env": ["P=the  rest"]}, "ENV P=the  rest"),
    ('LABEL a="b c" $A=d', {"Labels": {"x": "y"}}, {"Labels": {"x": "y", "a": "b c", "1": "d"}}, "LABEL a=b c 1=d"),
    ("CMD x $A", {}, {"Cmd": ["/bin/sh", "-c", "x $A"]}, 'CMD ["/bin/sh" "-c" "x $A"]'),
    ('CMD ["x", "y"]', {}, {"Cmd": ["x", "y"]}, 'CMD ["x" "y"]'),
    ("CMD x", {"Shell": ["/b", "-x"]}, {"Shell": ["/b", "-x"], "Cmd": ["/b", "-x", "x"]}, 'CMD ["/b" "-x" "x"]'),
    ("ENTRYPOINT", {}, {"Entrypoint": []}, "ENTRYPOINT []"),
    ('SHELL ["/b", "-x"]', {}, {"Shell": ["/b", "-x"]}, "SHELL [/b -x]"),
    ("EXPOSE 90/UDP $TWO", {}, {"ExposedPorts": {"80/tcp": {}, "81/tcp": {}, "90/udp": {}}}, "EXPOSE 80 81 90/UDP"),
    ("VOLUME /a /b$A", {"Volumes": {"/x": {}}}, {"Volumes": {"/x": {}, "/a": {}, "/b1": {}}}, "VOLUME [/a /b1]"),
    ('VOLUME ["/a b"]', {}, {"Volumes": {"/a b": {}}}, "VOLUME [/a b]"),
    ("USER me:$A", {}, {"User": "me:1"}, "USER me:1"),
    ("STOPSIGNAL SIGINT", {}, {"StopSignal": "SIGINT"}, "STOPSIGNAL SIGINT"),
    ("ONBUILD RUN echo $A", {"OnBuild": ["x"]}, {"OnBuild": ["x", "RUN echo $A"]}, "ONBUILD RUN echo $A"),
    ("HEALTHCHECK NONE", {}, {"Healthcheck": {"Test": ["NONE"]}}, "HEALTHCHECK NONE"),
    (
        "HEALTHCHECK --interval=1m30s --retries=2 CMD a b",
        {"Healthcheck": {"Test": ["NONE"], "Timeout": 5}},
        {"Healthcheck": {"Test": ["CMD-SHELL", "a b"], "Timeout": 5, "Interval": 90 * 10**9, "Retries": 2}},
        "HEALTHCHECK --interval=1m30s --retries=2 CMD a b",
    ),
    ('HEALTHCHECK CMD ["a"]', {}, {"Healthcheck": {"Test": ["CMD", "a"]}}, 'HEALTHCHECK CMD ["a"]'),
]


@pytest.mark.parametrize(("text", "before", "after", "history"), CHANGED, ids=[row[0] for row in CHANGED])
def test_changes(text, before, after, history):
    assert change(before, text) == history
    assert before == after


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("EXPOSE abc", "Invalid containerPort: abc"),
        ("EXPOSE 70000", "Invalid containerPort: 70000"),
        ("EXPOSE 80/foo", "Invalid proto: foo"),
        ('VOLUME ""', "VOLUME specified can not be an empty string"),
        ("STOPSIGNAL FOO", "Invalid signal: FOO"),
        ("ENV $NONE=1", "ENV names can not be blank"),
        ('USER "x', "double-quote"),
    ],
)
def test_refused(text, words):
    with pytest.raises(BadParameter, match=words):
        change({}, text)


def test_ports():
    assert ports("8000-8002/udp") == ["8000/udp", "8001/udp", "8002/udp"] and ports("127.0.0.1:9:80") == ["80/tcp"]


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [("", "a", "/a"), ("/a", "b/../c", "/a/c"), ("/a", "/b/", "/b"), ("/a", "../..//x", "/x"), ("/a", "//b", "/b")],
)
def test_workdir(before, path, after):
    assert workdir({"WorkingDir": before}, path) == after


def test_workdir_of_nothing():
    with pytest.raises(BadParameter, match="cannot normalize nothing"):
        workdir({}, "")


def test_every_instruction_is_somebodys():
    from labkit.engine.build.dockerfile import FORMS
    from labkit.engine.build.steps import STEPS

    assert set(FORMS) == {*STEPS, "FROM"} and set(metadata.CHANGES) <= set(STEPS)
