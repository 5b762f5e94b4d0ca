"""Seccomp: a small program in the kernel that judges every system call of a container before it happens.

`assemble` turns the OCI `linux.seccomp` object into that program, in classic BPF (seccomp(2)): it checks the
architecture, finds the call's number by halving a list of ranges, and looks at the arguments where a rule says so.

Left out: user notification (SCMP_ACT_NOTIFY) and foreign architectures (a 32-bit program is killed).
libseccomp, the library that runc uses, does all of this and more.
"""

import errno
import platform
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from labkit.runtime import syscalls

# The kernel's number for the architecture of a call (linux/audit.h).
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# x32 is x86_64 with 32-bit pointers: the same calls with this bit set in their number, hence a way round a filter.
X32_BIT = 0x40000000

# The verdicts of linux/seccomp.h. ERRNO and TRACE carry a number in their low 16 bits.
ERRNO, TRACE, KILL_PROCESS, LOG, ALLOW = 0x00050000, 0x7FF00000, 0x80000000, 0x7FFC0000, 0x7FFF0000
ACTIONS = {
    "SCMP_ACT_KILL": 0,
    "SCMP_ACT_KILL_THREAD": 0,
    "SCMP_ACT_KILL_PROCESS": KILL_PROCESS,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": ERRNO,
    "SCMP_ACT_TRACE": TRACE,
    "SCMP_ACT_LOG": LOG,
    "SCMP_ACT_ALLOW": ALLOW,
}

# struct seccomp_data {int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6];}: offsets in bytes.
NR, ARCH, ARGS = 0, 4, 16

# The instructions in use (linux/bpf_common.h). The machine has one register of 32 bits, A.
LOAD = 0x20  # A = the word at offset k of seccomp_data
AND = 0x54  # A = A & k
EQUAL = 0x15  # go one way if A == k, the other way if not
GREATER = 0x25  # the same for A > k
AT_LEAST = 0x35  # the same for A >= k
GO = 0x05  # skip k instructions
RETURN = 0x06  # the verdict is k


@dataclass(frozen=True)
class Argument:
    """A condition on one argument of a system call, compared as an unsigned 64-bit number."""

    index: int
    operator: str
    value: int
    value_two: int = 0


@dataclass(frozen=True)
class Rule:
    """A verdict, and the conditions under which it holds; without any it always holds."""

    verdict: int
    arguments: tuple[Argument, ...] = ()


Decision = tuple[Rule, ...]  # the first rule whose conditions all hold decides


def assemble(oci_seccomp: Mapping[str, Any], machine: str = platform.machine()) -> bytes:
    """The program that enforces an OCI seccomp object: an array of struct sock_filter, 8 bytes an instruction.

    Names that `machine` doesn't have are skipped, as runc does, since one profile serves many architectures.
    Raises ValueError for an action, an operator or a machine that can't be translated. Source: OCI runtime-spec,
    config-linux.md, Seccomp.
    """
    program = Program()
    judge = program.search([(first, program.decide(decision)) for first, decision in ranges(oci_seccomp, machine)])
    judge = program.load(NR, judge)
    judge = program.test(EQUAL, AUDIT_ARCH[machine], judge, program.verdict(KILL_PROCESS))
    program.load(ARCH, judge)
    return program.to_bytes()


# --- what is decided: from names to ranges of numbers -----------------------------------------------------------


def ranges(oci_seccomp: Mapping[str, Any], machine: str) -> list[tuple[int, Decision]]:
    """(first number, decision) for each stretch of call numbers that are judged alike, in rising order."""
    default = Rule(_verdict(oci_seccomp["defaultAction"], oci_seccomp.get("defaultErrnoRet")))
    decisions = _by_number(oci_seccomp.get("syscalls") or [], default, syscalls.numbers(machine))
    newest = max(decisions, default=-1)
    every = [(number, decisions.get(number, (default,))) for number in range(newest + 1)]
    every.append((newest + 1, (_newer(default) if decisions else default,)))
    if machine == "x86_64":
        every.append((X32_BIT, (Rule(ERRNO | errno.EPERM),)))
    return [next(alike) for _, alike in groupby(every, key=lambda entry: entry[1])]


def _newer(default: Rule) -> Rule:
    """The rule for calls newer than all that the profile names: ENOSYS, "this kernel hasn't got it".

    Programs then fall back to an older call; EPERM would make them give up. runc does the same.
    """
    return default if default.verdict in (ALLOW, LOG) else Rule(ERRNO | errno.ENOSYS)


def _by_number(entries: Sequence[Mapping[str, Any]], default: Rule, numbers: dict[str, int]) -> dict[int, Decision]:
    found: dict[int, list[Rule]] = {}
    for entry in entries:
        rules = list(_rules(entry))
        for number in (numbers[name] for name in entry["names"] if name in numbers):
            found.setdefault(number, []).extend(rules)
    return {number: _decision(rules, default) for number, rules in found.items()}


def _decision(rules: list[Rule], default: Rule) -> Decision:
    """A rule without conditions beats those that have some, as in libseccomp; else the default comes last."""
    always = [rule for rule in rules if not rule.arguments]
    return (always[0],) if always else (*rules, default)


def _rules(entry: Mapping[str, Any]) -> Iterator[Rule]:
    """The rules in one entry of `syscalls`: one, or one a condition where several look at the same argument.

    Conditions on different arguments must all hold; on the same one any will do (libseccomp can't say more, and
    profiles are written for that).
    """
    verdict = _verdict(entry["action"], entry.get("errnoRet"))
    arguments = tuple(_argument(arg) for arg in entry.get("args") or [])
    if len({argument.index for argument in arguments}) == len(arguments):
        yield Rule(verdict, arguments)
    else:
        yield from (Rule(verdict, (argument,)) for argument in arguments)


