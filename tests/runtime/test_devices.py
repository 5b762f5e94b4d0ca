"""Device rules: the program's answers in a small simulation of eBPF, the same in the kernel, and the v1 lines."""

import os
import platform
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import linux
from labkit.engine.containers.profile import DEVICE_RULES
from labkit.runtime import devices

NULL, DISK, TERMINAL = ("c", 1, 3), ("b", 8, 0), ("c", 136, 7)


def simulate(program: bytes, kind: str, major: int, minor: int, access: str) -> int:
    """Run the eBPF instructions that `devices` uses on one question; the answer is r0 at the end."""
    asked = sum(devices.ACCESS[letter] for letter in access)
    question = struct.pack("<III", asked << 16 | devices.TYPES[kind], major, minor)
    registers, place = [0] * 11, 0
    while True:
        code, pair, offset, k = struct.unpack_from("<BBhi", program, place * 8)
        register, source, place = pair & 15, pair >> 4, place + 1
        value = registers[register]
        if code == devices.EXIT:
            return registers[0]
        if code == devices.LOAD:
            assert source == 1, "only r1 points to something"
            registers[register] = struct.unpack_from("<I", question, offset)[0]
        elif code in (devices.SET, devices.AND, devices.SHIFT):
            registers[register] = {devices.SET: k, devices.AND: value & k, devices.SHIFT: value >> k}[code]
        else:
            jumps = {
                devices.IF_EQUAL: value == k,
                devices.IF_NOT_EQUAL: value != k,
                devices.IF_ANY_BIT: value & k != 0,
            }
            place += offset if jumps[code] else 0


@pytest.mark.parametrize(
    ("device", "access", "allowed"),
    [
        (NULL, "r", True),
        (NULL, "rwm", True),
        (TERMINAL, "rw", True),
        (DISK, "m", True),  # a node may be made ...
        (DISK, "r", False),  # ... but not opened
        (DISK, "rm", False),
        (("c", 10, 229), "rw", False),  # /dev/fuse
        (("b", 1, 3), "r", False),  # the numbers of null, but a disk
    ],
)
def test_dockers_rules(device: tuple[str, int, int], access: str, allowed: bool) -> None:
    assert simulate(devices.assemble(DEVICE_RULES), *device, access) == allowed


ALLOW_ALL = {"allow": True, "access": "rwm"}
DENY_WRITING = {"allow": False, "type": "c", "major": 1, "minor": 3, "access": "w"}
ALLOW_READING = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"}
DENY_ALL = {"allow": False, "access": "rwm"}


@pytest.mark.parametrize(
    ("rules", "access", "allowed"),
    [
        ([], "r", False),
        ([ALLOW_ALL], "rwm", True),
        ([ALLOW_ALL, DENY_WRITING], "r", True),
        ([ALLOW_ALL, DENY_WRITING], "rw", False),
        ([DENY_WRITING, ALLOW_ALL], "w", True),  # the later one wins
        ([DENY_ALL, ALLOW_READING], "r", True),
        ([DENY_ALL, ALLOW_READING], "rw", False),
        ([DENY_ALL, ALLOW_READING, {**DENY_WRITING, "allow": True}], "rw", True),  # two rules together
        ([ALLOW_READING, DENY_ALL], "r", False),
    ],
)
def test_a_later_rule_wins_letter_by_letter(rules: list[devices.Rule], access: str, allowed: bool) -> None:
    assert simulate(devices.assemble(rules), *NULL, access) == allowed


def test_lines_for_cgroup_v1() -> None:
    assert devices.v1_lines(DEVICE_RULES)[:4] == [
        ("devices.deny", "a *:* rwm"),
        ("devices.allow", "c *:* m"),
        ("devices.allow", "b *:* m"),
        ("devices.allow", "c 1:3 rwm"),
    ]
    assert devices.v1_lines(DEVICE_RULES)[-1] == ("devices.allow", "c 136:* rwm")


def test_all_devices_with_less_than_all_access_take_a_line_a_type() -> None:
    assert devices.v1_lines([{"allow": True, "access": "r"}]) == [
        ("devices.allow", "b *:* r"),
        ("devices.allow", "c *:* r"),
    ]


@pytest.mark.parametrize("wrong", [{"allow": True, "type": "x"}, {"allow": True, "access": "rx"}])
def test_letters_that_mean_nothing_are_refused(wrong: devices.Rule) -> None:
    with pytest.raises(ValueError, match="device rule"):
        devices.assemble([wrong])


# --- the kernel's own opinion ------------------------------------------------------------------------------------


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """An empty v2 cgroup, removed again."""
    if os.geteuid() != 0:
        pytest.skip("needs root: run the tests with sudo to load a device program")
    unified = [Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines() if " cgroup2 " in line]
    if not unified:
        pytest.skip("needs cgroup v2: boot with systemd.unified_cgroup_hierarchy=1")
    folder = unified[0] / f"labkit-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    folder.rmdir()


def errors_inside(cgroup: Path, rules: list[devices.Rule] | None) -> list[str]:
    """Let a child join the cgroup and open three devices; for each "ok" or the error's name."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            (cgroup / "cgroup.procs").write_text(str(os.getpid()))
            if rules is not None:
                linux.bpf_prog_attach(os.open(cgroup, os.O_RDONLY), linux.bpf_prog_load(devices.assemble(rules)))
            os.write(write_end, " ".join(map(attempt, ("/dev/null", "/dev/zero", "/dev/kmsg"))).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with open(read_end) as answers:
        result = answers.read().split()
    os.waitpid(pid, 0)
    return result


def attempt(path: str) -> str:
    try:
        os.close(os.open(path, os.O_RDWR))
    except OSError as error:
        return type(error).__name__
    return "ok"


@pytest.mark.skipif(platform.system() != "Linux", reason="needs Linux")
def test_the_kernel_obeys_the_program(cgroup: Path) -> None:
    if not os.access("/dev/kmsg", os.R_OK):
        pytest.skip("needs /dev/kmsg, a device that Docker's rules refuse")
    assert errors_inside(cgroup, None) == ["ok", "ok", "ok"]  # the positive control: without rules all can be opened
    assert errors_inside(cgroup, list(DEVICE_RULES)) == ["ok", "ok", "PermissionError"]
