"""`docker update`: other limits and another restart policy, for a container that runs or does not."""

import docker
import pytest

from tests.backends import not_for_this_engine


def host_config(container) -> dict:
    container.reload()
    return container.attrs["HostConfig"]


@pytest.mark.parametrize("running", [True, False])
def test_another_restart_policy(client, image, running):
    container = client.containers.create(image, ["sleep", "600"])
    if running:
        container.start()
    said = container.update(restart_policy={"Name": "on-failure", "MaximumRetryCount": 3})
    assert not said.get("Warnings")
    assert host_config(container)["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}


def test_a_new_limit_holds_at_once(client, image):
    if not client.info()["MemoryLimit"]:
        not_for_this_engine("it says in info that it cannot limit memory")
    container = client.containers.run(image, ["sleep", "600"], mem_limit="64m", memswap_limit="64m", detach=True)
    container.update(mem_limit="32m", memswap_limit="32m")
    assert host_config(container)["Memory"] == 32 << 20
    assert container.stats(stream=False)["memory_stats"]["limit"] == 32 << 20


def test_a_limit_can_be_raised_above_the_old_one_for_memory_and_swap(client, image):
    if not client.info()["MemoryLimit"]:
        not_for_this_engine("it says in info that it cannot limit memory")
    container = client.containers.run(image, ["sleep", "600"], mem_limit="32m", memswap_limit="32m", detach=True)
    container.update(mem_limit="64m", memswap_limit="64m")
    assert container.stats(stream=False)["memory_stats"]["limit"] == 64 << 20


def test_what_is_not_named_stays(client, image):
    container = client.containers.create(image, restart_policy={"Name": "always"}, cpu_shares=512)
    container.update(restart_policy={"Name": "no"})
    assert host_config(container)["CpuShares"] == 512


def test_an_update_is_of_limits_alone(client, image):
    container = client.containers.create(image, cpu_shares=512)
    url = f"{client.api.base_url}/containers/{container.id}/update"
    client.api.post(url, json={"CpuShares": 256, "Privileged": True, "Binds": ["/:/host"], "Memry": 1}, timeout=20)
    host = host_config(container)
    assert (host["CpuShares"], host["Privileged"], host["Binds"]) == (256, False, None)
    assert "Memry" not in host


def test_more_memory_than_memory_and_swap(client, image):
    container = client.containers.create(image, mem_limit="32m", memswap_limit="64m")
    with pytest.raises(docker.errors.APIError, match="memoryswap") as refusal:
        container.update(mem_limit="128m")
    assert refusal.value.status_code in (400, 409, 500)
    assert host_config(container)["Memory"] == 32 << 20


def test_the_policy_of_a_container_that_removes_itself(client, image):
    container = client.containers.create(image, ["sleep", "600"], auto_remove=True)
    with pytest.raises(docker.errors.APIError, match="AutoRemove is enabled"):
        container.update(restart_policy={"Name": "always"})
    container.remove()


def test_the_event_of_an_update(client, image):
    container = client.containers.create(image)
    stream = client.events(decode=True, filters={"container": container.id, "event": "update"})
    container.update(restart_policy={"Name": "always"})
    assert next(stream)["Action"] == "update"
    stream.close()


def test_no_such_container(client):
    with pytest.raises(docker.errors.NotFound, match="No such container"):
        client.api.update_container("labkit-nosuch", mem_limit="32m")
