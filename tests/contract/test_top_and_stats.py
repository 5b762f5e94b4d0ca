"""The processes of a container and what they use."""

import docker
import pytest

from tests.contract.helpers import eventually


def test_top_lists_the_processes_with_host_pids(client, running):
    top = running.top()
    assert top["Titles"] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    (row,) = top["Processes"]
    process = dict(zip(top["Titles"], row, strict=True))
    running.reload()
    assert process["PID"] == str(running.attrs["State"]["Pid"])
    assert process["CMD"] == "sleep 600"


def test_top_shows_every_process_of_the_container(client, image):
    container = client.containers.run(image, ["sh", "-c", "sleep 601 & sleep 602 & wait"], detach=True)
    # right after its fork a process still has the shell's name
    eventually(lambda: {"sleep 601", "sleep 602"} < {row[-1] for row in container.top()["Processes"]})
    assert len(container.top()["Processes"]) == 3


def test_top_shows_an_exec(client, running):
    made = client.api.exec_create(running.id, ["sleep", "77"])
    client.api.exec_start(made["Id"], detach=True)
    eventually(lambda: any(row[-1] == "sleep 77" for row in running.top()["Processes"]))


def test_top_takes_the_options_of_ps(running):
    top = running.top(ps_args="-o pid,comm")
    assert top["Titles"] == ["PID", "COMMAND"]
    assert [row[1] for row in top["Processes"]][:1] == ["sleep"]


def test_top_needs_a_running_container(client, image):
    with pytest.raises(docker.errors.APIError, match="is not running") as refusal:
        client.containers.create(image).top()
    assert refusal.value.status_code == 409


def test_stats_once(client, running):
    stats = running.stats(stream=False)
    assert stats["id"] == running.id
    assert stats["name"] == f"/{running.name}"
    assert stats["pids_stats"]["current"] >= 1
    if client.info()["MemoryLimit"]:  # without a cgroup nobody counts these
        assert stats["memory_stats"]["usage"] > 0
        assert stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert stats["memory_stats"]["limit"] > stats["memory_stats"]["usage"]
    assert stats["cpu_stats"]["online_cpus"] >= 1
    assert stats["cpu_stats"]["system_cpu_usage"] > stats["precpu_stats"]["system_cpu_usage"] > 0
    assert stats["read"] > stats["preread"]


def test_stats_count_the_bytes_of_the_network(running):
    assert {"rx_bytes", "tx_bytes", "rx_packets", "tx_packets"} <= running.stats(stream=False)["networks"][
        "eth0"
    ].keys()


def test_stats_stream(running):
    stream = running.stats(stream=True, decode=True)
    first, second = next(stream), next(stream)
    assert second["cpu_stats"]["system_cpu_usage"] > first["cpu_stats"]["system_cpu_usage"]
    assert second["preread"] == first["read"]
    stream.close()


def test_stats_of_a_stopped_container_are_empty(client, image):
    stats = client.containers.create(image).stats(stream=False)
    assert stats["pids_stats"].get("current", 0) == 0
    assert stats["cpu_stats"]["cpu_usage"]["total_usage"] == 0
