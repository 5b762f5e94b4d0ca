"""The overlay walk: how a path is looked for in layers, the four cases, and how the picture reads."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.provenance import LayerFiles, Step, origin_in_container, walk
from labkit.views import overlay_walk
from tests.views.pictures import FIXED, GONE, state
from tests.views.samples import COPIED_UP, HIDDEN, READ_THROUGH, walk_of

PATH = "/etc/motd"
LOWER = LayerFiles(paths=frozenset({"/etc", PATH}))
EMPTY = LayerFiles()
HIDES = LayerFiles(whiteouts=frozenset({PATH}))


# --- the walk itself ----------------------------------------------------------------------------------


def test_a_walk_goes_from_the_own_layer_down_to_the_first_that_holds_the_path() -> None:
    assert walk(PATH, [LOWER, EMPTY], []) == READ_THROUGH
    assert walk(PATH, [LOWER, EMPTY], [(PATH, "changed")]) == COPIED_UP
    assert walk(PATH, [LOWER, EMPTY], [(PATH, "deleted")]) == HIDDEN


def test_a_deleted_folder_hides_what_was_in_it() -> None:
    assert walk(PATH, [LOWER], [("/etc", "deleted")])[0].holds == "whiteout"


LAYERS = st.sampled_from([LOWER, EMPTY, HIDES, LayerFiles(opaque=frozenset({"/etc"}))])
CHANGES = st.sampled_from([[], [(PATH, "added")], [(PATH, "changed")], [(PATH, "deleted")], [("/etc", "deleted")]])


@given(st.lists(LAYERS, max_size=5), CHANGES)
def test_a_walk_ends_where_the_path_comes_from(layers: list[LayerFiles], changes: list[tuple[str, str]]) -> None:
    """Two ways to the same answer: step by step here, at once in `origin_in_container`."""
    origin = origin_in_container(PATH, layers, changes)
    steps = walk(PATH, layers, changes)
    end = [step for step in steps if step.reached][-1]
    kinds = {"file": "image" if end.layer else "own", "whiteout": "deleted", "nothing": "absent"}
    if origin.kind == "absent" and end.holds == "whiteout":
        return  # a whiteout that hides nothing: gone either way
    assert kinds[end.holds] == origin.kind
    assert origin.kind != "image" or end.layer == origin.layer


# --- the four cases -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "changes", "case"),
    [
        ([LOWER], [], "read-through"),
        ([LOWER], [(PATH, "changed")], "copy-up"),
        ([EMPTY], [(PATH, "added")], "new file"),
        ([LOWER, HIDES], [(PATH, "added")], "new file"),
        ([LOWER], [(PATH, "deleted")], "whiteout"),
        ([LOWER, HIDES], [], "whiteout"),
        ([EMPTY], [], "absent"),
    ],
)
def test_cases(layers: list[LayerFiles], changes: list[tuple[str, str]], case: str) -> None:
    assert overlay_walk.case_of(walk(PATH, layers, changes)) == case


def test_every_case_with_layers_says_what_each_act_would_do() -> None:
    assert overlay_walk.NEXT.keys() == {*overlay_walk.FOUR, "absent"}
    assert all(row.keys() == overlay_walk.ACTS.keys() for row in overlay_walk.NEXT.values())


def test_what_lies_in_a_mount_is_in_no_layer() -> None:
    mounted = replace(state("one", FIXED), mounts=("/data",))
    shown = overlay_walk.picture_of(mounted, FIXED, "/data/file", READ_THROUGH)
    assert (shown["case"], shown["steps"], shown["acts"]) == ("mount", [], [])


# --- how it reads -------------------------------------------------------------------------------------


def test_text() -> None:
    assert overlay_walk.text_of(walk_of(READ_THROUGH)) == (
        "OverlayWalk: /etc/motd in one: read-through"
        " | own layer of one: nothing > image layer 2: nothing > image layer 1: file"
    )
    assert overlay_walk.text_of(walk_of(HIDDEN)).endswith("whiteout | own layer of one: whiteout")
    gone = overlay_walk.picture_of(GONE.container, None, PATH, None)
    assert overlay_walk.text_of(gone) == "OverlayWalk: /etc/motd in four: removed"


def test_the_table_shows_the_walk_and_what_would_happen() -> None:
    table = overlay_walk.table_of(walk_of(READ_THROUGH))
    assert table.count("<table") == 2
    assert "Copy-up: the kernel first copies the file from image layer 1" in table
    assert "docker exec one sh -c &#x27;echo changed &gt;&gt; /etc/motd&#x27;" in table


def test_a_path_can_not_break_out_of_its_command() -> None:
    shown = overlay_walk.picture_of(state("one", FIXED), FIXED, "/tmp/$(x); rm", (Step(None, "file"),))
    assert "'/tmp/$(x); rm'" in shown["acts"][0]["docker"]
    assert overlay_walk.ACTS["write"]("/a b") == ["sh", "-c", "echo changed >> '/a b'"]


def test_acts_are_possible_only_while_it_runs() -> None:
    stopped = overlay_walk.picture_of(state("one", FIXED, "exited", 0), FIXED, PATH, COPIED_UP)
    assert [act["possible"] for act in stopped["acts"]] == [False] * 3


def test_a_picture_is_plain_data() -> None:
    shown = walk_of(COPIED_UP)
    assert json.loads(json.dumps(shown)) == shown
