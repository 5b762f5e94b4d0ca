"""The namespaces' picture, text and table: who shares what, and what differs from the host's."""

import json
import re
from dataclasses import replace

from labkit.processes import NAMESPACES, ProcessGroup
from labkit.views import namespaces
from tests.views.pictures import ALONE, ENDED, FAMILY, HOST
from tests.views.samples import joined


def picture(*groups: ProcessGroup):
    return namespaces.picture_of(groups, HOST)


def row(shown, kind: str) -> list[str]:
    found = next(row for row in shown["kinds"] if row["kind"] == kind)
    return [cell["owner"] for cell in found["cells"]]


def test_every_kind_of_the_kernel_is_a_row() -> None:
    assert namespaces.KINDS.keys() == set(NAMESPACES)
    assert [row["kind"] for row in picture(ALONE)["kinds"]] == list(namespaces.KINDS)


def test_the_host_stands_first_and_what_differs_has_an_owner() -> None:
    shown = picture(ALONE, FAMILY)
    assert [column["of"] for column in shown["columns"]] == ["host", "one", "two"]
    assert row(shown, "mnt") == ["host", "one", "two"]
    assert row(shown, "user") == ["host", "host", "host"]


def test_a_shared_namespace_is_the_first_ones() -> None:
    shown = picture(ALONE, joined(FAMILY, "net", ALONE))
    assert row(shown, "net") == ["host", "one", "one"]
    assert namespaces.text_of(shown).endswith("two: own pid mnt uts ipc; one's net")


def test_on_another_machine_the_settings_tell_what_is_the_hosts() -> None:
    """The engine in a virtual machine: which namespaces its host is in can't be seen from here."""
    away = replace(ALONE, parent=None)
    shared = replace(away, container=replace(away.container, shared=frozenset({"net"})))
    assert namespaces.text_of(namespaces.picture_of([away], HOST)) == "Namespaces: one: own pid mnt net uts ipc"
    assert namespaces.text_of(namespaces.picture_of([shared], HOST)).endswith(
        "one: own pid mnt uts ipc; the host's net"
    )


def test_a_process_that_left_a_namespace_has_a_column_of_its_own() -> None:
    last = replace(FAMILY.processes[2], namespaces={**FAMILY.processes[2].namespaces, "mnt": 77})
    shown = picture(replace(FAMILY, processes=(*FAMILY.processes[:2], last)))
    assert [column["processes"] for column in shown["columns"][1:]] == [
        ["/bin/sh -c 'sleep 5 & wait'", "sleep 5"],
        ["top"],
    ]
    assert namespaces.text_of(shown) == "Namespaces: two: own pid mnt net uts ipc; 1 further set of namespaces"


def test_a_rootless_engine_stands_between_the_host_and_the_containers() -> None:
    shim = replace(ALONE.parent, namespaces={**HOST, "user": 555, "net": 556})
    first = replace(ALONE.processes[0], namespaces={**ALONE.processes[0].namespaces, "user": 555})
    shown = picture(replace(ALONE, parent=shim, processes=(first,)))
    assert [column["of"] for column in shown["columns"]] == ["host", "engine", "one"]
    assert row(shown, "user") == ["host", "engine", "engine"]
    assert "engine" not in namespaces.text_of(shown), "the text is the same whoever runs the engine"


def test_text_of_one_that_has_ended() -> None:
    assert namespaces.text_of(picture(ALONE, ENDED)) == (
        "Namespaces: one: own pid mnt net uts ipc | three: exited (137), no process"
    )


def test_the_table_marks_what_depends_on_the_engine() -> None:
    table = namespaces.table_of(picture(ALONE, FAMILY, ENDED))
    assert len(re.findall('<td class="lk-namespaces">', table)) == 4  # cgroup and user, for two containers
    assert '<tr><th scope="row">net</th><td>interfaces and ports</td><td>own</td><td>own</td></tr>' in table
    assert "three is exited (137)" in table


def test_an_engine_that_tells_no_namespaces() -> None:
    blind = replace(ALONE, processes=(replace(ALONE.processes[0], namespaces={}),), parent=None)
    assert "not known pid mnt" in namespaces.text_of(picture(blind))


def test_many_processes_are_one_column() -> None:
    crowd = tuple(replace(FAMILY.processes[1], pid=1000 + n) for n in range(200))
    shown = picture(replace(FAMILY, processes=(FAMILY.processes[0], *crowd)))
    assert [len(column["processes"]) for column in shown["columns"]] == [1, 201]


def test_a_picture_is_plain_data() -> None:
    shown = picture(ALONE, FAMILY, ENDED)
    assert json.loads(json.dumps(shown)) == shown
