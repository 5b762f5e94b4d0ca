"""What a health check asks for, and what its results make of a container."""

import pytest

from labkit.engine.containers import healthcheck
from labkit.engine.containers.healthcheck import Check
from labkit.engine.errors import BadParameter

S = 10**9
CHECK = Check(("true",), 1.0, 1.0, 10.0, 1.0, 2)


def asked(*test: str, **more) -> dict:
    return {"Healthcheck": {"Test": list(test), **more}}


@pytest.mark.parametrize(
    ("config", "command"),
    [
        (asked("CMD", "a", "b"), ("a", "b")),
        (asked("CMD-SHELL", "a && b"), ("/bin/sh", "-c", "a && b")),
        ({**asked("CMD-SHELL", "a"), "Shell": ["/bin/bash", "-c"]}, ("/bin/bash", "-c", "a")),
    ],
    ids=str,
)
def test_the_command(config, command):
    check = healthcheck.check_of(config)
    assert check and check.command == command


@pytest.mark.parametrize("config", [{}, asked(), asked("NONE"), asked("CMD"), asked("FOO", "x")], ids=str)
def test_no_health_check(config):
    assert healthcheck.check_of(config) is None


def test_what_is_left_out_is_dockers_default():
    check = healthcheck.check_of(asked("CMD", "a"))
    assert check and (check.interval, check.timeout, check.start_period, check.retries) == (30, 30, 0, 3)
    often = healthcheck.check_of(asked("CMD", "a", Interval=5 * S, StartInterval=S, Retries=1))
    assert often and (often.interval, often.start_interval, often.retries) == (5, 1, 1)


def test_the_request_over_the_image():
    image = {"Test": ["CMD", "image"], "Interval": 5, "Retries": 7}
    assert healthcheck.merged(None, None) is None
    assert healthcheck.merged(None, image) == image
    assert healthcheck.merged({"Test": [], "Interval": 9}, image) == {**image, "Interval": 9}
    assert healthcheck.merged({"Test": ["NONE"]}, image) == {**image, "Test": ["NONE"]}
    assert healthcheck.merged({"Test": []}, None) == {}


@pytest.mark.parametrize("name", ["Interval", "Timeout", "StartPeriod", "StartInterval"])
@pytest.mark.parametrize("number", [-1, 999_999])
def test_times_that_are_too_short(name, number):
    with pytest.raises(BadParameter, match=f"{name} in Healthcheck cannot be less than 1ms"):
        healthcheck.check_config({name: number})


def test_retries():
    healthcheck.check_config({"Retries": 0, "Interval": 0})
    with pytest.raises(BadParameter, match="Retries in Healthcheck cannot be negative"):
        healthcheck.check_config({"Retries": -1})


def run(*codes: int, age: float = 60.0) -> dict:
    """The health after these exit codes, the container being so old at each."""
    health = {"Status": "starting", "FailingStreak": 0, "Log": []}
    for code in codes:
        health = healthcheck.after(health, {"ExitCode": code}, CHECK, age=age)
    return health


@pytest.mark.parametrize(
    ("codes", "status", "streak"),
    [
        ((), "starting", 0),
        ((0,), "healthy", 0),
        ((1,), "starting", 1),
        ((1, 1), "unhealthy", 2),
        ((0, 1), "healthy", 1),
        ((0, 1, 1, 1), "unhealthy", 3),
        ((1, 1, 0), "healthy", 0),
        ((1, -1), "unhealthy", 2),
    ],
)
def test_good_once_or_bad_in_a_row(codes, status, streak):
    health = run(*codes)
    assert (health["Status"], health["FailingStreak"]) == (status, streak)


def test_bad_ones_do_not_count_in_the_start_period():
    assert run(1, 1, 1, age=3)["Status"] == "starting"
    assert run(1, 1, 1, age=3)["FailingStreak"] == 0
    assert run(0, 1, 1, age=3)["Status"] == "unhealthy", "once healthy, it has started"


def test_the_last_five_are_kept():
    assert [result["ExitCode"] for result in run(1, 2, 3, 4, 5, 6, 7)["Log"]] == [3, 4, 5, 6, 7]
