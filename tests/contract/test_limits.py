"""Limits: what a container may use, and what happens when it wants more."""

import docker
import pytest

from tests.backends import not_for_this_engine
from tests.contract.helpers import eventually


@pytest.fixture
def limited(client, engine):
    """Skip where this machine lets the engine enforce no limits (an ordinary user without a delegated cgroup).

    The engine must say so itself: in `info`, as Docker does.
    """

    def need(kind: str) -> None:
        if not client.info().get(kind):
            not_for_this_engine(f"it says in info that it cannot limit this: {kind} is false")

    return need


def test_out_of_memory_is_137_and_said(client, image, limited):
    limited("MemoryLimit")
    hog = ["tail", "/dev/zero"]  # it keeps the last line in memory, and here no line ever ends
    container = client.containers.run(image, hog, mem_limit="24m", memswap_limit="24m", detach=True)
    assert container.wait(timeout=60)["StatusCode"] == 137
    container.reload()
    assert container.attrs["State"]["OOMKilled"] is True
    assert container.attrs["HostConfig"]["Memory"] == 24 << 20


def test_out_of_memory_is_an_event(client, image, limited):
    limited("MemoryLimit")
    container = client.containers.create(image, ["tail", "/dev/zero"], mem_limit="24m", memswap_limit="24m")
    stream = client.events(decode=True, filters={"container": container.id, "event": ["oom", "die"]})
    container.start()
    assert next(stream)["Action"] == "oom"
    assert next(stream)["Action"] == "die"
    stream.close()


def test_the_limit_is_seen_in_stats(client, image, limited):
    limited("MemoryLimit")
    container = client.containers.run(image, ["sleep", "600"], mem_limit="32m", detach=True)
    assert container.stats(stream=False)["memory_stats"]["limit"] == 32 << 20


def test_a_limit_below_the_least_is_refused(client, image):
    with pytest.raises(docker.errors.APIError, match=r"(?i)minimum memory limit") as refusal:
        client.containers.create(image, mem_limit="1m")
    assert refusal.value.status_code == 400


def test_more_processes_than_allowed(client, image, limited):
    limited("PidsLimit")
    script = "i=0; while [ $i -lt 20 ]; do sleep 60 & i=$((i+1)); done"
    container = client.containers.run(image, ["sh", "-c", script], pids_limit=8, detach=True)
    assert container.wait(timeout=20)["StatusCode"] != 0
    assert b"can't fork" in container.logs()


def test_pids_limit_is_in_stats(client, image, limited):
    limited("PidsLimit")
    container = client.containers.run(image, ["sleep", "600"], pids_limit=16, detach=True)
    assert container.stats(stream=False)["pids_stats"]["limit"] == 16


def test_half_a_cpu(client, image, limited):
    limited("CpuCfsQuota")
    busy = ["sh", "-c", "while :; do :; done"]
    container = client.containers.run(image, busy, nano_cpus=500_000_000, detach=True)
    assert container.attrs["HostConfig"]["NanoCpus"] == 500_000_000
    eventually(lambda: throttled(container) > 0, seconds=60)  # a busy machine may give it less than that for a while


def throttled(container) -> int:
    """How often the kernel held the container back (cpu.stat)."""
    return container.stats(stream=False)["cpu_stats"]["throttling_data"]["throttled_periods"]


def test_more_cpus_than_there_are(client, image, limited):
    limited("CpuCfsQuota")
    with pytest.raises(docker.errors.APIError, match=r"(?i)range of cpus is from"):
        client.containers.create(image, nano_cpus=10_000 * 10**9)
