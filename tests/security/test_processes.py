"""A17 to A19 and A23: processes that want too much, that do not go, or that look for the engine."""

import errno
import os
import time

import docker
import pytest

from tests.contract import test_isolation as isolation
from tests.contract import test_life_cycle as life
from tests.contract import test_limits as limits
from tests.contract.helpers import STUBBORN, eventually
from tests.contract.test_isolation import sh
from tests.security.test_privileges import made_in

# --- A17 ---------------------------------------------------------------------------------------------------------

FORKS = ["sh", "-c", "f() { f | f & }; f; exec sleep 600"]  # a shell that cannot fork would end


@pytest.mark.attack("A17")
def test_a17_a_fork_bomb_stays_in_its_container(client, image, limited):
    limited("PidsLimit")
    bomb = client.containers.run(image, FORKS, pids_limit=32, detach=True)
    eventually(lambda: b"can't fork" in bomb.logs(), 20)
    began = time.monotonic()
    assert client.containers.run(image, ["echo", "others live"], remove=True) == b"others live\n"
    bomb.stop(timeout=0)
    assert time.monotonic() - began < 10
    assert bomb.wait(timeout=10)["StatusCode"] == 137


@pytest.mark.attack("A17")
def test_a17_a_memory_hog_is_killed(client, image, limited):
    limits.test_out_of_memory_is_137_and_said(client, image, limited)


@pytest.mark.attack("A17")
def test_a17_a_busy_loop_is_held_back(client, image, limited):
    limits.test_half_a_cpu(client, image, limited)


@pytest.mark.attack("A17")
def test_a17_a_limit_that_cannot_be_kept_is_said(client, image):
    """The control where there are no limits: never a silent promise."""
    body = {"Image": image, "HostConfig": {"PidsLimit": 16, "Memory": 32 << 20}}
    answer = client.api._post_json(client.api._url("/containers/create"), data=body).json()
    client.containers.get(answer["Id"]).remove()
    info = client.info()
    for limit, word in (("PidsLimit", "pids"), ("MemoryLimit", "memory")):
        if not info.get(limit):
            assert word in " ".join(answer["Warnings"]).lower()


# --- A18 ---------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A18")
def test_a18_the_deaf_are_killed_in_time(client, image):
    deaf = [client.containers.run(image, STUBBORN, detach=True) for _ in range(2)]
    began = time.monotonic()
    deaf[0].stop(timeout=1)
    assert 0.9 < time.monotonic() - began < 5
    assert deaf[0].wait(timeout=10)["StatusCode"] == 137
    deaf[1].reload()
    assert deaf[1].status == "running", "the control: without a stop it goes on"


@pytest.mark.attack("A18")
def test_a18_strays_go_with_the_first_process(client, image):
    life.test_a_killed_main_process_takes_all_others_along(client, image)


@pytest.mark.attack("A18")
def test_a18_with_init_no_zombie_stays(client, image):
    script = "i=0; while [ $i -lt 20 ]; do (true &) ; i=$((i+1)); done; sleep 1; ps -o stat | grep -c Z || true"
    try:
        said = client.containers.run(image, ["sh", "-c", script], init=True, remove=True)
    except docker.errors.APIError as refused:
        if "init" in str(refused):
            pytest.skip(f"no program for --init on this machine: {refused.explanation}")
        raise
    assert said.strip() == b"0"


# --- A19 ---------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A19")
def test_a19_the_environment_is_made_from_nothing(client, image):
    isolation.test_environment_is_what_was_given_and_nothing_of_the_engine(client, image)


@pytest.mark.attack("A19")
def test_a19_every_process_inside_is_the_containers(client, image):
    isolation.test_own_process_tree(client, image)
    assert sh(client, image, "readlink /proc/1/exe") == "/bin/busybox"


@pytest.mark.attack("A19")
def test_a19_nothing_in_proc_tells_of_the_engine(client, image, engine):
    """Not its variables, not its state folder's path: in /proc/1/environ, cmdline, or a mount's source."""
    said = sh(client, image, "cat /proc/1/environ /proc/1/cmdline | tr '\\0' '\\n'; echo $0; cat /proc/self/mountinfo")
    assert "PATH=" in said, "the control: there is an environment to look at"
    secrets = [value for name, value in os.environ.items() if name.startswith("LABKIT_") and len(value) > 3]
    assert not any(secret in said for secret in secrets)


# --- A23 ---------------------------------------------------------------------------------------------------------

IOCTL, TIOCSTI, IN_CODE = 16, 0x5412, 0x400000


@pytest.mark.attack("A23")
def test_a23_a_terminal_is_the_containers_own(client, image):
    """What is typed with TIOCSTI (ioctl_tty(2)) goes to the terminal on descriptor 0: it must not be the caller's."""
    (result,) = made_in(client, image, [(IOCTL, 0, TIOCSTI, IN_CODE)], tty=True)[:1]
    assert result in (0, -errno.EIO, -errno.EPERM), "the control: the call was made"
    inside = sh(client, image, "tty; stat -c %d /dev/pts", tty=True).split()
    assert inside[0] in ("/dev/pts/0", "/dev/console")
    assert int(inside[1]) != os.stat("/dev/pts").st_dev, "a devpts of its own: no number in it is a host's terminal"


@pytest.mark.attack("A23")
def test_a23_the_hosts_terminals_are_not_there(client, image):
    hosts = {name for name in os.listdir("/dev/pts") if name.isdigit()}
    seen = set(sh(client, image, "ls /dev/pts", tty=True).split())
    assert seen & {str(n) for n in range(10)} <= {"0"}
    assert "ptmx" in seen, f"the control; the host has {len(hosts)}"
