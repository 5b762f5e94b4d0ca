"""Rootless: a subprocess of an ordinary user becomes root in its own namespaces, and another joins it there."""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.engine import userns

ORDINARY = 54321  # a user without an entry anywhere; nothing has to be made for it
ENTER = "import json, os; from labkit.engine import userns; ids = userns.enter()\n"
SECONDS = 30


def command_of(code: str, uid: int = ORDINARY) -> list[str]:
    """The command that runs Python code as an ordinary user: as `uid` when the tests run as root."""
    python = [sys.executable, "-c", code]
    if os.geteuid() != 0:
        return python
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv to leave root: apt install util-linux")
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", *python]


def run(code: str, uid: int = ORDINARY, before: str = "") -> dict[str, object]:
    """Run code as an ordinary user; it prints JSON. `before` is a line of shell for a mount namespace of its own."""
    command = command_of(code, uid)
    if before:
        command = ["unshare", "--mount", "sh", "-c", f'{before} && exec "$@"', "sh", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@functools.cache
def ordinary_user_has_labkit() -> bool:
    command = command_of("import labkit.engine.userns")
    return subprocess.run(command, capture_output=True, timeout=SECONDS).returncode == 0


@pytest.fixture(autouse=True)
def allowed() -> None:
    if not ordinary_user_has_labkit():
        pytest.skip("an ordinary user can't run this Python: install Python and labkit where all users may read")
    if userns.obstacles():
        pytest.skip(userns.explain(None))
    if userns.filtered():
        pytest.skip("needs user namespaces: a container's seccomp filter refuses them")


def test_an_ordinary_user_becomes_root_inside() -> None:
    facts = run(ENTER + "print(json.dumps([os.getresuid(), os.getresgid(), ids.uid_map, ids.how, ids.count]))")
    outside = ORDINARY if os.geteuid() == 0 else os.getuid()
    assert facts == [[0, 0, 0], [0, 0, 0], [[0, outside, 1]], "one id", 1] or facts[3] == "sub-ids"


def test_root_inside_may_mount_and_make_network_devices_which_nobody_outside_sees() -> None:
    code = """
from labkit import linux
linux.mount("labkit-test", "/mnt", "tmpfs")
open("/mnt/made", "w").close()
print(json.dumps([os.stat("/mnt/made").st_uid, "labkit-test" in open("/proc/self/mountinfo").read(),
                  sorted(os.listdir("/proc/self/net/dev_snmp6")) if os.path.isdir("/proc/self/net/dev_snmp6") else []]))
"""
    assert run(ENTER + code)[:2] == [0, True]
    assert "labkit-test" not in Path("/proc/self/mountinfo").read_text()


@pytest.fixture
def as_nobody_with_sub_ids(tmp_path: Path) -> str:
    """A line of shell that gives the user nobody sub-ids, in a mount namespace that ends with the test."""
    if os.geteuid() != 0:
        pytest.skip("needs root: run the tests with sudo to lend a user sub-ids")
    if not shutil.which("newuidmap"):
        pytest.skip("needs newuidmap: apt install uidmap")
    lent = tmp_path / "subids"
    lent.write_text("nobody:200000:65536\n")
    for path in ("/etc/subuid", "/etc/subgid"):
        if not Path(path).exists():
            pytest.skip(f"needs {path} to mount over: touch it")
    return f"mount --bind {lent} /etc/subuid && mount --bind {lent} /etc/subgid"


def test_sub_ids_are_mapped_from_one_up(as_nobody_with_sub_ids: str) -> None:
    code = ENTER + "print(json.dumps([ids.uid_map, ids.gid_map, ids.how, ids.count]))"
    expected = [[0, 65534, 1], [1, 200000, 65536]]
    assert run(code, 65534, as_nobody_with_sub_ids) == [expected, expected, "sub-ids", 65537]


def test_where_newuidmap_may_not_become_root_one_id_is_left(as_nobody_with_sub_ids: str) -> None:
    code = (
        "from labkit import linux; linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)\n" + ENTER + "print(json.dumps(ids.how))"
    )
    assert run(code, 65534, as_nobody_with_sub_ids) == "one id"


def test_another_process_joins_the_namespaces() -> None:
    spaces = "[os.stat(f'/proc/self/ns/{kind}').st_ino for kind in ('user', 'mnt', 'net')]"
    stay = ENTER + f"print(json.dumps([os.getpid(), {spaces}]), flush=True); input()"
    with subprocess.Popen(command_of(stay), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        try:
            pid, theirs = json.loads(first.stdout.readline())
            joined = run(
                f"import json, os; from labkit.engine import userns; userns.join({pid})\n"
                f"print(json.dumps([os.getuid(), {spaces}]))"
            )
        finally:
            first.communicate("\n", timeout=SECONDS)
    assert joined == [0, theirs]


# --- refusals ---------------------------------------------------------------------------------------------------

REFUSED = "try:\n    userns.enter()\nexcept userns.UserNamespaceRefused as error:\n    print(json.dumps(str(error)))\n"


def test_a_process_with_threads_is_told_why_it_cannot() -> None:
    code = "import json, threading; from labkit.engine import userns\n"
    code += "threading.Thread(target=threading.Event().wait, daemon=True).start()\n" + REFUSED
    assert "first thing that a program does" in run(code)


def test_the_setting_that_forbids_it_is_named_with_the_command() -> None:
    """A user namespace has a limit of its own for the namespaces made inside it."""
    code = ENTER + "open('/proc/sys/user/max_user_namespaces', 'w').write('0')\n" + REFUSED
    said = run(code)
    assert "user.max_user_namespaces is 0" in said
    assert "`sudo sysctl -w user.max_user_namespaces=28633`" in said


@pytest.mark.parametrize(
    ("settings", "commands"),
    [
        ({}, []),
        ({"kernel.unprivileged_userns_clone": "1", "user.max_user_namespaces": "9"}, []),
        (
            {"kernel.unprivileged_userns_clone": "0"},
            ["sudo sysctl -w kernel.unprivileged_userns_clone=1"],
        ),
        (
            {"kernel.apparmor_restrict_unprivileged_userns": "1"},
            ["sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"],
        ),
    ],
)
def test_obstacles_are_read_from_the_settings(settings: dict[str, str], commands: list[str]) -> None:
    assert [obstacle.command for obstacle in userns.obstacles(settings.get)] == commands


# --- sub-ids ----------------------------------------------------------------------------------------------------


def test_sub_ids_are_read_by_name_or_by_number(tmp_path: Path) -> None:
    path = tmp_path / "subuid"
    path.write_text("# ours\nada:100000:65536\nbob:165536:65536\n1000:300000:10\nbroken:1\nada:x:1\n\n")
    assert userns.sub_ids(path, "ada", 1000) == [(100000, 65536), (300000, 10)]
    assert userns.sub_ids(path, "eve", 1) == []


def test_no_file_means_no_sub_ids(tmp_path: Path) -> None:
    assert userns.sub_ids(tmp_path / "none", "ada", 1000) == []


def test_ranges_follow_each_other_inside() -> None:
    assert userns.plan(1000, [(100000, 50), (300000, 10)]) == ((0, 1000, 1), (1, 100000, 50), (51, 300000, 10))
