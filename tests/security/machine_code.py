"""A static program of a few dozen bytes that makes system calls and prints what they returned.

An image for tests has no compiler and no Python, and a shell makes only a shell's calls. So we write the machine code
ourselves: for each call, seven registers are loaded, `syscall` is executed, and the eight bytes of its result go to
standard output. elf(5), syscall(2); x86-64 only.
"""

import platform
import struct

import pytest

BASE = 0x400000
REGISTERS = (b"\x48\xb8", b"\x48\xbf", b"\x48\xbe", b"\x48\xba", b"\x49\xba", b"\x49\xb8", b"\x49\xb9")
"""`mov` of 64 bits into rax (the call's number), then rdi, rsi, rdx, r10, r8, r9 (its arguments)."""
SYSCALL = b"\x0f\x05"
PRINT_RAX = (
    b"\x50"  # push rax
    b"\xb8\x01\0\0\0\xbf\x01\0\0\0\x48\x89\xe6\xba\x08\0\0\0" + SYSCALL + b"\x58"  # write(1, rsp, 8); pop
)
EXIT = b"\xb8\x3c\0\0\0\x31\xff" + SYSCALL  # exit(0)


def program(*calls: tuple[int, ...]) -> bytes:
    """An executable that makes the calls, each (number, argument, …), and prints each result."""
    if platform.machine() != "x86_64":
        pytest.skip("the program is written in the machine code of x86-64")
    code = b"".join(_load(call) + SYSCALL + PRINT_RAX for call in calls) + EXIT
    return _elf(code)


def results(output: bytes) -> list[int]:
    """What the calls returned: a negative one is -errno."""
    return list(struct.unpack(f"<{len(output) // 8}q", output))


def _load(call: tuple[int, ...]) -> bytes:
    values = [*call, *[0] * (7 - len(call))]
    return b"".join(move + struct.pack("<Q", value & 2**64 - 1) for move, value in zip(REGISTERS, values, strict=True))


def _elf(code: bytes) -> bytes:
    """The least that execve(2) takes: a file header, one segment, the code."""
    start = 64 + 56
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, BASE + start, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = start + len(code)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)
    return identity + header + segment + code
