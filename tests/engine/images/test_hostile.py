"""Archives that try to leave the root. Each attack is first shown to work on Python's own unpacker.

The attacks are those that were found in Docker, Podman, tar libraries and Python over the years. What is asked is
always the same: nothing outside the root was written, overwritten, or linked to.
"""

import io
import sys
import tarfile
import warnings

import pytest

from labkit.engine.images.archive import BadArchive, extract
from tests.engine.images.conftest import make_root
from tests.engine.images.trees import file, folder, hard_link, link, tar

PWNED = b"pwned"


def path_max(outside: str) -> bytes:
    """CVE-2025-4517: a chain of links whose real path is longer than the kernel and realpath(3) can say."""
    component, items, path = "d" * 247, [], ""
    for letter in "abcdefghijklmnop":
        items += [folder(path + component), link(path + letter, component)]
        path += component + "/"
    way = "/".join("abcdefghijklmnop") + "/" + "l" * 254
    items += [link(way, "../" * 16), link("escape", f"{way}/../outside"), hard_link("name", "escape/secret")]
    return tar(*items, file("name", PWNED))


ESCAPES = {
    "dot dot": lambda outside: tar(file("../outside/new", PWNED)),
    "dot dot in the middle": lambda outside: tar(folder("a"), file("a/../../outside/new", PWNED)),
    "link to a folder": lambda outside: tar(link("a", outside), file("a/new", PWNED)),
    "relative link": lambda outside: tar(link("a", "../outside"), file("a/new", PWNED)),
    "link of links": lambda outside: tar(link("a", ".."), link("b", "a/outside"), file("b/new", PWNED)),
    "link, then the same name": lambda outside: tar(link("a", f"{outside}/secret"), file("a", PWNED)),
    "link, then a folder": lambda outside: tar(link("a", outside), folder("a", mode=0o700), file("a/new", PWNED)),
    "hard link to a file": lambda outside: tar(hard_link("a", f"{outside}/secret"), file("a", PWNED)),
    "hard link by dot dot": lambda outside: tar(hard_link("a", "../outside/secret")),
    "hard link through a link": lambda outside: tar(link("a", outside), hard_link("b", "a/secret")),
    "fifo through a link": lambda outside: tar(link("a", outside), ("a/new", {"type": tarfile.FIFOTYPE})),
    "PATH_MAX": path_max,
}


def naive(archive: bytes, path: str) -> None:
    """What a program does that trusts the archive."""
    filters = {"filter": "fully_trusted"} if hasattr(tarfile, "data_filter") else {}
    with warnings.catch_warnings(), tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(path, **filters)


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("layer", [False, True], ids=["cp", "layer"])
def test_nothing_outside_is_touched(root, tmp_path, name, layer):
    archive = ESCAPES[name](str(root.outside))
    try:
        extract(io.BytesIO(archive), root.fd, layer=layer, userxattr=True)
    except BadArchive as refusal:
        assert "entry" in str(refusal)  # it says which
    assert root.untouched()


@pytest.mark.parametrize("name", ESCAPES)
def test_the_attack_is_a_real_one(tmp_path, name):
    for root in make_root(tmp_path):
        archive = ESCAPES[name](str(root.outside))
        try:
            naive(archive, str(root.path))
        except (OSError, tarfile.TarError) as error:  # a newer Python, or a kernel that forbids such links
            if root.untouched():
                pytest.skip(f"Python {sys.version_info[:3]} and this kernel stop it by themselves: {error}")
        assert not root.untouched()


def test_absolute_names_and_links_are_resolved_inside(root):
    """Not an attack: images are full of these."""
    archive = tar(folder("/etc"), file("/etc/a", b"1"), link("conf", "/etc"), file("conf/b", b"2"))
    archive_2 = tar(hard_link("/c", "/etc/a"))
    extract(io.BytesIO(archive), root.fd)
    extract(io.BytesIO(archive_2), root.fd)
    assert (root.path / "etc" / "b").read_bytes() == b"2" and (root.path / "c").read_bytes() == b"1"


REFUSED = {
    "root is a link": tar(link("./", "/etc")),
    "root is a file": tar(file("", b"x")),
    "empty whiteout": tar(file(".wh.")),
    "whiteout of the folder itself": tar(file(".wh..")),
    "whiteout of the folder above": tar(file("a/.wh...")),
    "whiteout as a folder": tar(file(".wh.a/b")),
    "smuggled whiteout": tar(("a", {"type": tarfile.CHRTYPE, "devmajor": 0, "devminor": 0})),
    "hard link to a folder": tar(folder("a"), hard_link("b", "a")),
    "hard link to nothing": tar(hard_link("a", "nowhere")),
    "hard link to the root": tar(hard_link("a", "/")),
    "file below a file": tar(file("a"), file("a/b")),
    "long name": tar(file("x" * 256)),
    "long path": tar(file("/".join(["x" * 200] * 25))),
    "deep path": tar(file("/".join("x" * 200))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nonsense_is_refused(root, name):
    extract(io.BytesIO(tar(folder("a"), file("a/b"), file(".wh.c"))), root.fd, layer=True, userxattr=True)
    with pytest.raises(BadArchive):
        extract(io.BytesIO(REFUSED[name]), root.fd, layer=True, userxattr=True)
    assert root.untouched()
