"""Capability names and masks, against what the kernel says about this very process."""

import pytest

from labkit.runtime import capabilities


def test_numbers_are_those_of_the_manual() -> None:
    known = {"CAP_CHOWN": 0, "CAP_SETPCAP": 8, "CAP_SYS_ADMIN": 21, "CAP_SETFCAP": 31, "CAP_CHECKPOINT_RESTORE": 40}
    assert {name: capabilities.NUMBERS[name] for name in known} == known


def test_a_mask_has_one_bit_a_capability() -> None:
    assert capabilities.mask([]) == 0
    assert capabilities.mask(["CAP_CHOWN", "CAP_KILL"]) == 1 << 0 | 1 << 5


def test_names_reads_a_mask_back() -> None:
    some = frozenset({"CAP_NET_RAW", "CAP_MKNOD", "CAP_BPF"})
    assert capabilities.names(capabilities.mask(some)) == some


def test_no_capability_of_this_kernel_is_missing() -> None:
    with open("/proc/sys/kernel/cap_last_cap") as file:
        assert int(file.read()) < len(capabilities.NAMES)


@pytest.mark.parametrize("wrong", ["CHOWN", "cap_chown", "CAP_FLY", ""])
def test_an_unknown_name_is_refused_with_the_list_of_names(wrong: str) -> None:
    with pytest.raises(ValueError, match=f'unknown capability: "{wrong}".*CAP_CHOWN'):
        capabilities.mask([wrong])
