"""The pure half of `labkit.observe`, and `labkit.provenance`: JSON and tar files in, dataclasses out. No engine."""

import io
import json
import tarfile
from collections.abc import Sequence

import pytest

from labkit import observe
from labkit.observe import Change
from labkit.provenance import (
    LayerFiles,
    Origin,
    follow_links,
    normal,
    origin_in_container,
    origin_in_image,
    read_layer,
    read_saved,
)

# --- layers -----------------------------------------------------------------------------------------


def entry(created_by: str, size: int = 0, comment: str = "") -> dict[str, object]:
    return {"CreatedBy": created_by, "Size": size, "Comment": comment}


def test_an_imported_image_has_one_layer_and_one_entry() -> None:
    layers, metadata = observe.parse_layers(["sha256:a"], [entry("", 100, "Imported from -")])
    assert [(layer.diff_id, layer.created_by, layer.size) for layer in layers] == [("sha256:a", "import", 100)]
    assert layers[0].read_only
    assert metadata == ()


def test_entries_that_changed_only_the_config_are_set_aside() -> None:
    history = [  # the engine gives the newest first
        entry('/bin/sh -c #(nop)  CMD ["sh"]'),
        entry("COPY app /app # buildkit", 7),
        entry("ENV A=b"),
        entry("/bin/sh -c #(nop) ADD file:1 in / ", 900),
    ]
    layers, metadata = observe.parse_layers(["sha256:a", "sha256:b"], history)
    assert [layer.size for layer in layers] == [900, 7]
    assert metadata == ("ENV A=b", 'CMD ["sh"]')


def test_a_layer_may_be_empty() -> None:
    """A `RUN true` makes a layer of size zero: only as many entries are set aside as are too many."""
    layers, metadata = observe.parse_layers(["sha256:a", "sha256:b"], [entry("true"), entry("ADD", 9)])
    assert [layer.created_by for layer in layers] == ["ADD", "true"]
    assert metadata == ()


@pytest.mark.parametrize(
    ("created_by", "instruction"),
    [
        ("/bin/sh -c seq 3 > /parts.txt", "RUN seq 3 > /parts.txt"),
        ("RUN /bin/sh -c seq 3 # buildkit", "RUN seq 3"),
        (f"/bin/sh -c #(nop) COPY file:{'0a' * 32} in /app/ ", "COPY … in /app/"),
        ('/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'),
        ("sleep 600", "sleep 600"),
    ],
)
def test_a_step_reads_as_in_a_dockerfile(created_by: str, instruction: str) -> None:
    assert observe.made_by(entry(created_by)) == instruction


def test_a_history_that_does_not_fit_says_nothing() -> None:
    layers, _ = observe.parse_layers(["sha256:a", "sha256:b"], [entry("squashed", 9)])
    assert [(layer.created_by, layer.size) for layer in layers] == [("", None), ("", None)]


def test_chain_ids_name_a_layer_with_all_below_it() -> None:
    """The lowest is its own diff id; the next is the digest of "CHAIN DIFF" (OCI image-spec, config.md)."""
    assert observe.chain_ids([]) == []
    one, two = observe.chain_ids(["sha256:a", "sha256:b"])
    assert one == "sha256:a"
    assert two == "sha256:970a948bffa8de94d6e22d747ba8c95030e6e546909f98f54e99a13005e173a8"
    assert observe.chain_ids(["sha256:x", "sha256:b"])[1] != two


# --- changes ----------------------------------------------------------------------------------------


def test_changes_are_sorted_and_folders_on_the_way_are_marked() -> None:
    said = [{"Path": "/etc/motd", "Kind": 0}, {"Path": "/etc", "Kind": 0}, {"Path": "/new", "Kind": 1}]
    changes = observe.parse_changes(said)
    assert changes == (Change("/etc", "changed", True), Change("/etc/motd", "changed"), Change("/new", "added"))
    assert observe.count_changes(changes) == {"added": 1, "changed": 1, "deleted": 0}


def test_a_folder_that_itself_was_changed_counts() -> None:
    assert observe.count_changes(observe.parse_changes([{"Path": "/tmp", "Kind": 0}]))["changed"] == 1


def test_docker_says_null_where_nothing_changed() -> None:
    assert observe.parse_changes(None) == ()


# --- where a path comes from ------------------------------------------------------------------------

