"""Dockerfiles: continued lines, comments, directives, forms, and what is refused in which words."""

import pytest

from labkit.engine.build.dockerfile import ABSENT, parse
from labkit.engine.build.lines import DockerfileError


def texts(source: str) -> list[str]:
    return [one.text for one in parse(source.encode()).instructions]


def last(source: str):
    return parse(f"FROM x\n{source}\n".encode()).instructions[-1]


LINES = {
    "comments and empty lines": ("\n# c\n  FROM a\n\n\t# c\nRUN b", ["FROM a", "RUN b"]),
    "continued": ("FROM a\nRUN b && \\\n    c", ["FROM a", "RUN b &&     c"]),
    "blanks after the backslash": ("FROM a\nRUN b \\ \t\nc", ["FROM a", "RUN b c"]),
    "a comment in the middle": ("FROM a\nRUN b \\\n# why\n c", ["FROM a", "RUN b  c"]),
    "no comment": ("FROM a\nRUN b # c", ["FROM a", "RUN b # c"]),
    "the end of the file": ("FROM a\nRUN b\\\n", ["FROM a", "RUN b"]),
    "windows": ("FROM a\r\nRUN b \\\r\n c\r\n", ["FROM a", "RUN b  c"]),
    "byte order mark": ("\ufeffFROM a\n", ["FROM a"]),
    "small letters": ("from a\nrun  b", ["from a", "run  b"]),
    "another escape": ("# escape=`\nFROM a\nRUN b `\n c\\\n", ["FROM a", "RUN b  c\\"]),
    "a directive too late": ("# a comment\n# escape=`\nFROM a\nRUN b \\\n c", ["FROM a", "RUN b  c"]),
    "syntax": ("# syntax=docker/dockerfile:1\n# escape=`\nFROM a`\n", ["FROM a"]),
}


@pytest.mark.parametrize(("source", "expected"), LINES.values(), ids=LINES)
def test_lines(source, expected):
    assert texts(source) == expected


def test_an_empty_line_inside_an_instruction_is_warned_of():
    parsed = parse(b"FROM a\nRUN b \\\n\n c\n")
    assert [one.text for one in parsed.instructions] == ["FROM a", "RUN b  c"]
    assert parsed.warnings[0] == "[WARNING]: Empty continuation line found in:\n    RUN b  c"
    assert len(parsed.warnings) == 2


FORMS = {
    "shell form": ("RUN a  'b c'", ("a  'b c'",), False),
    "exec form": ('RUN ["a", "b c"]', ("a", "b c"), True),
    "no list after all": ("RUN [ -d /x ]", ("[ -d /x ]",), False),
    "nothing": ("CMD", (), False),
    "list of words": ("COPY a  b c/", ("a", "b", "c/"), False),
    "list in JSON": ('COPY ["a b", "/c d/"]', ("a b", "/c d/"), True),
    "one text": ("USER a b", ("a b",), False),
}


@pytest.mark.parametrize(("source", "args", "is_json"), FORMS.values(), ids=FORMS)
def test_forms(source, args, is_json):
    made = last(source)
    assert (made.args, made.is_json) == (args, is_json)


@pytest.mark.parametrize(
    ("source", "pairs"),
    [
        ("ENV A=1 B=\"x y\"", (("A", "1"), ("B", '"x y"'))),
        ("ENV A the  rest", (("A", "the  rest"),)),
        ("LABEL 'a b'=c", (("'a b'", "c"),)),
        ("ENV A=b=c", (("A", "b=c"),)),
        ("ARG A B=2 C=", (("A", ABSENT), ("B", "2"), ("C", ""))),
    ],
)  # fmt: skip
def test_pairs(source, pairs):
    assert last(source).pairs == pairs


def test_flags_stand_in_front():
    made = last("COPY --from=0 --chown=a:b --chmod=755 c d")
    assert made.flags == {"from": "0", "chown": "a:b", "chmod": "755"} and made.args == ("c", "d")
    assert last("COPY -- --from /d").args == ("--from", "/d")
    assert last("CMD --help").args == ("--help",)


ONE_LINE = {
    "FOO bar": "unknown instruction: FOO",
    "ENV": "ENV requires at least one argument",
    "ENV a": "ENV must have two arguments",
    "ENV =b": "ENV names can not be blank",
    "LABEL a=b c": 'Syntax error - can\'t find = in "c". Must be of the form: name=value',
    "ARG": "ARG requires at least one argument",
    "ARG =x": "ARG names can not be blank",
    "COPY": "COPY requires at least two arguments, but none were provided",
    "ADD a": "ADD requires at least two arguments, but only one was provided. Destination could not be determined",
    "COPY --what=1 a b": "Unknown flag: what",
    "COPY --from a b": "Missing a value on flag: from",
    "COPY --chown=1 --chown=2 a b": "Duplicate flag specified: chown",
    "COPY --link a b": "the --link option requires BuildKit",
    "RUN --mount=type=cache,target=/x a": "the --mount option requires BuildKit",
    "RUN <<EOF": "here-documents (<<EOF) require BuildKit",
    "COPY <<'EOF' /a": "here-documents (<<EOF) require BuildKit",
    "USER": "USER requires exactly one argument",
    "SHELL sh -c": "SHELL requires the arguments to be in JSON form",
    "SHELL []": "SHELL requires at least one argument",
    'CMD ["a", 1]': "when using JSON array syntax, arrays must be comprised of strings only",
    "ONBUILD": "ONBUILD requires at least one argument",
    "ONBUILD FROM x": "FROM isn't allowed as an ONBUILD trigger",
    "ONBUILD ONBUILD RUN x": "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
    "FROM a b": "FROM requires either one or three arguments",
    "FROM a AS": "FROM requires either one or three arguments",
    "FROM a BY b": "FROM requires either one or three arguments",
    "FROM a AS 1b": 'invalid name for build stage: "1b", name can\'t start with a number or contain symbols',
    "HEALTHCHECK FOO": 'Unknown type "FOO" in HEALTHCHECK (try CMD)',
    "HEALTHCHECK NONE x": "HEALTHCHECK NONE takes no arguments",
    "HEALTHCHECK CMD": "Missing command after HEALTHCHECK CMD",
    "HEALTHCHECK --interval=x CMD y": 'time: invalid duration "x"',
    "HEALTHCHECK --interval=1us CMD y": 'Interval "interval" cannot be less than 1ms',
    "HEALTHCHECK --retries=-1 CMD y": "--retries must be at least 1 (not -1)",
}


@pytest.mark.parametrize(("source", "words"), ONE_LINE.items(), ids=ONE_LINE)
def test_errors_name_the_line(source, words):
    with pytest.raises(DockerfileError) as caught:
        parse(f"FROM x\n\n# a comment\n{source}\n".encode())
    assert caught.value.message.startswith(f"dockerfile parse error line 4: {words}") and caught.value.status == 400


@pytest.mark.parametrize("source", ["RUN cat <<<x", "RUN echo $((a<<b))", 'RUN ["a", "<<EOF"]', "RUN a << b"])
def test_what_only_looks_like_a_here_document(source):
    assert last(source).text == source


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "file with no instructions"),
        ("# only\n\n# comments\n", "file with no instructions"),
        ("# escape=x\nFROM a\n", "invalid escape token 'x' does not match ` or \\"),
        ("# escape=`\n# escape=`\nFROM a\n", "only one escape parser directive can be used"),
    ],
)
def test_errors_of_the_whole_file(source, words):
    with pytest.raises(DockerfileError) as caught:
        parse(source.encode())
    assert caught.value.message == f"failed to parse Dockerfile: {words}"
