"""What else `docker run` can be told: an init process, devices, limits of a process, logs; and Docker's refusals."""

import os
from pathlib import Path

import docker
import pytest
from docker.types import LogConfig, Ulimit

from tests.backends import not_for_this_engine
from tests.contract.helpers import OBEDIENT, eventually, output, unique


def run(client, image, command: str, **options) -> str:
    container = client.containers.run(image, ["sh", "-c", command], detach=True, **options)
    container.wait(timeout=20)
    return output(container)


def create(client, image, **host):
    made = client.api.create_container_from_config({"Image": image, "Cmd": ["true"], "HostConfig": host})
    return client.containers.get(made["Id"])


# --- init --------------------------------------------------------------------------------------------------------


@pytest.fixture
def init(client, image):
    """Skip where the engine says that its host has no init program."""
    try:
        create(client, image, Init=True)
    except docker.errors.APIError as refusal:
        assert refusal.status_code == 501 and "apt-get install tini" in refusal.explanation
        pytest.skip(refusal.explanation)


def test_an_init_process_comes_first(client, image, init):
    said = run(client, image, "cat /proc/1/cmdline | tr '\\0' ' '", init=True)
    assert said.startswith("/sbin/docker-init -- sh -c ")


def test_it_is_not_in_the_command(client, image, init):
    container = client.containers.create(image, ["sleep", "600"], init=True)
    assert (container.attrs["Path"], container.attrs["Args"]) == ("sleep", ["600"])
    assert container.attrs["HostConfig"]["Init"] is True


def test_it_passes_signals_on_and_exit_codes_back(client, image, init):
    container = client.containers.run(image, ["sleep", "600"], init=True, detach=True)
    eventually(lambda: len(container.top()["Processes"]) == 2)
    container.stop(timeout=10)  # sleep is no process 1 here, so SIGTERM ends it
    assert container.wait(timeout=20)["StatusCode"] == 143
    assert client.containers.run(image, ["sh", "-c", "exit 7"], init=True, detach=True).wait()["StatusCode"] == 7


def test_it_reaps_orphans(client, image, init):
    container = client.containers.run(image, OBEDIENT, init=True, detach=True)
    container.exec_run(["sh", "-c", "sh -c 'sleep 0.1' & exit"])
    eventually(lambda: "Z" not in container.exec_run(["sh", "-c", "ps -o stat"]).output.decode())


# --- devices -----------------------------------------------------------------------------------------------------


def test_a_device_under_another_name(client, image):
    said = run(client, image, "head -c 3 /dev/nought | wc -c; test -c /dev/nought && echo node",
               devices=["/dev/zero:/dev/nought:rwm"])  # fmt: skip
    assert said.split() == ["3", "node"]


@pytest.mark.parametrize(
    ("device", "reason"),
    [("/dev/labkit-none", "no such file or directory"), ("/etc/passwd", "not a device node")],
)
def test_what_is_no_device(client, image, device, reason):
    container = client.containers.create(image, ["true"], devices=[f"{device}:/dev/x:rwm"])
    with pytest.raises(docker.errors.APIError) as refusal:
        container.start()
    assert refusal.value.status_code == 500
    assert refusal.value.explanation == (
        f'error gathering device information while adding custom device "{device}": {reason}'
    )


# devices that anybody may open who has the node and the leave, whatever powers they lack: (major, minor)
FREE = {"/dev/fuse": (10, 229), "/dev/autofs": (10, 235), "/dev/loop-control": (10, 237)}


def test_a_rule_for_devices(client, image, engine):
    if engine.name == "rootless":
        not_for_this_engine("an ordinary user's engine can neither make nodes nor rule on them")
    major, minor = next((numbers for path, numbers in FREE.items() if Path(path).exists()), (0, 0))
    if not major:
        pytest.skip(f"this machine has none of {', '.join(FREE)}")
    command = f"mknod /node c {major} {minor} && echo made; exec 3<>/node && echo opened"
    said = run(client, image, command)
    assert "made" in said.splitlines() and "opened" not in said
    rule = f"c {major}:{minor} rwm"
    container = client.containers.run(image, ["sh", "-c", command], device_cgroup_rules=[rule], detach=True)
    container.wait(timeout=20)
    assert output(container).split() == ["made", "opened"]
    assert container.attrs["HostConfig"]["DeviceCgroupRules"] == [rule]


