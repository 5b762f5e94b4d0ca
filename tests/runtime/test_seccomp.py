"""The seccomp assembler: its program in a small simulation, beside libseccomp's, and in the kernel."""

import ctypes
import ctypes.util
import errno
import mmap
import os
import platform
import signal
import struct
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from labkit import linux
from labkit.engine.containers.profile import DEFAULT_CAPABILITIES, default_seccomp
from labkit.runtime import seccomp, syscalls

MACHINES = sorted(syscalls.NUMBERS)
ADMIN = frozenset(DEFAULT_CAPABILITIES) | {"CAP_SYS_ADMIN"}
EPERM, ENOSYS = seccomp.ERRNO | errno.EPERM, seccomp.ERRNO | errno.ENOSYS
CLONE_NEWUSER, SIGCHLD, CLONE_FS = 0x10000000, 17, 0x200
AF_INET, AF_ALG, AF_NETLINK, AF_QIPCRTR, AF_VSOCK = 2, 38, 16, 42, 40


def simulate(program: bytes, nr: int, args: Iterable[int], arch: int) -> int:
    """Run a classic BPF program on one system call; the verdict."""
    data = struct.pack("<iIQ6Q", nr - (nr >> 31 << 32), arch, 0, *(list(args) + [0] * 6)[:6])
    a, place = 0, 0
    while True:
        code, yes, no, k = struct.unpack_from("<HBBI", program, place * 8)
        place += 1
        if code == seccomp.RETURN:
            return k
        if code == seccomp.LOAD:
            a = struct.unpack_from("<I", data, k)[0]
        elif code == seccomp.AND:
            a &= k
        elif code == seccomp.GO:
            place += k
        else:
            tests = {seccomp.EQUAL: a == k, seccomp.GREATER: a > k, seccomp.AT_LEAST: a >= k}
            place += yes if tests[code] else no


def verdict(capabilities: Iterable[str], machine: str, call: str | int, *args: int) -> int:
    """What Docker's default profile says to a call."""
    program = seccomp.assemble(default_seccomp(frozenset(capabilities), machine), machine)
    nr = syscalls.NUMBERS[machine][call] if isinstance(call, str) else call
    return simulate(program, nr, args, seccomp.AUDIT_ARCH[machine])


# --- Docker's default profile -------------------------------------------------------------------------------------

CASES = [  # call and arguments, the verdict by default, the verdict with CAP_SYS_ADMIN
    (("read",), seccomp.ALLOW, seccomp.ALLOW),
    (("openat",), seccomp.ALLOW, seccomp.ALLOW),
    (("mount",), EPERM, seccomp.ALLOW),
    (("unshare",), EPERM, seccomp.ALLOW),
    (("bpf",), EPERM, seccomp.ALLOW),
    (("pivot_root",), EPERM, EPERM),
    (("keyctl",), EPERM, EPERM),
    (("io_uring_setup",), EPERM, EPERM),
    (("clone", SIGCHLD), seccomp.ALLOW, seccomp.ALLOW),
    (("clone", CLONE_NEWUSER | SIGCHLD), EPERM, seccomp.ALLOW),
    (("clone", linux.CLONE_NEWPID), EPERM, seccomp.ALLOW),
    (("clone3",), ENOSYS, seccomp.ALLOW),
    (("personality", 0), seccomp.ALLOW, seccomp.ALLOW),
    (("personality", 0xFFFFFFFF), seccomp.ALLOW, seccomp.ALLOW),
    (("personality", 0x0400000), EPERM, EPERM),  # READ_IMPLIES_EXEC
    (("personality", 1 << 32), EPERM, EPERM),  # its low half is 0, which is allowed
    (("socket", AF_INET), seccomp.ALLOW, seccomp.ALLOW),
    (("socket", AF_NETLINK), seccomp.ALLOW, seccomp.ALLOW),
    (("socket", AF_QIPCRTR), seccomp.ALLOW, seccomp.ALLOW),
    (("socket", AF_ALG), EPERM, EPERM),
    (("socket", AF_VSOCK), EPERM, EPERM),
    (("file_setattr",), ENOSYS, ENOSYS),  # newer than all that the profile names
    ((9999,), ENOSYS, ENOSYS),
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("call", "default", "admin"), CASES)
def test_dockers_profile(call: tuple[Any, ...], default: int, admin: int, machine: str) -> None:
    assert verdict(DEFAULT_CAPABILITIES, machine, *call) == default
    assert verdict(ADMIN, machine, *call) == admin


def test_x32_is_refused() -> None:
    assert verdict(ADMIN, "x86_64", seccomp.X32_BIT | 0) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architecture_is_killed(machine: str) -> None:
    program = seccomp.assemble(default_seccomp(ADMIN, machine), machine)
    assert simulate(program, 0, [], 0x40000003) == seccomp.KILL_PROCESS  # AUDIT_ARCH_I386


