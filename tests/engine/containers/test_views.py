"""Inspect, the rows of `docker ps`, and the words of a status."""

import pytest

from labkit.engine.containers import views
from labkit.engine.containers.record import State
from labkit.engine.containers.views import Around
from tests.engine.containers.fakes import make_container

AROUND = Around("/state/containers/1", "overlay2", {"UpperDir": "/up"}, {"bridge": "b" * 64, "none": "n" * 64})
START, END = "2026-01-01T12:00:00Z", "2026-01-01T12:01:00Z"
NOW = 1767268920.0  # 12:02:00

STATUSES = [
    (State("created"), "Created"),
    (State("running", started_at=START), "Up 2 minutes"),
    (State("paused", started_at=START), "Up 2 minutes (Paused)"),
    (State("restarting", exit_code=3, finished_at=END), "Restarting (3) About a minute ago"),
    (State("exited", exit_code=137, finished_at=END), "Exited (137) About a minute ago"),
    (State("removing"), "Removal In Progress"),
    (State("dead"), "Dead"),
]


@pytest.mark.parametrize(("state", "words"), STATUSES, ids=lambda value: getattr(value, "status", ""))
def test_status(state, words):
    assert views.status(make_container(state=state), NOW) == words


def test_up_for_less_than_a_second():
    assert views.status(make_container(state=State("running", started_at="2026-01-01T12:01:59.5Z")), NOW) == (
        "Up Less than a second"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["sh", "-c", "echo hi; sleep 1"], "sh -c 'echo hi; sleep 1'"),
        (["echo", "it's"], "echo 'it'\\''s'"),
        (["true", ""], "true ''"),
        (["/bin/ls", "-l", "a=b"], "/bin/ls -l a=b"),
    ],
)
def test_quoting(words, line):
    assert views.quoted(words) == line


def test_path_and_args_are_entrypoint_and_command():
    shown = views.inspect(make_container(config={"Entrypoint": ["/entry", "-x"], "Cmd": ["a"]}), AROUND)
    assert (shown["Path"], shown["Args"]) == ("/entry", ["-x", "a"])


FLAGS = {  # Running, Paused, Restarting, Dead
    "created": (False, False, False, False),
    "running": (True, False, False, False),
    "paused": (True, True, False, False),
    "restarting": (True, False, True, False),
    "exited": (False, False, False, False),
    "dead": (False, False, False, True),
}


@pytest.mark.parametrize(("status", "flags"), FLAGS.items())
def test_flags_of_a_state(status, flags):
    seen = views.state(make_container(state=State(status)))
    assert (seen["Running"], seen["Paused"], seen["Restarting"], seen["Dead"]) == flags


def test_inspect_keeps_what_the_engine_does_not_know():
    shown = views.inspect(
        make_container(host={"Unheard": {"Of": 1}, "LogConfig": {"Config": {"max-size": "1m"}}}), AROUND
    )
    assert shown["HostConfig"]["Unheard"] == {"Of": 1}
    assert shown["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m"}}


def test_inspect_names_the_files():
    shown = views.inspect(make_container(), AROUND)
    assert shown["HostsPath"] == "/state/containers/1/hosts"
    assert shown["LogPath"] == "/state/containers/1/log.json"
    assert shown["GraphDriver"] == {"Name": "overlay2", "Data": {"UpperDir": "/up"}}


def test_the_address_stands_in_both_places():
    now = {"bridge": {"ip": "10.0.0.2", "prefix": 16, "gateway": "10.0.0.1", "mac": "02:42:0a:00:00:02"}}
    container = make_container(endpoints={"bridge": {}}, attached=now, state=State("running", 77))
    shown = views.network_settings(container, AROUND)
    assert shown["IPAddress"] == shown["Networks"]["bridge"]["IPAddress"] == "10.0.0.2"
    assert shown["Networks"]["bridge"]["NetworkID"] == "b" * 64


def test_mounts_are_sorted_and_say_whether_they_can_be_written():
    mounts = [
        {
            "type": "bind",
            "source": "/b",
            "destination": "/z",
            "mode": "ro",
            "writable": False,
            "propagation": "rprivate",
        },
        {"type": "tmpfs", "destination": "/a", "options": "noexec"},
    ]
    first, second = views.mounts(make_container(mounts=mounts))
    assert (first["Destination"], first["Type"], first["Source"]) == ("/a", "tmpfs", "")
    assert (second["RW"], second["Mode"], second["Propagation"], second["Source"]) == (False, "ro", "rprivate", "/b")


def test_a_row():
    row = views.summary(make_container(state=State("running", 7, started_at=START)), AROUND, "busybox", NOW)
    assert row["Names"] == ["/merry_teapot"]
    assert row["Command"] == "sleep 600"
    assert row["Status"] == "Up 2 minutes"
    assert row["Labels"] == {"colour": "blue"}


def test_ports_show_while_it_runs():
    container = make_container(ports={"80/tcp": None})
    assert views.ports(container) == []
    container.state.status = "running"
    assert views.ports(container) == [{"PrivatePort": 80, "Type": "tcp"}]


def test_an_event_carries_labels_image_and_name():
    assert views.event_attributes(make_container(), exitCode=3) == {
        "colour": "blue",
        "image": "busybox",
        "name": "merry_teapot",
        "exitCode": "3",
    }