def test_a_rule_that_is_none(client, image):
    with pytest.raises(docker.errors.APIError, match="invalid device cgroup rule format: 'foo'") as refusal:
        create(client, image, DeviceCgroupRules=["foo"]).start()
    assert refusal.value.status_code == 500


def test_a_request_for_a_gpu(client, image):
    container = create(client, image, DeviceRequests=[{"Count": -1, "Capabilities": [["labkit-gpu"]]}])
    with pytest.raises(docker.errors.APIError) as refusal:
        container.start()
    assert refusal.value.explanation == 'could not select device driver "" with capabilities: [[labkit-gpu]]'
    assert refusal.value.status_code == 500
    container.reload()
    assert (container.status, container.attrs["State"]["ExitCode"]) == ("created", 128)
    (kept,) = container.attrs["HostConfig"]["DeviceRequests"]
    assert kept == {
        "Driver": "", "Count": -1, "DeviceIDs": None, "Capabilities": [["labkit-gpu"]], "Options": None,
    }  # fmt: skip


def test_privileged(client, image, engine):
    if engine.name == "rootless":
        not_for_this_engine("an ordinary user has no devices and no powers to hand out")
    if engine.name == "dockerd":
        needs_all_capabilities()
    said = run(client, image, "test -w /proc/sys && echo writable; ls /dev | wc -l", privileged=True).split()
    assert said[0] == "writable" and int(said[1]) > 15