@pytest.mark.parametrize("machine", MACHINES)
def test_the_program_is_short(machine: str) -> None:
    assert len(seccomp.assemble(default_seccomp(frozenset(DEFAULT_CAPABILITIES), machine), machine)) < 150 * 8


# --- the language of rules ---------------------------------------------------------------------------------------


def getpid_profile(*args: dict[str, Any], default: str = "SCMP_ACT_ERRNO") -> bytes:
    rule = {"names": ["getpid", "no_such_call"], "action": "SCMP_ACT_LOG", "args": list(args)}
    return seccomp.assemble({"defaultAction": default, "syscalls": [rule]}, "x86_64")


def getpid(program: bytes, *args: int) -> int:
    return simulate(program, syscalls.NUMBERS["x86_64"]["getpid"], args, seccomp.AUDIT_ARCH["x86_64"])


MEANING: dict[str, Callable[[int, int], bool]] = {
    "EQ": int.__eq__, "NE": int.__ne__, "LT": int.__lt__, "LE": int.__le__, "GT": int.__gt__, "GE": int.__ge__,
}  # fmt: skip
EDGES = [0, 1, 0xFFFFFFFF, 1 << 32, (1 << 32) + 1, (7 << 32) + 5, 1 << 63, (1 << 64) - 1]


@pytest.mark.parametrize("operator", MEANING)
def test_arguments_are_compared_as_64_bit_numbers(operator: str) -> None:
    for value in EDGES:
        program = getpid_profile({"index": 2, "value": value, "op": f"SCMP_CMP_{operator}"})
        for actual in EDGES:
            expected = seccomp.LOG if MEANING[operator](actual, value) else EPERM
            assert getpid(program, 0, 0, actual) == expected, f"{actual:#x} {operator} {value:#x}"


def test_a_masked_comparison_looks_at_some_bits_only() -> None:
    mask = 0xF0000000_000000F0
    program = getpid_profile({"index": 0, "value": mask, "valueTwo": 0x10000000_00000020, "op": "SCMP_CMP_MASKED_EQ"})
    assert getpid(program, 0x1ABCDEF0_1234562F) == seccomp.LOG
    assert getpid(program, 0x1ABCDEF0_1234563F) == EPERM
    assert getpid(program, 0x2ABCDEF0_1234562F) == EPERM


def test_conditions_on_different_arguments_must_all_hold() -> None:
    program = getpid_profile(*({"index": i, "value": 1, "op": "SCMP_CMP_EQ"} for i in (0, 5)))
    assert getpid(program, 1, 0, 0, 0, 0, 1) == seccomp.LOG
    assert getpid(program, 1) == getpid(program, 0, 0, 0, 0, 0, 1) == EPERM


def test_of_conditions_on_one_argument_any_will_do() -> None:
    program = getpid_profile(*({"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in (1, 2)))
    assert [getpid(program, value) for value in (0, 1, 2, 3)] == [EPERM, seccomp.LOG, seccomp.LOG, EPERM]


def test_a_profile_that_allows_by_default_allows_newer_calls_too() -> None:
    program = getpid_profile(default="SCMP_ACT_ALLOW")
    assert getpid(program) == seccomp.LOG
    assert simulate(program, 9999, [], seccomp.AUDIT_ARCH["x86_64"]) == seccomp.ALLOW


def test_a_long_program_still_jumps_right() -> None:
    """Conditional jumps reach 255 instructions; here each call has a rule of its own, and there are hundreds."""
    rules = [
        {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": number + 1,
         "args": [{"index": 0, "value": number, "op": "SCMP_CMP_GE"}]}
        for name, number in syscalls.NUMBERS["x86_64"].items()
    ]  # fmt: skip
    program = seccomp.assemble({"defaultAction": "SCMP_ACT_KILL", "syscalls": rules}, "x86_64")
    for number in syscalls.NUMBERS["x86_64"].values():
        arch = seccomp.AUDIT_ARCH["x86_64"]
        assert simulate(program, number, [number], arch) == seccomp.ERRNO | number + 1
        assert number == 0 or simulate(program, number, [number - 1], arch) == 0


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "SCMP_ACT_NOTIFY"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 0, "op": "LIKE"}]}]}, "LIKE"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]},
         "index 6"),
    ],
)  # fmt: skip
def test_what_cannot_be_translated_is_refused(profile: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        seccomp.assemble(profile, "x86_64")


def test_a_machine_without_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="riscv64"):
        seccomp.assemble({"defaultAction": "SCMP_ACT_ALLOW"}, "riscv64")


# --- beside libseccomp, the library that runc uses -----------------------------------------------------------------