def _verdict(action: str, number: int | None) -> int:
    """The kernel's word for an OCI action; `number` is the errno to return, EPERM when there is none."""
    if action not in ACTIONS:
        raise ValueError(f"seccomp action {action!r} can't be translated; known are {', '.join(ACTIONS)}")
    verdict = ACTIONS[action]
    if verdict in (ERRNO, TRACE):
        verdict |= (errno.EPERM if number is None else number) & 0xFFFF
    return verdict


def _argument(arg: Mapping[str, Any]) -> Argument:
    operator = arg["op"].removeprefix("SCMP_CMP_")
    if operator not in COMPARISONS and operator != "MASKED_EQ":
        raise ValueError(
            f"seccomp operator {arg['op']!r} can't be translated; known are SCMP_CMP_MASKED_EQ and "
            + ", ".join(f"SCMP_CMP_{name}" for name in COMPARISONS)
        )
    if not 0 <= arg["index"] <= 5:
        raise ValueError(f"seccomp argument index {arg['index']}: a system call has six arguments, 0 to 5")
    return Argument(arg["index"], operator, arg["value"], arg.get("valueTwo") or 0)


# --- how it is said to the kernel: instructions -----------------------------------------------------------------

# Numbers of 64 bits are compared in two halves. Per operator: the answer when the high half is greater, the answer
# when it is smaller, and when it is equal, the test of the low half with the answer that a "yes" there means.
COMPARISONS = {
    "EQ": (False, False, EQUAL, True),
    "NE": (True, True, EQUAL, False),
    "GT": (True, False, GREATER, True),
    "LE": (False, True, GREATER, False),
    "GE": (True, False, AT_LEAST, True),
    "LT": (False, True, AT_LEAST, False),
}


class Program:
    """A BPF program, written from its end: jumps only lead forward, so the place they lead to is already there.

    Each method puts instructions before all the others and returns the place to go to for its effect. A place is
    counted from the end of the program, so it stays right while the program grows.
    """

    FAR = 250  # a conditional jump has 8 bits for its distance; a little is kept for what gets in between

    def __init__(self) -> None:
        self._backwards: list[bytes] = []
        self._verdicts: dict[int, int] = {}

    def to_bytes(self) -> bytes:
        return b"".join(reversed(self._backwards))

    def verdict(self, verdict: int) -> int:
        """End with a verdict. One instruction serves all who come to the same one."""
        if verdict not in self._verdicts:
            self._verdicts[verdict] = self._put(RETURN, verdict)
        return self._verdicts[verdict]

    def load(self, offset: int, then: int) -> int:
        """Put a word of seccomp_data into A and go on at `then`."""
        self._fall_into(then)
        return self._put(LOAD, offset)

    def test(self, code: int, k: int, yes: int, no: int) -> int:
        """Compare A with k, and go to `yes` or `no`."""
        yes, no = self._near(yes), self._near(no)
        return self._put(code, k, self._distance(yes), self._distance(no))

    def search(self, places: Sequence[tuple[int, int]]) -> int:
        """Go to the place of the range that A is in; `places` holds (first number, place) in rising order."""
        if len(places) == 1:
            return places[0][1]
        middle = len(places) // 2
        upper, lower = self.search(places[middle:]), self.search(places[:middle])
        return self.test(AT_LEAST, places[middle][0], upper, lower)

    def decide(self, decision: Decision) -> int:
        """Go through rules in order; the last one has no conditions."""
        place = -1
        for rule in reversed(decision):
            otherwise, place = place, self.verdict(rule.verdict)
            for argument in reversed(rule.arguments):
                place = self._compare(argument, place, otherwise)
        return place

    def _compare(self, argument: Argument, yes: int, no: int) -> int:
        low, high = ARGS + 8 * argument.index, ARGS + 8 * argument.index + 4
        if argument.operator == "MASKED_EQ":  # value is the mask, value_two what must be left
            place = self._masked(low, argument.value & 0xFFFFFFFF, argument.value_two & 0xFFFFFFFF, yes, no)
            return self._masked(high, argument.value >> 32, argument.value_two >> 32, place, no)
        greater, smaller, code, answer = COMPARISONS[argument.operator]
        place = self.test(code, argument.value & 0xFFFFFFFF, *((yes, no) if answer else (no, yes)))
        place = self.load(low, place)
        place = self.test(EQUAL, argument.value >> 32, place, yes if smaller else no)
        if greater != smaller:
            place = self.test(GREATER, argument.value >> 32, yes if greater else no, place)
        return self.load(high, place)

    def _masked(self, offset: int, mask: int, wanted: int, yes: int, no: int) -> int:
        self.test(EQUAL, wanted, yes, no)
        return self.load(offset, self._put(AND, mask))

    def _put(self, code: int, k: int, yes: int = 0, no: int = 0) -> int:
        """struct sock_filter {__u16 code; __u8 jt; __u8 jf; __u32 k;}, in the byte order of both machines."""
        self._backwards.append(struct.pack("<HBBI", code, yes, no, k))
        return len(self._backwards)

    def _distance(self, place: int) -> int:
        """How many instructions the next one put must skip to get to `place`."""
        return len(self._backwards) - place

    def _fall_into(self, place: int) -> None:
        """Make `place` the next instruction, if need be by a jump to it."""
        if self._distance(place) != 0:
            self._put(GO, self._distance(place))

    def _near(self, place: int) -> int:
        """A place that a conditional jump can reach and that leads to `place`."""
        return place if self._distance(place) <= self.FAR else self._put(GO, self._distance(place))
