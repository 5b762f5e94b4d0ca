"""A rootless engine in a control group that was delegated to its user: limits are kept, as far as the group has them.

Root gives a group of version 2 away here, as systemd does for `Delegate=yes`. Which controllers it has depends on the
machine: on a hybrid one version 1 has them, and then the group serves to hold, to freeze and to kill.
"""

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.runtime import hierarchies
from tests import busybox, engines
from tests.backends import not_for_this_engine
from tests.contract.helpers import eventually
from tests.engines import Engine, remove_all
from tests.faults.conftest import IMAGE, kill_api

FOREVER = ["sleep", "600"]
GIVEN = ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads")  # cgroup-v2.rst, "Model of Delegation"


@pytest.fixture(scope="module")
def user():
    """The ordinary user that the group is given to."""
    if os.geteuid() != 0:
        not_for_this_engine("only root can give a control group away")
    return engines.ordinary_account()


@pytest.fixture(scope="module")
def group(user) -> Iterator[Path]:
    """A delegated group, and in it somebody who was there before: a shell, say."""
    mount, _ = hierarchies.mounted(Path("/proc/self/mountinfo").read_text())
    if not mount or not os.access(mount, os.W_OK):
        not_for_this_engine("version 2 of control groups is not mounted, or root may not write to it")
    place = Path(mount, f"labkit-test-{secrets.token_hex(4)}")
    place.mkdir()
    hierarchies.hand_down(mount, hierarchies.CONTROLLERS)
    for name in GIVEN:
        os.chown(place / name, user.pw_uid, user.pw_gid)
    shell = subprocess.Popen([*within(place), *engines.as_account(user), *FOREVER], cwd="/")
    eventually(lambda: str(shell.pid) in (place / "cgroup.procs").read_text())
    yield place
    shell.kill()
    shell.wait()
    remove_groups(place)


def within(group: Path) -> list[str]:
    """The start of a command line that runs the rest in a group."""
    return ["sh", "-c", f'echo 0 >{group}/cgroup.procs && exec "$@"', "sh"]


def remove_groups(group: Path, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while group.exists() and time.monotonic() < deadline:
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        time.sleep(0.1)


@pytest.fixture(scope="module")
def engine(group: Path, user) -> Iterator[Engine]:
    """A rootless engine that is started in the group."""
    with engines.folder(user) as place, pytest.MonkeyPatch.context() as patch:
        started = engines.embedded_in(place, "rootless")
        as_account = engines.as_account
        patch.setattr(engines, "as_account", lambda account: [*within(group), *as_account(account)])
        try:
            engines.start(started, user)
            patch.undo()
            with contextlib.closing(started.client()) as client:
                busybox.import_image(client, "faulty", changes=['CMD ["sh"]'])
            yield started
            remove_all(started)
        finally:
            engines.stop(started)


@pytest.fixture(autouse=True)
def tidy(engine: Engine) -> Iterator[None]:
    yield
    remove_all(engine)


def pid_of(container) -> int:
    container.reload()
    return container.attrs["State"]["Pid"]


def group_of(pid: int) -> str:
    """The path of a process's group in version 2: cgroups(7), /proc/PID/cgroup."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line.removeprefix("0::") for line in lines if line.startswith("0::"))


def test_the_engine_and_who_was_there_go_one_level_down(group, engine):
    assert (group / "cgroup.procs").read_text() == "", "a group with processes can hand nothing down"
    assert str(engines.api_pid(engine)) in (group / hierarchies.LEAF / "cgroup.procs").read_text().split()
    handed = set((group / "cgroup.subtree_control").read_text().split())
    assert handed == hierarchies.CONTROLLERS & set((group / "cgroup.controllers").read_text().split())


def test_a_container_has_a_group_in_it(group, engine, client):
    container = client.containers.run(IMAGE, FOREVER, detach=True)
    assert group_of(pid_of(container)) == f"/{group.name}/labkit/{container.id}"
    container.pause()
    assert "frozen 1" in (group / "labkit" / container.id / "cgroup.events").read_text(), "by the freezer"
    container.unpause()
    container.remove(force=True)
    eventually(lambda: not (group / "labkit" / container.id).exists())


def test_info_says_which_limits_can_be_kept(group, client):
    info, controllers = client.info(), (group / "cgroup.controllers").read_text().split()
    for field, controller, words in (("MemoryLimit", "memory", "No memory limit"), ("PidsLimit", "pids", "No pids")):
        assert info[field] == (controller in controllers)
        assert any(words in warning for warning in info["Warnings"]) == (controller not in controllers)


@pytest.fixture
def controller(group):
    """`controller("pids")`: not for a machine that has this one in version 1."""

    def need(name: str) -> None:
        if name not in (group / "cgroup.controllers").read_text().split():
            not_for_this_engine(f"this machine has the controller {name} in version 1, which can't be delegated safely")

    return need


def test_memory_is_limited(controller, client):
    controller("memory")
    hog = client.containers.run(IMAGE, ["tail", "/dev/zero"], mem_limit="16m", memswap_limit="16m", detach=True)
    assert hog.wait(timeout=30)["StatusCode"] == 137
    hog.reload()
    assert hog.attrs["State"]["OOMKilled"]


def test_processes_are_limited(controller, client):
    controller("pids")
    fill_up = "for i in 1 2 3 4 5 6 7; do sleep 600 & done; echo full; exec sleep 600"
    full = client.containers.run(IMAGE, ["sh", "-c", fill_up], pids_limit=8, detach=True)
    eventually(lambda: b"full" in full.logs())
    assert b"can't fork" in full.exec_run(["sh", "-c", "true & wait"]).output
    assert full.exec_run(["echo", "well"]).output == b"well\n"


def test_processor_time_is_limited(group, controller, client):
    controller("cpu")
    spin, tenth = ["sh", "-c", "while :; do :; done"], {"cpu_period": 10_000, "cpu_quota": 1_000}
    busy = client.containers.run(IMAGE, spin, detach=True, **tenth)
    stat = group / "labkit" / busy.id / "cpu.stat"
    eventually(lambda: int(stat.read_text().partition("nr_throttled ")[2].split()[0]) > 0)


def test_an_engine_that_comes_back_from_elsewhere_finds_its_group(group, engine, user, client):
    """A login later the engine starts in another group; its shim and its containers are still in the old one."""
    container = client.containers.run(IMAGE, FOREVER, detach=True)
    kill_api(engine)
    engines.start(engine, user)
    with contextlib.closing(engine.client()) as again:
        other = again.containers.run(IMAGE, FOREVER, detach=True)
        assert group_of(pid_of(other)) == f"/{group.name}/labkit/{other.id}"
        again.containers.get(container.id).pause()
        assert "frozen 1" in (group / "labkit" / container.id / "cgroup.events").read_text()