def needs_all_capabilities() -> None:
    """runc fails where it may not hand out every capability that the kernel has; ours hands out what it has."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    status = Path("/proc/self/status").read_text()
    bounding = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd"))
    if os.geteuid() != 0 or bounding != (1 << (last + 1)) - 1:
        not_for_this_engine("this machine keeps some capabilities even from root")


# --- limits of a process -----------------------------------------------------------------------------------------


def test_ulimits(client, image):
    limit = Ulimit(name="nofile", soft=100, hard=200)
    assert run(client, image, "ulimit -Sn; ulimit -Hn", ulimits=[limit]).split() == ["100", "200"]


@pytest.mark.parametrize("limit", [{"Name": "foo", "Soft": 1, "Hard": 1}, {"Name": "nofile", "Soft": 9, "Hard": 1}])
def test_ulimits_that_are_none(client, image, limit):
    with pytest.raises(docker.errors.APIError):
        create(client, image, Ulimits=[limit]).start()


def test_who_is_killed_first_when_memory_runs_out(client, image):
    container = client.containers.run(image, ["sleep", "600"], oom_score_adj=300, detach=True)
    said = container.exec_run(["cat", "/proc/1/oom_score_adj", "/proc/self/oom_score_adj"]).output
    assert said.split() == [b"300", b"300"]


def test_swappiness_and_a_soft_limit_are_kept(client, image):
    container = create(client, image, MemorySwappiness=40, MemoryReservation=8 << 20)
    host = container.attrs["HostConfig"]
    assert host["MemoryReservation"] == 8 << 20
    assert host["MemorySwappiness"] in (40, None)  # None: this kernel has it not, and a warning has said so
    container.start()
    assert container.wait(timeout=20)["StatusCode"] == 0


# --- logs --------------------------------------------------------------------------------------------------------


def test_a_log_is_bounded(client, image):
    config = LogConfig(type="json-file", config={"max-size": "10k", "max-file": "2"})
    command = "i=0; while [ $i -lt 400 ]; do echo line number $i of this long log; i=$((i+1)); done"
    container = client.containers.run(image, ["sh", "-c", command], log_config=config, detach=True)
    container.wait(timeout=20)
    lines = output(container).splitlines()
    assert lines[-1] == "line number 399 of this long log"
    assert 10 < len(lines) < 390, "the oldest are gone"
    assert container.attrs["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": config["Config"]}


def test_no_log_at_all(client, image):
    container = client.containers.run(image, ["echo", "hello"], log_config=LogConfig(type="none"), detach=True)
    container.wait(timeout=20)
    with pytest.raises(docker.errors.APIError, match="configured logging driver does not support reading"):
        container.logs()


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("asdf", {}, 'error looking up logging plugin asdf: plugin "asdf" not found'),
        ("json-file", {"foo": "1"}, "unknown log opt 'foo' for json-file log driver"),
    ],
)
def test_a_log_that_cannot_be(client, image, driver, options, words):
    with pytest.raises(docker.errors.APIError) as refusal:
        create(client, image, LogConfig={"Type": driver, "Config": options})
    assert (refusal.value.status_code, refusal.value.explanation) == (400, words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max-file": "0"}, "max-file cannot be less than 1"),
        ({"max-size": "foo"}, "invalid size: 'foo'"),
        ({"max-size": "0"}, "max-size must be a positive number"),
        ({"compress": "true"}, "compress cannot be true when max-file is less than 2 or max-size is not set"),
    ],
)
def test_sizes_are_looked_at_when_it_starts(client, image, options, words):
    container = create(client, image, LogConfig={"Type": "json-file", "Config": options})
    with pytest.raises(docker.errors.APIError) as refusal:
        container.start()
    assert refusal.value.status_code == 500
    assert refusal.value.explanation == f"failed to initialize logging driver: {words}"


# --- refusals ----------------------------------------------------------------------------------------------------

REFUSED = [
    ({"Runtime": "lktest"}, 400, "(?i)(unknown runtime specified|unknown or invalid runtime name:) lktest"),
    ({"StorageOpt": {"foo": "1"}}, 500, "Unknown option foo"),
    ({"StorageOpt": {"size": "1G"}}, 500, "--storage-opt is supported only for overlay over xfs with 'pquota'"),
    ({"Isolation": "hyperv"}, 500, "Invalid isolation: \"hyperv\" - linux only supports 'default'"),
    ({"MemorySwappiness": 101}, 400, "Invalid value: 101, valid memory swappiness range is 0-100"),
    ({"OomScoreAdj": 1001}, 400, r"Invalid value 1001, range for oom score adj is \[-1000, 1000\]"),
    ({"MemoryReservation": 1 << 20}, 400, "Minimum memory reservation allowed is 6MB"),
]


@pytest.mark.parametrize(("host", "status", "words"), REFUSED, ids=[str(host) for host, *_ in REFUSED])
def test_refused(client, image, host, status, words):
    with pytest.raises(docker.errors.APIError, match=words) as refusal:
        create(client, image, **host)
    assert refusal.value.status_code == status


@pytest.mark.parametrize("host", [{"Isolation": "default"}, {"Runtime": "runc"}], ids=str)
def test_accepted_and_shown(client, image, host):
    shown = create(client, image, **host).attrs["HostConfig"]
    assert {name: shown[name] for name in host} == host


def test_fields_that_nobody_knows_are_passed_over(client, image):
    asked = {"Image": image, "Cmd": ["true"], "Memry": 1, "HostConfig": {"Memry": 1, "Memory": None, "Binds": None}}
    made = client.containers.get(client.api.create_container_from_config(asked)["Id"])
    assert not {"Memry"} & (made.attrs.keys() | made.attrs["Config"].keys() | made.attrs["HostConfig"].keys())
    assert made.attrs["HostConfig"]["Memory"] == 0


# --- shared namespaces -------------------------------------------------------------------------------------------


def test_ipc_is_joined_where_its_owner_lets_it(client, image):
    owner = client.containers.run(image, ["sleep", "600"], ipc_mode="shareable", detach=True)
    ours = owner.exec_run("readlink /proc/self/ns/ipc").output
    assert client.containers.run(image, ["readlink", "/proc/self/ns/ipc"], ipc_mode=f"container:{owner.id}") == ours


def test_ipc_is_an_owners_own_unless_it_says_shareable(client, image, running):
    guest = client.containers.create(image, ["true"], ipc_mode=f"container:{running.id}")
    with pytest.raises(docker.errors.APIError) as refusal:
        guest.start()
    hint = "non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
    words = f"can't join IPC of container {running.id}: {hint}"
    assert (refusal.value.status_code, refusal.value.explanation) == (500, words)


def test_shared_memory_goes_with_ipc(client, image):
    name = unique("labkit")
    run(client, image, f"echo seen > /dev/shm/{name}", ipc_mode="host")
    assert run(client, image, f"cat /dev/shm/{name}; rm /dev/shm/{name}", ipc_mode="host").split() == ["seen"]
    own = run(client, image, f"ls /dev/shm; touch /dev/shm/{name}; df -k /dev/shm").splitlines()
    assert own[1].split()[:2] == ["shm", "65536"]
    assert run(client, image, "test -e /dev/shm || echo none", ipc_mode="none").split() == ["none"]