BASE = LayerFiles(frozenset({"/etc", "/etc/motd", "/bin", "/bin/vi", "/usr/bin/env"}))
FIXED = LayerFiles(frozenset({"/etc/motd"}), whiteouts=frozenset({"/bin/vi"}))


@pytest.mark.parametrize(
    ("path", "layers", "found"),
    [
        ("/etc/motd", [BASE], Origin("image", 1)),
        ("/etc/motd", [BASE, FIXED], Origin("image", 2, (1,))),
        ("/bin/vi", [BASE, FIXED], Origin("deleted", None, (1,))),
        ("/nowhere", [BASE, FIXED], Origin("absent")),
        ("/etc/motd", [BASE, LayerFiles(opaque=frozenset({"/etc"}))], Origin("deleted", None, (1,))),
        ("/bin/vi", [BASE, LayerFiles(whiteouts=frozenset({"/bin"}))], Origin("deleted", None, (1,))),
        ("/bin/vi", [BASE, FIXED, LayerFiles(frozenset({"/bin/vi"}))], Origin("image", 3, (1,))),
    ],
)
def test_an_image_shows_the_topmost_copy(path: str, layers: Sequence[LayerFiles], found: Origin) -> None:
    assert origin_in_image(path, layers) == found


@pytest.mark.parametrize(
    ("path", "changes", "found"),
    [
        ("/etc/motd", [], Origin("image", 1)),
        ("/etc/motd", [("/etc/motd", "changed")], Origin("own", None, (1,))),
        ("/etc/motd", [("/etc/motd", "deleted")], Origin("deleted", None, (1,))),
        ("/etc/motd", [("/etc", "deleted")], Origin("deleted", None, (1,))),
        ("/new", [("/new", "added")], Origin("own")),
        ("new/", [("/new", "added")], Origin("own")),
        ("/data/file", [], Origin("mount")),
    ],
)
def test_a_container_looks_through_its_own_layer(path: str, changes: list[tuple[str, str]], found: Origin) -> None:
    assert origin_in_container(path, [BASE], changes, mounts=["/data"]) == found


def test_links_among_the_folders_are_followed() -> None:
    merged = LayerFiles(BASE.paths, links={"/bin": "usr/bin", "/loop": "loop"})
    assert follow_links("/bin/env", [merged]) == "/usr/bin/env"
    assert follow_links("/loop/x", [merged]) == "/loop/x"
    assert origin_in_container("/bin/env", [merged], []).layer == 1


@pytest.mark.parametrize("path", ["etc/motd", "/etc/motd/", " /etc//motd", "/etc/../etc/./motd"])
def test_paths_are_written_in_one_way(path: str) -> None:
    assert normal(path) == "/etc/motd"


# --- docker save ------------------------------------------------------------------------------------


def tar_of(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return buffer.getvalue()


LOWER = tar_of({"etc/motd": b"hi", "bin/vi": b""}, {"bin/ex": "vi"})
UPPER = tar_of({"etc/.wh.motd": b"", "bin/.wh..wh..opq": b"", "./new": b"x"})


def test_whiteouts_are_read() -> None:
    with tarfile.open(fileobj=io.BytesIO(UPPER)) as tar:
        layer = read_layer(tar)
    assert layer == LayerFiles(frozenset({"/new"}), frozenset({"/etc/motd"}), frozenset({"/bin"}))


def saved(layers: dict[str, bytes], order: list[str], links: dict[str, str] | None = None) -> list[bytes]:
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["x:latest"], "Layers": order}]).encode()
    whole = tar_of({**layers, "config.json": b"{}", "manifest.json": manifest}, links)
    return [whole[at : at + 700] for at in range(0, len(whole), 700)]  # as a socket would give it


@pytest.mark.parametrize("names", [("aa/layer.tar", "bb/layer.tar"), ("blobs/sha256/aa", "blobs/sha256/bb")])
def test_both_layouts_of_docker_save_are_read(names: tuple[str, str]) -> None:
    lower, upper = read_saved(saved({names[1]: UPPER, names[0]: LOWER}, list(names)))
    assert "/etc/motd" in lower.paths and lower.links == {"/bin/ex": "vi"}
    assert upper.whiteouts == {"/etc/motd"}


def test_a_layer_that_occurs_twice_is_a_link() -> None:
    layers = read_saved(
        saved({"aa/layer.tar": LOWER}, ["aa/layer.tar", "bb/layer.tar"], {"bb/layer.tar": "../aa/layer.tar"})
    )
    assert layers[0] == layers[1]
