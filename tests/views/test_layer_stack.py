"""The layer stack's picture, text and table, from data made by hand: the same whatever engine the data came from."""

import json
import re

from labkit import observe
from labkit.provenance import Origin
from labkit.views import layer_stack
from tests.views.pictures import BASE, FIXED, GONE, ONE, THREE, TWO


def picture(*tops: observe.ReadWriteLayer, images=(BASE,), path: str | None = None):
    stack = observe.Stack(images, tops, path, {image.id: Origin("image", 1) for image in images} if path else {})
    return layer_stack.picture_of(stack)


def test_text_counts_what_each_container_changed() -> None:
    text = layer_stack.text_of(picture(ONE, TWO))
    assert text == "LayerStack: image labkit/base (1 layer, read-only) | one: +1 ~1 -0 | two: +0 ~0 -1"


def test_text_says_where_a_path_comes_from() -> None:
    text = layer_stack.text_of(picture(ONE, TWO, THREE, images=(BASE, FIXED), path="/etc/motd"))
    assert text.endswith("| /etc/motd: one in its own layer, two deleted, hidden by a whiteout, three in image layer 1")


def test_text_of_a_removed_container() -> None:
    assert layer_stack.text_of(picture(GONE)).endswith("| four: removed, its layer is gone")


def test_a_layer_that_two_images_share_is_there_once() -> None:
    layers = picture(ONE, THREE, images=(BASE, FIXED))["layers"]
    assert [(layer["number"], layer["images"]) for layer in layers] == [
        (1, ["labkit/base", "labkit/fixed"]),
        (2, ["labkit/fixed"]),
    ]
    assert layers[1]["below"] == layers[0]["key"]


def test_each_container_stands_on_its_images_top_layer() -> None:
    shown = picture(ONE, THREE, images=(BASE, FIXED))
    lower, upper = shown["layers"]
    assert [container["below"] for container in shown["containers"]] == [lower["key"], upper["key"]]


def test_a_layer_knows_who_sees_the_path_in_it() -> None:
    layer = picture(ONE, TWO, THREE, images=(BASE, FIXED), path="/etc/motd")["layers"][0]
    assert (layer["seen_by"], layer["covered_for"]) == (["three"], ["one", "two"])


def test_an_image_without_a_container_looks_for_the_path_itself() -> None:
    assert picture(path="/etc/motd")["layers"][0]["seen_by"] == ["image labkit/base"]


def test_the_table_has_no_ids_and_marks_its_sizes() -> None:
    table = layer_stack.table_of(picture(ONE, TWO, path="/etc/motd"))
    assert "sha256" not in table and "oneone" not in table
    assert re.findall(r'<td class="lk-size">(.*?)</td>', table) == ["1.32 kB", "0 B", "1.98 MB"]
    assert "~ /etc/motd" in table and "in its own layer" in table
    assert table == layer_stack.table_of(picture(ONE, TWO, path="/etc/motd"))


def test_names_from_outside_are_escaped() -> None:
    sly = observe.ReadWriteLayer(ONE.container, (observe.Change("/<script>", "added"),))
    assert "<script>" not in layer_stack.table_of(picture(sly))


def test_many_paths_are_cut_in_the_table() -> None:
    many = observe.ReadWriteLayer(ONE.container, tuple(observe.Change(f"/{n:04}", "added") for n in range(2000)))
    shown = picture(many)
    assert "and 1980 more" in layer_stack.table_of(shown)
    assert len(shown["containers"][0]["changes"]) == 2000


def test_each_part_names_its_command() -> None:
    commands = picture(ONE)["commands"]
    assert [command["docker"] for command in commands] == ["docker diff one", "docker history labkit/base"]
    assert commands[0]["sdk"] == 'client.containers.get("one").diff()'


def test_a_picture_is_plain_data() -> None:
    shown = picture(ONE, TWO, GONE, path="/etc/motd")
    assert json.loads(json.dumps(shown)) == shown


def test_sizes_are_said_as_docker_says_them() -> None:
    sizes = [None, 0, 12, 999, 1000, 1_984_166, 45_600_000, 3_000_000_000]
    assert [layer_stack.size_said(size) for size in sizes] == [
        "-",
        "0 B",
        "12 B",
        "999 B",
        "1 kB",
        "1.98 MB",
        "45.6 MB",
        "3 GB",
    ]
