"""The process tree's picture, text and table, from data made by hand."""

import json
import re
from dataclasses import replace

from labkit.views import process_tree
from tests.views.pictures import ALONE, ENDED, FAMILY, HOST


def picture(*groups):
    return process_tree.picture_of(groups, HOST)


def test_text_shows_parents_before_children_and_only_the_pid_that_is_always_1() -> None:
    text = process_tree.text_of(picture(ALONE, FAMILY, ENDED))
    assert text == "ProcessTree: one: 1 sleep | two: 1 sh > (sleep) + top | three: exited (137), no process"


def test_a_process_that_was_executed_from_outside_has_no_parent_inside() -> None:
    processes = picture(FAMILY)["containers"][0]["processes"]
    assert [(p["pid"], p["parent"]) for p in processes] == [(911, None), (912, 911), (950, None)]


def test_the_first_process_is_1_even_where_no_pid_inside_is_known() -> None:
    blind = replace(ALONE, processes=(replace(ALONE.processes[0], pid_inside=None),))
    assert process_tree.text_of(picture(blind)) == "ProcessTree: one: 1 sleep"


def test_namespaces_have_owners() -> None:
    said = process_tree.namespaces_said(picture(ALONE)["containers"][0]["namespaces"])
    assert said == "one: pid mnt net uts ipc; host: cgroup user"


def test_a_shared_namespace_belongs_to_the_first_that_has_it() -> None:
    """As after `docker run --network container:one`."""
    net = ALONE.processes[0].namespaces["net"]
    joined = tuple(replace(p, namespaces={**p.namespaces, "net": net}) for p in FAMILY.processes)
    second = picture(ALONE, replace(FAMILY, processes=joined))["containers"][1]
    assert "one: net" in process_tree.namespaces_said(second["namespaces"])


def test_the_engine_may_have_namespaces_of_its_own() -> None:
    """As a rootless engine has: its user namespace is neither the host's nor one container's."""
    user = {"user": 555}
    shim = replace(ALONE.parent, namespaces={**HOST, **user})
    first = replace(ALONE.processes[0], namespaces={**ALONE.processes[0].namespaces, **user})
    shown = picture(replace(ALONE, parent=shim, processes=(first,)))
    assert "engine: user" in process_tree.namespaces_said(shown["containers"][0]["namespaces"])
    assert shown["owners"] == ["one", "engine", "host"]


def test_an_engine_elsewhere_has_no_known_host() -> None:
    far = replace(ALONE, parent=replace(ALONE.parent, namespaces={}))
    assert picture(far)["owners"] == ["one"]


def test_only_namespaces_that_differ_are_told_of_a_process() -> None:
    unshared = replace(FAMILY.processes[1], namespaces={**FAMILY.processes[1].namespaces, "mnt": 9})
    shown = picture(replace(FAMILY, processes=(FAMILY.processes[0], unshared)))
    first, second = shown["containers"][0]["processes"]
    assert first["namespaces"] == []
    assert [namespace["kind"] for namespace in second["namespaces"]] == ["mnt"]


def test_the_table_marks_what_differs_from_run_to_run() -> None:
    table = process_tree.table_of(picture(ALONE, FAMILY, ENDED))
    assert re.findall(r'<td class="lk-host-pid">(.*?)</td>', table) == ["901", "911", "912", "950"]
    assert re.findall(r'<td class="lk-pid-inside">(.*?)</td>', table) == ["7", "30"]
    assert table.count("<td>1</td>") == 2
    plain = re.sub(r'<td class="lk-.*?</td>', "", table)
    assert not re.search(r"\d{3}", plain.replace("137", "").replace("600", ""))


def test_signals_that_were_sent_are_shown_by_name() -> None:
    signals = {ALONE.container.id: [process_tree.signal_name("15"), process_tree.signal_name("9")]}
    shown = process_tree.picture_of([ALONE, FAMILY], HOST, signals)
    assert [container["signals"] for container in shown["containers"]] == [["SIGTERM", "SIGKILL"], []]
    assert process_tree.signal_name("RTMIN") == "RTMIN"


def test_each_running_container_names_its_command() -> None:
    assert [c["docker"] for c in picture(ALONE, ENDED)["commands"]] == ["docker top one"]


def test_a_picture_is_plain_data() -> None:
    shown = picture(ALONE, FAMILY, ENDED)
    assert json.loads(json.dumps(shown)) == shown
