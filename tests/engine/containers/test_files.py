"""The three files that the engine lends: hosts, hostname, resolv.conf."""

from labkit.engine.containers import files


def test_hosts_end_with_the_containers_own_address():
    lines = files.hosts("web", ["10.0.0.2"], ["db:10.0.0.9", "up:host-gateway"], "10.0.0.1").splitlines()
    assert lines[0] == "127.0.0.1\tlocalhost"
    assert lines[-3:] == ["10.0.0.9\tdb", "10.0.0.1\tup", "10.0.0.2\tweb"]


def test_hosts_with_a_domain():
    """Its own line has both names, on each network that it is on."""
    text = files.hosts("web.lab web", ["10.0.0.2", "10.1.0.2"], [], "")
    assert text.endswith("10.0.0.2\tweb.lab web\n10.1.0.2\tweb.lab web\n")


def test_hosts_without_a_network():
    assert "web" not in files.hosts("web", [], [], "")


def test_a_resolver_on_the_hosts_loopback_is_of_no_use():
    text = files.resolv_conf("nameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch lab\noptions edns0\n# no\n", {})
    assert text == "nameserver 9.9.9.9\nsearch lab\noptions edns0\n"


def test_without_any_resolver_dockers_are_taken():
    assert files.resolv_conf("", {}) == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"


def test_what_was_asked_for_wins():
    asked = {"Dns": ["1.1.1.1"], "DnsSearch": ["."], "DnsOptions": ["ndots:1"]}
    assert files.resolv_conf("nameserver 9.9.9.9\nsearch lab\n", asked) == "nameserver 1.1.1.1\noptions ndots:1\n"


def test_files_are_written_in_place(tmp_path):
    files.write(str(tmp_path), "hosts", "one\n")
    before = (tmp_path / "hosts").stat().st_ino
    files.write(str(tmp_path), "hosts", "two\n")
    assert (tmp_path / "hosts").read_text() == "two\n"
    assert (tmp_path / "hosts").stat().st_ino == before  # a mount holds the file, not its name
    assert (tmp_path / "hosts").stat().st_mode & 0o777 == 0o644
