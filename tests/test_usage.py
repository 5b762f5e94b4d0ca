"""`docker stats` as numbers beside their limits, from answers that dockerd gave (cgroup v1) or gives (v2)."""

import pytest

from labkit.usage import Limits, Usage, cpu_of, memory_of, parse_limits, parse_usage, throttled_of


@pytest.mark.parametrize(
    ("host", "limits"),
    [
        ({}, Limits()),
        ({"Memory": 0, "NanoCpus": 0, "PidsLimit": None}, Limits()),
        ({"Memory": 64 << 20, "NanoCpus": 500_000_000, "PidsLimit": 20}, Limits(64 << 20, 0.5, 20)),
        ({"CpuQuota": 150_000, "CpuPeriod": 100_000, "PidsLimit": -1}, Limits(cpu=1.5)),
    ],
)
def test_limits(host: dict, limits: Limits) -> None:
    assert parse_limits({"HostConfig": host}) == limits


def test_memory_is_counted_without_cache_that_can_be_dropped() -> None:
    assert memory_of({"usage": 100, "stats": {"total_inactive_file": 30, "inactive_file": 99}}) == 70  # v1
    assert memory_of({"usage": 100, "stats": {"inactive_file": 40}}) == 60  # v2
    assert memory_of({"usage": 100, "stats": {"inactive_file": 200}}) == 100
    assert memory_of({"usage": 100}) == 100


def test_processors_are_counted_between_two_measurements() -> None:
    before = {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000}
    now = {"cpu_usage": {"total_usage": 150}, "system_cpu_usage": 1200, "online_cpus": 2}
    assert cpu_of(now, before) == 0.5
    assert cpu_of(now, {"cpu_usage": {"total_usage": 0}}) is None, "there was none before"
    assert cpu_of(before, before) is None


def test_the_share_of_periods_in_which_it_was_held_back() -> None:
    before = {"throttling_data": {"periods": 10, "throttled_periods": 1}}
    assert throttled_of({"throttling_data": {"periods": 20, "throttled_periods": 6}}, before) == 0.5
    assert throttled_of(before, before) == 0.0


def test_one_that_does_not_run_uses_nothing_known() -> None:
    assert parse_usage({"memory_stats": {}, "pids_stats": {}, "cpu_stats": {}}) == Usage()


def test_a_machine_without_a_limit_writes_a_huge_number() -> None:
    stats = {"memory_stats": {"usage": 5, "limit": 1 << 63}, "cpu_stats": {"cpu_usage": {"total_usage": 1}}}
    assert parse_usage(stats).machine_memory is None
