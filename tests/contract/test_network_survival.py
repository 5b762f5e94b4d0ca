"""What of the networks must outlive the API process, and what must be gone when an engine has ended.

These tests kill and restart an engine, so each gets one of its own; dockerd is not asked.
"""

import contextlib
import json
import os
import signal
import subprocess
import urllib.request

import docker
import pytest

from tests import busybox, engines
from tests.contract.helpers import eventually

SERVE = ["sh", "-c", "echo hello > /index.html; exec httpd -f -p 80 -h /"]


@pytest.fixture(autouse=True)
def tidy():
    """Nothing to remove: each engine goes with its folder."""


@pytest.fixture(scope="module", autouse=True)
def no_leak():
    """As above."""


@pytest.fixture(params=engines.OURS)
def account(request):
    """Whose engine it is: ours (None), or an ordinary user's when we are root."""
    return engines.ordinary_account() if request.param == "rootless" else None


@pytest.fixture
def engine(account):
    with engines.embedded(account) as engine:
        yield engine
        with contextlib.closing(engine.client()) as client:
            remove_all(client)


def remove_all(client) -> None:
    for container in client.containers.list(all=True, ignore_removed=True):
        container.remove(force=True)
    client.networks.prune()


@pytest.fixture
def client(engine):
    with contextlib.closing(engine.client()) as client:
        busybox.import_image(client, "survivor")
        yield client


def start_again(engine, account) -> docker.DockerClient:
    """Kill the API process, with no chance to say goodbye, and start another one."""
    os.kill(engines.api_pid(engine), signal.SIGKILL)
    engine.process.wait(10)
    engines.start(engine, account)
    return engine.client()


def get(port: int) -> str:
    def once() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return answer.read().decode().strip()
        except OSError:
            return ""

    return eventually(once)


def ports(container) -> dict:
    container.reload()
    return container.attrs["NetworkSettings"]["Ports"]


def test_names_addresses_and_ports_outlive_the_api_process(engine, account, client):
    network = client.networks.create("front")
    web = client.containers.run("survivor", SERVE, name="web", network="front", ports={"80/tcp": None}, detach=True)
    before = ports(web)
    port = int(before["80/tcp"][0]["HostPort"])
    assert get(port) == "hello"
    with contextlib.closing(start_again(engine, account)) as client:
        web = client.containers.get("web")
        assert ports(web) == before, "the random port, too"
        assert get(port) == "hello"
        assert client.networks.get("front").id == network.id
        other = client.containers.run("survivor", ["sleep", "600"], network="front", detach=True)
        other.reload()
        addresses = [c.attrs["NetworkSettings"]["Networks"]["front"]["IPAddress"] for c in (web, other)]
        assert len(set(addresses)) == 2, "an address is not given twice"
        for asking, asked in ((web, other), (other, web)):
            status, said = asking.exec_run(["nslookup", "-type=a", asked.name])
            assert status == 0, said.decode()
        network = client.networks.get("front")
        network.disconnect(web)
        network.connect(web)
        assert get(int(ports(web)["80/tcp"][0]["HostPort"])) == "hello"


def test_a_container_that_ended_meanwhile_gave_its_place_back(engine, account, client):
    client.networks.create("front")
    web = client.containers.run("survivor", SERVE, name="web", network="front", ports={"80/tcp": None}, detach=True)
    pid = web.attrs["State"]["Pid"] or client.api.inspect_container(web.id)["State"]["Pid"]
    os.kill(engines.api_pid(engine), signal.SIGKILL)
    engine.process.wait(10)
    if account is None:
        os.kill(pid, signal.SIGKILL)
    engines.start(engine, account)
    with contextlib.closing(engine.client()) as client:
        if account:
            client.containers.get("web").kill()
        eventually(lambda: client.containers.get("web").status == "exited")
        assert ports(client.containers.get("web")) == {}
        client.networks.get("front").remove()


def test_an_engine_without_containers_leaves_no_trace(account):
    with engines.embedded(account) as engine:
        with contextlib.closing(engine.client()) as client:
            busybox.import_image(client, "survivor")
            client.networks.create("front")
            web = client.containers.run("survivor", ["sleep", "600"], network="front", ports={"80": None}, detach=True)
            web.remove(force=True)
            devices = {n.attrs["Id"]: n.attrs["Options"] for n in client.networks.list()}
        kept = [json.loads(path.read_text())["device"] for path in (engine.state / "networks").glob("*.json")]
        assert len(devices) == 4
        engine.process.terminate()
        engine.process.wait(20)
        left = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
        assert not [device for device in kept if device and f" {device}:" in left]
        rules = (
            subprocess.run(["iptables-save"], capture_output=True, text=True).stdout
            if os.geteuid() == 0 and account is None
            else ""
        )
        assert f'"labkit {engine.state}"' not in rules
        engines.start(engine, account)
        with contextlib.closing(engine.client()) as client:
            assert client.networks.get("front"), "the record is still there, and its bridge again"
            client.networks.get("front").remove()


def test_what_info_says_of_networks(engine, client):
    warnings = " ".join(client.info()["Warnings"] or [])
    assert ("no way out of this machine" in warnings) == (engine.name == "rootless")
