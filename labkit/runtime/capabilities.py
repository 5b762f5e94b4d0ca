"""Capabilities: the powers of root, cut into pieces that a process can have or lack one by one.

Root in a container is less than root outside because most pieces have been taken away.
This file only knows names, numbers and bit masks; `labkit.linux` makes the system calls that apply them.
"""

from collections.abc import Iterable

# The position in this list is the number of the capability (capabilities(7), linux/capability.h).
_IN_ORDER = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE
AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
CHECKPOINT_RESTORE
"""
NAMES = tuple(f"CAP_{name}" for name in _IN_ORDER.split())
NUMBERS = {name: number for number, name in enumerate(NAMES)}


def mask(names: Iterable[str]) -> int:
    """The capability set as a number: bit n is set when capability n is in the set.

    Raises ValueError for a name that capabilities(7) doesn't list. Source: proc(5), CapEff in /proc/PID/status.
    """
    bits = 0
    for name in names:
        bits |= 1 << _number(name)
    return bits


def names(bits: int) -> frozenset[str]:
    """The names in a capability set, the reverse of `mask`; bits that have no name yet are left out."""
    return frozenset(name for name, number in NUMBERS.items() if bits >> number & 1)


def _number(name: str) -> int:
    try:
        return NUMBERS[name]
    except KeyError:
        raise ValueError(
            f'unknown capability: "{name}". Names are those of capabilities(7), in capitals, for example CAP_CHOWN. '
            f"The {len(NAMES)} that there are: {' '.join(NAMES)}"
        ) from None
