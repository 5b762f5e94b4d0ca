"""Services from an engine's answers, and what a second look makes of one that is gone or replaced."""

from labkit.topology import Connection, Service, parse_service, succeed

ATTRS = {
    "Id": "abcdef0123456789",
    "Name": "/web",
    "Image": "sha256:1",
    "Created": "2025-01-01T00:00:00.25Z",
    "Config": {"Image": "shop/web:latest"},
    "State": {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy"}},
    "NetworkSettings": {
        "Networks": {"shop": {"IPAddress": "172.18.0.2", "Aliases": ["www", "abcdef012345"]}},
        "Ports": {"80/tcp": [{"HostPort": "8080"}, {"HostPort": "8080"}], "81/tcp": None},
    },
}


def service(name: str, ident: str, created: str = "", **more) -> Service:
    return Service(ident, name, "shop/web", "running", created, **more)


def test_a_service_is_a_container_seen_from_the_network() -> None:
    found = parse_service(ATTRS)
    assert (found.name, found.image, found.status, found.exit_code) == ("web", "shop/web", "running", None)
    assert found.health == "healthy"
    assert found.connections == (Connection("shop", "172.18.0.2", ("web", "www")),), "the short id is no name of ours"
    assert found.ports == ("8080->80/tcp",)
    assert found.created == "2025-01-01T00:00:00.250000000Z"


def test_no_health_check_is_no_health() -> None:
    assert parse_service({**ATTRS, "State": {"Status": "running", "Health": {"Status": "none"}}}).health == ""
    assert parse_service({**ATTRS, "State": {"Status": "exited", "ExitCode": 137}}).exit_code == 137


def test_the_oldest_stands_first() -> None:
    assert list(succeed({}, [service("b", "2", "2025"), service("a", "1", "2024")])) == ["a", "b"]


def test_one_that_is_gone_keeps_its_place() -> None:
    first = succeed({}, [service("web", "1"), service("auth", "2", connections=(Connection("shop"),))])
    later = succeed(first, [service("web", "1")])
    assert list(later) == ["web", "auth"]
    assert (later["auth"].status, later["auth"].connections) == ("removed", ())


def test_another_container_of_that_name_is_a_replacement_for_good() -> None:
    first = succeed({}, [service("web", "1")])
    second = succeed(first, [service("web", "2")])
    assert not first["web"].replaced and second["web"].replaced
    assert succeed(second, [service("web", "2")])["web"].replaced
