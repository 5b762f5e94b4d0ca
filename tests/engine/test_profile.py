"""Docker's defaults as our own tables: what they allow, and how --cap-add and --cap-drop change it."""

import pytest

from labkit.engine.containers import profile
from labkit.runtime import capabilities as kernel
from labkit.runtime import syscalls

DOCKER_14 = 0xA80425FB  # CapBnd in /proc/self/status of a plain `docker run`


def named(seccomp: dict[str, object]) -> set[str]:
    return {name for entry in seccomp["syscalls"] for name in entry["names"]}


def test_default_capabilities_are_the_ones_docker_gives() -> None:
    assert kernel.mask(profile.DEFAULT_CAPABILITIES) == DOCKER_14
    assert profile.capabilities() == frozenset(profile.DEFAULT_CAPABILITIES)


# Each line was tried on Docker 20.10, which answered with this CapBnd.
@pytest.mark.parametrize(
    ("add", "drop", "bits"),
    [
        ([], ["ALL"], 0),
        (["CHOWN"], ["ALL"], 1),
        (["chown"], ["all"], 1),
        (["CAP_CHOWN"], ["CAP_ALL"], 1),
        (["CHOWN"], ["CHOWN"], DOCKER_14),
        ([], ["CHOWN"], DOCKER_14 - 1),
        (["SYS_ADMIN"], [], DOCKER_14 | 1 << 21),
    ],
)
def test_capabilities_are_added_and_dropped_as_docker_does(add: list[str], drop: list[str], bits: int) -> None:
    assert kernel.mask(profile.capabilities(add, drop)) == bits


def test_all_may_be_added_but_for_some() -> None:
    assert profile.capabilities(["ALL"], ["MKNOD"]) == frozenset(kernel.NAMES) - {"CAP_MKNOD"}


def test_privileged_has_them_all() -> None:
    assert profile.capabilities([], ["ALL"], privileged=True) == frozenset(kernel.NAMES)


@pytest.mark.parametrize(("add", "drop", "field"), [(["FLY"], [], "CapAdd"), ([], ["CAP_FLY"], "CapDrop")])
def test_an_unknown_capability_is_refused(add: list[str], drop: list[str], field: str) -> None:
    with pytest.raises(ValueError, match=f'invalid {field}: unknown capability: "CAP_FLY"'):
        profile.capabilities(add, drop)


@pytest.mark.parametrize("machine", sorted(syscalls.NUMBERS))
def test_every_name_in_the_seccomp_tables_is_a_system_call(machine: str) -> None:
    everywhere = {name for numbers in syscalls.NUMBERS.values() for name in numbers}
    assert named(profile.default_seccomp(kernel.NAMES, machine)) <= everywhere


def test_no_call_is_listed_twice_among_those_always_allowed() -> None:
    names = [name for group in profile.ALWAYS.values() for name in group.split()]
    assert len(names) == len(set(names)) == 303


@pytest.mark.parametrize(
    "name", ["mount", "unshare", "setns", "pivot_root", "keyctl", "bpf", "io_uring_setup", "reboot"]
)
def test_what_reaches_beyond_a_container_is_not_in_the_default(name: str) -> None:
    assert name not in named(profile.default_seccomp(profile.capabilities()))


def test_a_capability_opens_the_calls_that_it_is_for() -> None:
    with_boot = profile.default_seccomp(profile.capabilities(["SYS_BOOT"]))
    assert named(with_boot) - named(profile.default_seccomp(profile.capabilities())) == {"reboot"}


def test_the_profile_is_in_the_form_that_runc_reads() -> None:
    seccomp = profile.default_seccomp(frozenset(), "aarch64")
    assert seccomp["architectures"] == ["SCMP_ARCH_AARCH64"]
    assert {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38} in seccomp["syscalls"]
    assert "arch_prctl" not in named(seccomp)


def test_each_processor_has_one_masked_path_more() -> None:
    assert len(profile.masked_paths(cpus=4)) == len(profile.MASKED_PATHS) + 4