class ArgCmp(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


OPERATORS = ("", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")  # enum scmp_compare


def libseccomp_program(profile: dict[str, Any]) -> bytes:
    """The same profile for this machine, assembled by libseccomp."""
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(EPERM))
    for rule in profile["syscalls"]:
        args = [ArgCmp(a["index"], OPERATORS.index(a["op"][9:]), a["value"], a.get("valueTwo", 0))
                for a in rule.get("args", [])]  # fmt: skip
        action = seccomp.ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else seccomp.ERRNO | rule["errnoRet"]
        for name in rule["names"]:
            number = lib.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:  # else it is too new for this libseccomp
                lib.seccomp_rule_add_array(context, action, number, len(args), (ArgCmp * len(args))(*args))
    with tempfile.TemporaryFile() as file:
        assert lib.seccomp_export_bpf(context, file.fileno()) == 0
        file.seek(0)
        return file.read()


@pytest.mark.skipif(not ctypes.util.find_library("seccomp"), reason="needs libseccomp2: apt install libseccomp2")
@pytest.mark.skipif(platform.machine() not in MACHINES, reason="no table of system calls for this machine")
@pytest.mark.parametrize("capabilities", [frozenset(), frozenset(DEFAULT_CAPABILITIES), ADMIN])
def test_libseccomp_comes_to_the_same_verdicts(capabilities: frozenset[str]) -> None:
    profile, arch = default_seccomp(capabilities), seccomp.AUDIT_ARCH[platform.machine()]
    ours, theirs = seccomp.assemble(profile), libseccomp_program(profile)
    library = ctypes.CDLL("libseccomp.so.2")
    first_arguments = [0, 8, 17, 38, 39, 40, 41, 0x20000, 0x10000011, 0xFFFFFFFF, 1 << 32]
    for name, number in syscalls.NUMBERS[platform.machine()].items():
        if library.seccomp_syscall_resolve_name(name.encode()) < 0:  # too new for this libseccomp
            continue
        for argument in first_arguments:
            verdicts = [simulate(program, number, [argument], arch) for program in (ours, theirs)]
            assert verdicts[0] == verdicts[1], f"{name}({argument:#x}, ...)"


# --- in the kernel -----------------------------------------------------------------------------------------------


def in_child(program: bytes | None, action: Callable[[], object]) -> str:
    """Do something in a child under the filter (or none): what it returned, or the signal that killed it."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if program is not None:
                linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
                linux.seccomp_set_mode_filter(program)
            os.write(write_end, str(action()).encode())
        except BaseException as error:
            os.write(write_end, repr(error).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with open(read_end) as answers:
        said = answers.read()
    status = os.waitpid(pid, 0)[1]
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else said


def syscall(name: str, *args: int) -> str:
    """Make a system call by number: "ok" or the error's name."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    number = name if isinstance(name, int) else syscalls.NUMBERS[platform.machine()][name]
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(arg) for arg in (*args, 0, 0, 0, 0, 0, 0)[:6]))
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


# Calls that are harmless where they are allowed: they fail on their arguments, or only ask.
KERNEL_CASES = [  # call, without a filter, under Docker's default, under the default with CAP_SYS_ADMIN
    (("getpid",), "ok", "ok", "ok"),
    (("unshare", 0), "ok", "EPERM", "ok"),
    (("clone", CLONE_NEWUSER | CLONE_FS), "EINVAL", "EPERM", "EINVAL"),
    (("clone3", 0, 0), "EINVAL", "ENOSYS", "EINVAL"),
    (("open_by_handle_at", -1, 0, 0), None, "EPERM", "EPERM"),
    (("personality", 0xFFFFFFFF), "ok", "ok", "ok"),
    (("personality", 0x0400000), "ok", "EPERM", "EPERM"),
    (("socket", AF_INET, 1), "ok", "ok", "ok"),
    (("socket", AF_VSOCK, 99), None, "EPERM", "EPERM"),
    (("socket", AF_ALG, 99), None, "EPERM", "EPERM"),
    (("keyctl", 99), None, "EPERM", "EPERM"),
    (("io_uring_setup", 0, 0), None, "EPERM", "EPERM"),
    (("file_setattr", -1), None, "ENOSYS", "ENOSYS"),
]


@pytest.mark.skipif(platform.machine() not in MACHINES, reason="no table of system calls for this machine")
@pytest.mark.parametrize(("call", "free", "default", "admin"), KERNEL_CASES)
def test_the_kernel_obeys_the_filter(call: tuple[Any, ...], free: str | None, default: str, admin: str) -> None:
    programs = [seccomp.assemble(default_seccomp(caps)) for caps in (frozenset(DEFAULT_CAPABILITIES), ADMIN)]
    if free is not None:  # the positive control; None where kernels differ
        assert in_child(None, lambda: syscall(*call)) == free
    assert [in_child(program, lambda: syscall(*call)) for program in programs] == [default, admin]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="int 0x80 is an instruction of x86")
def test_a_32_bit_call_kills_the_process() -> None:
    """int 0x80 enters the kernel as i386, where socketcall(2) hides its arguments from a filter."""
    if in_child(None, getpid_as_i386) != "True":
        pytest.skip("this kernel runs no 32-bit programs: CONFIG_IA32_EMULATION is off")
    assert in_child(seccomp.assemble(default_seccomp(ADMIN)), getpid_as_i386) == "SIGSYS"


def getpid_as_i386() -> bool:
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)() == os.getpid()
