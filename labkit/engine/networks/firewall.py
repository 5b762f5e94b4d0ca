"""What of the machine's packet filter Docker's networks need: iptables(8), in a chain of our own.

For each network that is a bridge, and for packets that are *forwarded* (those from and to this machine itself are
none of ours):

    answers may come in                        so that a container may begin a conversation
    containers of the network reach each other where the kernel shows bridged packets to iptables
    nothing else comes in                      networks are kept apart from each other, and from the neighbours
    out it goes through the default route      and there, in this machine's name (masquerade)

Every rule and chain bears a comment that names this engine; only those are ever touched. An internal network has no
way out. In a network namespace of our own (rootless) there is nothing outside, so forwarding is switched off.

Left out: nftables where there is no iptables command, and firewalld's zones.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from labkit.engine.networks import pools
from labkit.engine.networks.record import Network

log = logging.getLogger(__name__)

FORWARDING = "/proc/sys/net/ipv4/ip_forward"
SECONDS = 20
LOCK_SECONDS = "10"  # iptables-restore -w: others may be changing rules, too

NO_COMMAND = (
    "no iptables command: containers have no way out of this machine, and networks are kept apart only while it "
    "forwards no packets (net.ipv4.ip_forward=0)"
)
NO_OUTSIDE = "rootless: containers reach each other and published ports, and have no way out of this machine"
SWITCHED_ON = "packet forwarding was off and is on now (net.ipv4.ip_forward=1), as containers need it for the way out"


class Said(NamedTuple):
    """What a command printed, and what it complained of: empty when all went well."""

    printed: str = ""
    failed: str = ""


Run = Callable[[Sequence[str], str], Said]
"""(command, standard input) -> what it said."""


def run(command: Sequence[str], text: str = "") -> Said:
    """Run a command of iptables."""
    try:
        said = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as failed:
        return Said("", str(failed))
    failed_with = said.stderr.strip() or f"exit status {said.returncode}"
    return Said(said.stdout, failed_with if said.returncode else "")


# --- the rules: pure ---------------------------------------------------------------------------------------------


def chain_name(owner: str) -> str:
    """A name of our own for the engine of a state folder; iptables allows 28 letters."""
    return "LABKIT-" + hashlib.sha256(owner.encode()).hexdigest()[:10]


def _comment(owner: str) -> str:
    return f'-m comment --comment "{comment_text(owner)}"'


def comment_text(owner: str) -> str:
    """What tells that a rule is ours, and whose: the engine's state folder, as far as iptables can quote it."""
    return "labkit " + re.sub(r"[^\w/.-]", "_", owner, flags=re.ASCII)[-200:]


def filter_rules(network: Network, uplinks: Sequence[str]) -> Iterator[str]:
    """What may be forwarded to and from a network's bridge, in order."""
    device = network.device
    if network.external:
        yield f"-o {device} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    yield f"-i {device} -o {device} -j ACCEPT"
    yield f"-o {device} -j DROP"
    if network.external:
        # no further: where else it may go is for the machine's own rules to say
        yield from (f"-i {device} -o {uplink} -j ACCEPT" for uplink in uplinks)
    else:
        yield f"-i {device} -j DROP"


def nat_rules(network: Network) -> Iterator[str]:
    """Packets that leave get this machine's address, or no answer would find its way back."""
    if network.external and network.masquerade and network.plan:
        yield f"-s {network.plan.subnet} ! -o {network.device} -j MASQUERADE"


def restore_text(chain: str, owner: str, networks: Sequence[Network], uplinks: Sequence[str]) -> str:
    """The input of iptables-restore(8) that fills our chains, whatever was in them before."""
    tables = {
        "filter": [rule for network in networks for rule in filter_rules(network, uplinks)],
        "nat": [rule for network in networks for rule in nat_rules(network)],
    }
    lines = []
    for table, rules in tables.items():
        lines += [f"*{table}", f":{chain} - [0:0]"]
        lines += [f"-A {chain} {rule} {_comment(owner)}" for rule in rules]
        lines.append("COMMIT")
    return "\n".join(lines) + "\n"


_ENTRY = re.compile(r'-A \w+ -m comment --comment "labkit ([^"]+)" -j (LABKIT-[0-9a-f]{10})')
_DEVICE = re.compile(r"-[io] (lk[\w-]+)")


def entries(listing: str) -> list[tuple[str, str]]:
    """(state folder, chain) of each engine of ours that `iptables -S` shows to be entered from a chain."""
    return [(owner, chain) for owner, chain in _ENTRY.findall(listing) if chain == chain_name(owner)]


