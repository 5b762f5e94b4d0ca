"""The rules for the packet filter: which, in which order, and that nobody else's are touched."""

import pytest

from labkit.engine.networks import firewall
from labkit.engine.networks.create import network
from labkit.engine.networks.firewall import (
    Firewall,
    Said,
    chain_name,
    comment_text,
    filter_rules,
    nat_rules,
    restore_text,
)

WEB = network({"Name": "web", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}}, "a" * 64, [])
INSIDE = network({"Name": "inside", "Internal": True}, "b" * 64, [])


def test_a_network_with_a_way_out():
    device = WEB.device
    assert list(filter_rules(WEB, ["eth0"])) == [
        f"-o {device} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-i {device} -o {device} -j ACCEPT",
        f"-o {device} -j DROP",
        f"-i {device} -o eth0 -j ACCEPT",
    ]
    assert list(nat_rules(WEB)) == [f"-s 10.9.0.0/24 ! -o {device} -j MASQUERADE"]


def test_an_internal_network_has_none():
    device = INSIDE.device
    rules = [f"-i {device} -o {device} -j ACCEPT", f"-o {device} -j DROP", f"-i {device} -j DROP"]
    assert list(filter_rules(INSIDE, ["eth0"])) == rules
    assert list(nat_rules(INSIDE)) == []


def test_every_rule_is_in_a_chain_of_ours_and_says_so():
    text = restore_text(chain_name("/s"), "/s", [WEB, INSIDE], ["eth0"])
    rules = [line for line in text.splitlines() if line.startswith("-")]
    assert len(rules) == 8
    assert all(rule.startswith(f"-A {chain_name('/s')} ") and '--comment "labkit /s"' in rule for rule in rules)
    assert text.count("COMMIT") == 2


def test_a_folders_name_cannot_become_a_rule():
    assert comment_text('/a b"; -j ACCEPT') == "labkit /a_b___-j_ACCEPT"
    assert len(comment_text("/" + "x" * 1000)) < 256
    assert len(chain_name("/any")) <= 28


class Commands:
    """Notes what would be run; `listing` is what `-S` prints, and `refuse` makes a command fail."""

    def __init__(self, refuse: str = "no such command", listing: str = "-P FORWARD ACCEPT\n") -> None:
        self.ran: list[str] = []
        self.refuse, self.listing = refuse, listing

    def __call__(self, command, text) -> Said:
        self.ran.append(" ".join(command))
        return Said(self.listing if "-S" in command else "", "refused" if command[0] == self.refuse else "")


@pytest.fixture(autouse=True)
def there(monkeypatch):
    monkeypatch.setattr(firewall.shutil, "which", lambda name: f"/sbin/{name}")


def test_rules_are_entered_once_and_all_taken_away():
    commands = Commands()
    rules = Firewall("/s", run=commands)
    rules.apply([WEB])
    rules.apply([WEB, INSIDE])
    assert [c for c in commands.ran if " -I " in c] == [
        f"iptables -w 10 -t {table} -I {hook} -m comment --comment labkit /s -j {rules.chain}"
        for table, hook in firewall.HOOKS
    ]
    commands.ran.clear()
    rules.remove()
    rules.remove()
    assert len(commands.ran) == 6, "from each of two tables: the entry, the rules, the chain"
    assert all(rules.chain in command for command in commands.ran)


def listed(owner: str, hook: str = "FORWARD") -> str:
    return f'-A {hook} -m comment --comment "{comment_text(owner)}" -j {chain_name(owner)}\n'


def test_an_entry_that_is_there_is_not_made_twice():
    commands = Commands(listing=listed("/s"))
    Firewall("/s", run=commands).apply([WEB])
    assert not [command for command in commands.ran if " -I " in command]


def test_rules_of_an_engine_that_is_no_more_are_swept(tmp_path):
    dead, alive, foreign = "/no/such/folder", str(tmp_path), "-A FORWARD -j DOCKER-USER\n"
    commands = Commands(listing=foreign + listed(dead) + listed(alive))
    Firewall("/s", run=commands).apply([WEB])
    removed = [command for command in commands.ran if " -D " in command or " -X " in command]
    assert len(removed) == 4
    assert all(chain_name(dead) in command for command in removed)


def test_while_its_bridge_stands_an_engine_may_live_elsewhere():
    """In a container with the host's network, say: there its folder has a path that is not ours."""
    rules = f"-A {chain_name('/elsewhere')} -i lo -o lo -j ACCEPT\n".replace("lo", "lkbridge")
    assert firewall.bridges(rules) == {"lkbridge"}
    commands = Commands(listing=listed("/elsewhere") + "-A X -o lk0 -j DROP\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(firewall.os.path, "exists", lambda path: path == "/sys/class/net/lk0")
        Firewall("/s", run=commands).apply([WEB])
    assert not [command for command in commands.ran if " -D " in command]


def test_what_iptables_refuses_is_told():
    commands = Commands("iptables-restore")
    rules = Firewall("/s", run=commands)
    rules.apply([WEB])
    assert "iptables refused: refused" in rules.warnings[0]
    rules.apply([WEB])
    rules.remove()
    assert len(commands.ran) == 1, "and not tried again"


def test_a_machine_without_iptables_says_what_that_means(monkeypatch):
    monkeypatch.setattr(firewall.shutil, "which", lambda name: None)
    rules = Firewall("/s", run=Commands())
    rules.apply([WEB])
    assert rules.warnings == [firewall.NO_COMMAND]


def test_forwarding_is_switched_on_when_it_is_needed_and_said(monkeypatch, tmp_path):
    (tmp_path / "ip_forward").write_text("0\n")
    monkeypatch.setattr(firewall, "FORWARDING", str(tmp_path / "ip_forward"))
    rules = Firewall("/s", run=Commands())
    rules.apply([WEB])
    assert rules.warnings == []
    rules.open_way()
    rules.open_way()
    assert (tmp_path / "ip_forward").read_text() == "1"
    assert rules.warnings == [firewall.SWITCHED_ON]


def test_rootless_forwards_nothing(monkeypatch, tmp_path):
    (tmp_path / "ip_forward").write_text("1\n")
    monkeypatch.setattr(firewall, "FORWARDING", str(tmp_path / "ip_forward"))
    commands = Commands()
    rules = Firewall("/s", rootless=True, run=commands)
    rules.apply([WEB])
    rules.open_way()
    assert ((tmp_path / "ip_forward").read_text(), commands.ran) == ("0", [])
    assert rules.warnings == [firewall.NO_OUTSIDE]
