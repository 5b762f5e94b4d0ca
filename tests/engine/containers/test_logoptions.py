"""How large a log may grow: Docker's words for sizes, and for what is none."""

import pytest

from labkit.engine.containers import logoptions
from labkit.engine.errors import ServerError


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (logoptions.BYTES, logoptions.FILES)),
        ({"max-size": "10k"}, (10 << 10, logoptions.FILES)),
        ({"max-size": "1.5m", "max-file": "1"}, (3 << 19, 1)),
        ({"max-size": "100", "max-file": "7"}, (100, 7)),
        ({"max-size": "2GB", "max-file": "2", "compress": "true"}, (2 << 30, 2)),
        ({"compress": "false"}, (logoptions.BYTES, logoptions.FILES)),
    ],
    ids=str,
)
def test_limits(options, expected):
    assert logoptions.limits(options) == expected


WRONG = [
    ({"max-size": "foo"}, "invalid size: 'foo'"),
    ({"max-size": "-1"}, "invalid size: '-1'"),
    ({"max-size": "0"}, "max-size must be a positive number"),
    ({"max-file": "0"}, "max-file cannot be less than 1"),
    ({"max-file": "x"}, 'strconv.Atoi: parsing "x": invalid syntax'),
    ({"compress": "true"}, "compress cannot be true when max-file is less than 2 or max-size is not set"),
    ({"compress": "maybe"}, 'strconv.ParseBool: parsing "maybe": invalid syntax'),
]


@pytest.mark.parametrize(("options", "words"), WRONG, ids=[words for _, words in WRONG])
def test_wrong(options, words):
    with pytest.raises(ServerError) as refusal:
        logoptions.limits(options)
    assert refusal.value.message == f"failed to initialize logging driver: {words}"