def bridges(listing: str) -> set[str]:
    """The bridges that the rules of one of our chains are about."""
    return set(_DEVICE.findall(listing))


# --- applying them -----------------------------------------------------------------------------------------------

HOOKS = (("filter", "FORWARD"), ("nat", "POSTROUTING"))
"""(table, chain of the kernel's) from where our chains are entered."""


class Firewall:
    """The rules of one engine. `owner` names it in their comments."""

    def __init__(self, owner: str, *, rootless: bool = False, run: Run = run) -> None:
        self.owner, self.chain = owner, chain_name(owner)
        self.warnings: list[str] = []
        self._run, self._hooked, self._open = run, False, False
        self._usable = not rootless and shutil.which("iptables-restore") is not None
        if rootless:
            self._alone()
        elif not self._usable:
            self.warnings.append(NO_COMMAND)

    def _alone(self) -> None:
        """In a namespace of our own, networks are kept apart by forwarding nothing: the host's setting was copied."""
        self.warnings.append(NO_OUTSIDE)
        try:
            _write(FORWARDING, "0")
        except OSError as refused:
            self.warnings.append(f"networks are not kept apart: {FORWARDING}: {refused.strerror}")

    def apply(self, networks: Sequence[Network]) -> None:
        """Let the rules be those of these networks. What is refused is told in `warnings`."""
        if not self._usable:
            return
        uplinks = pools.uplinks(pools.host_routes())
        text = restore_text(self.chain, self.owner, networks, uplinks)
        failed = self._run(["iptables-restore", "--noflush", "-w", LOCK_SECONDS], text).failed or self._hook()
        if failed:
            self._usable = False
            self._warn(f"iptables refused: {failed.splitlines()[0]}; {NO_COMMAND.partition(': ')[2]}")

    def _hook(self) -> str:
        """Enter our chains from the kernel's, once, before anybody else's rules."""
        if self._hooked:
            return ""
        for table, hook in HOOKS:
            listing = self._iptables(table, "-S", hook)
            there = entries(listing.printed)
            failed = listing.failed
            if not failed and self.chain not in [chain for _, chain in there]:
                failed = self._iptables(table, "-I", *_entry(hook, self.owner)).failed
            if failed:
                return failed
            self._sweep(table, hook, there)
        self._hooked = True
        return ""

    def _iptables(self, table: str, *arguments: str) -> Said:
        return self._run(["iptables", "-w", LOCK_SECONDS, "-t", table, *arguments], "")

    def _sweep(self, table: str, hook: str, there: Sequence[tuple[str, str]]) -> None:
        """Take away what an engine left that was killed and whose state folder and bridges are gone."""
        for owner, chain in there:
            if not os.path.exists(owner):
                of_whom = bridges(self._iptables("filter", "-S", chain).printed)
                if not any(os.path.exists(f"/sys/class/net/{device}") for device in of_whom):
                    log.info("removing the rules of an engine that is no more, %s", owner)
                    self._forget(table, hook, owner)

    def _forget(self, table: str, hook: str, owner: str) -> None:
        chain = chain_name(owner)
        for change in (["-D", *_entry(hook, owner)], ["-F", chain], ["-X", chain]):
            if failed := self._iptables(table, *change).failed:
                log.warning("iptables %s: %s", " ".join(change), failed)

    def open_way(self) -> None:
        """A container is about to need the way out: let this machine forward packets, if it doesn't yet."""
        if self._open or not self._usable:
            return
        self._open = True
        try:
            with open(FORWARDING) as file:
                if file.read(1) == "1":
                    return
            _write(FORWARDING, "1")
            self._warn(SWITCHED_ON)
        except OSError as refused:
            self._warn(f"containers have no way out: {FORWARDING}: {refused.strerror}")

    def _warn(self, words: str) -> None:
        log.warning("%s", words)
        if words not in self.warnings:
            self.warnings.append(words)

    def remove(self) -> None:
        """Take our rules and chains away. Nothing happens where there are none."""
        if not self._hooked:
            return
        for table, hook in HOOKS:
            self._forget(table, hook, self.owner)
        self._hooked = False


def _entry(hook: str, owner: str) -> list[str]:
    """The rule of a kernel's chain that enters ours."""
    return [hook, "-m", "comment", "--comment", comment_text(owner), "-j", chain_name(owner)]


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
