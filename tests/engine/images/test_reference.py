"""Names of images."""

import pytest

from labkit.engine.images import reference

SAME = ["busybox", "busybox:latest", "docker.io/busybox", "docker.io/library/busybox:latest", "index.docker.io/busybox"]


@pytest.mark.parametrize("text", SAME)
def test_short_and_long_forms_are_one_name(text):
    assert reference.normalize(text) == "busybox:latest"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("someone/app:1.0", "someone/app:1.0"),
        ("docker.io/library/a/b", "library/a/b:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("quay.io/a/b:x_y.z-1", "quay.io/a/b:x_y.z-1"),
        ("a__b/c-d.e", "a__b/c-d.e:latest"),
        ("busybox@sha256:" + "0" * 64, "busybox@sha256:" + "0" * 64),
    ],
)
def test_normal_form(text, normal):
    assert reference.normalize(text) == normal


def test_full_form_leaves_nothing_out():
    assert reference.parse("busybox:1").full() == "docker.io/library/busybox:1"


@pytest.mark.parametrize(
    "text", ["", ":x", "a:", "a:b:c", "-x", "a..b", "a/", "/a", "../a", "a b", "a\n", "a:-x", "a@sha256:12", "a@", "é"]
)
def test_what_is_no_name(text):
    with pytest.raises(reference.InvalidReference, match=r"^invalid reference format$"):
        reference.parse(text)


def test_a_capital_gets_a_reason():
    with pytest.raises(reference.InvalidReference, match=r"^invalid reference format: .* must be lowercase$"):
        reference.parse("Busybox")


def test_an_id_is_no_name():
    with pytest.raises(reference.BadParameter, match="cannot specify 64-byte hexadecimal strings"):
        reference.parse("a" * 64)


def test_length():
    assert reference.parse("a" * 237)
    with pytest.raises(reference.InvalidReference, match="not be more than 255"):
        reference.parse("a" * 250)
