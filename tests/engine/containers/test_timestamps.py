"""Times in RFC 3339, and durations in Docker's words."""

import pytest

from labkit.engine.containers import timestamps
from labkit.engine.errors import BadParameter


def test_nanoseconds_are_kept():
    assert timestamps.rfc3339(1_000_000_000_000_000_001) == "2001-09-09T01:46:40.000000001Z"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2001-09-09T01:46:40Z", 1e9),
        ("2001-09-09T01:46:40.5Z", 1e9 + 0.5),
        ("2001-09-09T03:46:40+02:00", 1e9),
        (timestamps.NEVER, 0),
    ],
)
def test_parse(text, seconds):
    assert timestamps.parse(text) == seconds


def test_there_and_back():
    assert timestamps.parse(timestamps.rfc3339(1_700_000_000_250_000_000)) == 1_700_000_000.25


def test_texts_sort_as_times_do():
    moments = [0, 1, 999_999_999, 10**9, 10**18, 10**18 + 1]
    assert sorted(map(timestamps.rfc3339, moments)) == [timestamps.rfc3339(moment) for moment in moments]


# The words of `docker ps`, from Docker's own HumanDuration.
WORDS = [
    (0.3, "Less than a second"),
    (1, "1 second"),
    (45, "45 seconds"),
    (60, "About a minute"),
    (119, "About a minute"),
    (120, "2 minutes"),
    (3599, "59 minutes"),
    (3600, "About an hour"),
    (2 * 3600, "2 hours"),
    (47 * 3600, "47 hours"),
    (3 * 86400, "3 days"),
    (14 * 86400, "2 weeks"),
    (61 * 86400, "2 months"),
    (3 * 365 * 86400, "3 years"),
]


@pytest.mark.parametrize(("seconds", "words"), WORDS)
def test_durations_in_words(seconds, words):
    assert timestamps.in_words(seconds) == words


@pytest.mark.parametrize(
    ("text", "moment"), [("100", 100.0), ("10m", 400.0), ("1m30s", 910.0), ("1970-01-01T00:00:07Z", 7.0)]
)
def test_a_moment_as_clients_write_it(text, moment):
    assert timestamps.moment(text, now=1000.0) == moment


def test_a_moment_that_is_none():
    with pytest.raises(BadParameter, match="tomorrow"):
        timestamps.moment("tomorrow")
