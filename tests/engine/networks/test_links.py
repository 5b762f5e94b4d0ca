"""Links on the default bridge: what a container learns of another."""

from labkit.engine.networks import links
from labkit.engine.networks.links import Linked

DB = Linked("0123456789abcdef", "db", "172.17.0.2", ["PATH=/bin", "HOME=/", "USER=me", "BARE"], ["5432/tcp", "53/udp"])


def test_forms_of_a_link():
    assert links.parse("db:database") == ("db", "database")
    assert links.parse("db") == ("db", "db")
    assert links.parse("/db:/web/database") == ("db", "database")


def test_variables_as_docker_has_them():
    assert list(links.environment("web", "my-db", DB)) == [
        "MY_DB_NAME=/web/my-db",
        "MY_DB_PORT=udp://172.17.0.2:53",
        "MY_DB_PORT_53_UDP=udp://172.17.0.2:53",
        "MY_DB_PORT_53_UDP_ADDR=172.17.0.2",
        "MY_DB_PORT_53_UDP_PORT=53",
        "MY_DB_PORT_53_UDP_PROTO=udp",
        "MY_DB_PORT_5432_TCP=tcp://172.17.0.2:5432",
        "MY_DB_PORT_5432_TCP_ADDR=172.17.0.2",
        "MY_DB_PORT_5432_TCP_PORT=5432",
        "MY_DB_PORT_5432_TCP_PROTO=tcp",
        "MY_DB_ENV_USER=me",
    ]


def test_names_in_the_hosts_file():
    assert links.host_names("database", DB) == "database 0123456789ab db"
    assert links.host_names("db", DB) == "db 0123456789ab"


def test_what_inspect_shows():
    assert links.shown({"database": "id", "gone": "x"}, "web", {"id": "db"}) == ["/db:/web/database"]
