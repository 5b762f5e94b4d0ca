"""Which devices a container may use: OCI's `linux.resources.devices`, in the two forms that a cgroup takes.

A device node is only a name for two numbers, so whoever may make a node could reach every disk. That is why the
kernel asks the cgroup of a process at each open and mknod: cgroup v2 runs a small eBPF program (`assemble`), cgroup
v1 keeps a list (`v1_lines`). A later rule wins, letter by letter: after "deny rwm" and "allow m" a node may be made,
but not opened.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Rule = Mapping[str, Any]  # {"allow": bool, "type": "a", "b" or "c", "major": int, "minor": int, "access": "rwm"}

ANY = -1  # OCI: a number that is missing, or -1, means all
TYPES = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR of linux/bpf.h
ACCESS = {"m": 1, "r": 2, "w": 4}  # BPF_DEVCG_ACC_*
ALL_ACCESS = "rwm"


def v1_lines(rules: Sequence[Rule]) -> list[tuple[str, str]]:
    """(file, line) to write, in this order, into a cgroup's folder of the v1 `devices` controller.

    The list knows a default and exceptions, but no exception from an exception: there a deny that is narrower than
    an earlier allow has no effect. Source: kernel, Documentation/admin-guide/cgroup-v1/devices.rst.
    """
    return [("devices.allow" if rule["allow"] else "devices.deny", line) for rule in rules for line in _v1_rule(rule)]


def _v1_rule(rule: Rule) -> list[str]:
    kind, major, minor, access = _fields(rule)
    numbers = f"{_star(major)}:{_star(minor)}"
    if kind != "a":
        return [f"{kind} {numbers} {access}"]
    if (numbers, len(access)) == ("*:*", 3):
        return ["a *:* rwm"]
    return [f"{kind} {numbers} {access}" for kind in TYPES]  # a v1 list reads every line with `a` as "a *:* rwm"


def _star(number: int) -> str:
    return "*" if number == ANY else str(number)


def _fields(rule: Rule) -> tuple[str, int, int, str]:
    """Type, major, minor and access of a rule, what is missing filled in; ValueError for letters that mean nothing."""
    kind = {"": "a", "u": "c"}.get(rule.get("type") or "", rule.get("type") or "a")
    access = rule.get("access") or ALL_ACCESS
    if kind != "a" and kind not in TYPES:
        raise ValueError(f"device rule {dict(rule)}: type is one of a (all), b (block), c (character)")
    if set(access) - set(ACCESS):
        raise ValueError(f"device rule {dict(rule)}: access is made of r (read), w (write), m (mknod)")
    major, minor = (ANY if rule.get(key) is None else int(rule[key]) for key in ("major", "minor"))
    return kind, major, minor, access


# --- eBPF: linux/bpf.h and the kernel's Documentation/bpf/standardization/instruction-set.rst ---------------------

# The instructions in use. The machine has eleven registers; `k` is a constant in the instruction.
LOAD = 0x61  # register = the 32-bit word at source + offset
SET = 0xB7  # register = k
AND = 0x57  # register = register & k
SHIFT = 0x77  # register = register >> k
IF_EQUAL = 0x15  # skip `offset` instructions if register == k
IF_NOT_EQUAL = 0x55
IF_ANY_BIT = 0x45  # ... if register & k has a bit set
EXIT = 0x95

# The registers: the kernel passes a pointer to the question in r1 and takes the answer from r0.
ANSWER, QUESTION, TYPE, ASKED, MAJOR, MINOR = range(6)

# struct bpf_cgroup_dev_ctx {__u32 access_type; __u32 major; __u32 minor;}; access_type is access << 16 | type.
ACCESS_TYPE_AT, MAJOR_AT, MINOR_AT = 0, 4, 8


@dataclass(frozen=True)
class Instruction:
    """struct bpf_insn, with the name of a place where the machine has a distance."""

    code: int
    register: int = 0
    source: int = 0
    offset: int = 0
    k: int = 0
    to: str = ""

    def to_bytes(self, offset: int) -> bytes:
        return struct.pack("<BBhi", self.code, self.source << 4 | self.register, offset, self.k)


def assemble(rules: Sequence[Rule]) -> bytes:
    """The eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE) that enforces the rules: 8 bytes an instruction.

    It answers 1 for yes, 0 for EPERM; what no rule mentions is refused. Source: OCI runtime-spec,
    config-linux.md, Allowed Device list; kernel, Documentation/admin-guide/cgroup-v2.rst, Device controller.
    """
    code: list[Instruction] = []
    places: dict[str, int] = {}
    for item in _program(rules):
        if isinstance(item, str):
            places[item] = len(code)
        else:
            code.append(item)
    return b"".join(
        instruction.to_bytes(places[instruction.to] - place - 1 if instruction.to else instruction.offset)
        for place, instruction in enumerate(code)
    )


def _program(rules: Sequence[Rule]) -> Iterator[Instruction | str]:
    """Instructions, and names of places between them."""
    yield Instruction(LOAD, TYPE, QUESTION, ACCESS_TYPE_AT)
    yield Instruction(AND, TYPE, k=0xFFFF)
    yield Instruction(LOAD, ASKED, QUESTION, ACCESS_TYPE_AT)
    yield Instruction(SHIFT, ASKED, k=16)
    yield Instruction(LOAD, MAJOR, QUESTION, MAJOR_AT)
    yield Instruction(LOAD, MINOR, QUESTION, MINOR_AT)
    for number in reversed(range(len(rules))):  # the last one wins, so it is asked first
        rule, earlier = rules[number], f"before rule {number}"
        yield from _conditions(rule, earlier)
        yield from _decide(rule)
        yield earlier
    yield "deny"
    yield Instruction(SET, ANSWER, k=0)
    yield Instruction(EXIT)
    yield "allow"
    yield Instruction(SET, ANSWER, k=1)
    yield Instruction(EXIT)


def _conditions(rule: Rule, otherwise: str) -> Iterator[Instruction]:
    """Go on if the rule is about this device, else go to `otherwise`."""
    kind, major, minor, _ = _fields(rule)
    if kind != "a":
        yield Instruction(IF_NOT_EQUAL, TYPE, k=TYPES[kind], to=otherwise)
    if major != ANY:
        yield Instruction(IF_NOT_EQUAL, MAJOR, k=major, to=otherwise)
    if minor != ANY:
        yield Instruction(IF_NOT_EQUAL, MINOR, k=minor, to=otherwise)


def _decide(rule: Rule) -> Iterator[Instruction]:
    """A deny ends it if one of the accesses asked for is its own; an allow strikes its own off what is asked for,
    and ends it when nothing is left."""
    letters = sum(ACCESS[letter] for letter in set(_fields(rule)[3]))
    if not rule["allow"]:
        yield Instruction(IF_ANY_BIT, ASKED, k=letters, to="deny")
    else:
        yield Instruction(AND, ASKED, k=0b111 & ~letters)
        yield Instruction(IF_EQUAL, ASKED, k=0, to="allow")
