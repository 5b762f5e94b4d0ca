"""The teaching image: the same bytes from the same tools, and each of its sources tried on each engine."""

import contextlib
import io
import itertools
import json
import tarfile
from collections.abc import Iterator

import docker
import pytest
from docker.errors import ImageNotFound, NotFound

from labkit import images, rootfs
from labkit.errors import NoBaseImage
from labkit.images import SOURCES, Source, Tools, Unavailable, linked, make
from labkit.rootfs import Node
from tests.backends import backend_missing

TOOLS = {"bin/sh": rootfs.program(b"\x7fELF shell"), "bin/ls": rootfs.link("sh"), "lib/deep/libc.so": Node(0o755, b"c")}
numbers = itertools.count()


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {m.name: file.read() for m in tar if (file := tar.extractfile(m))}


# --- the image as data -------------------------------------------------------------------------------------------


def test_the_same_tools_give_the_same_bytes() -> None:
    backwards = dict(reversed(TOOLS.items()))
    assert rootfs.archive(TOOLS, "amd64", "x") == rootfs.archive(backwards, "amd64", "x")


def test_every_directory_comes_before_what_is_in_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(rootfs.layer(rootfs.complete(TOOLS)))) as tar:
        names = tar.getnames()
    seen = {""}
    for name in names:
        assert name.rpartition("/")[0] in seen
        seen.add(name)


def test_the_layer_names_no_time_and_no_owner_but_root() -> None:
    with tarfile.open(fileobj=io.BytesIO(rootfs.layer(rootfs.complete(TOOLS)))) as tar:
        assert {(member.mtime, member.uid, member.gid) for member in tar} == {(0, 0, 0)}


def test_tmp_is_open_to_all_and_roots_home_is_not() -> None:
    tree = rootfs.complete(TOOLS)
    assert (tree["tmp"].mode, tree["root"].mode) == (0o1777, 0o700)


def test_the_archive_is_what_docker_load_reads() -> None:
    files = unpacked(rootfs.archive(TOOLS, "arm64", "x"))
    (manifest,) = json.loads(files["manifest.json"])
    config = json.loads(files[manifest["Config"]])
    assert manifest["RepoTags"] == ["labkit/base:latest"]
    assert config["architecture"] == "arm64"
    assert config["config"]["Labels"] == {"labkit": "course"}
    assert config["rootfs"]["diff_ids"] == [f"sha256:{manifest['Layers'][0].removesuffix('/layer.tar')}"]


@pytest.mark.parametrize(
    ("attrs", "expected"),
    [
        ({"Config": {"Labels": {"labkit": "course"}}, "Comment": f"{rootfs._mark()}a busybox"}, "a busybox"),
        ({"Config": {"Labels": None}, "Comment": f"{rootfs._mark()}a busybox"}, None),
        ({"Config": {"Labels": {"labkit": "course"}}, "Comment": "labkit/base, recipe 0, made of straw"}, None),
        ({"Config": None}, None),
    ],
)
def test_an_image_is_ours_by_its_label_and_its_recipe(attrs: dict[str, object], expected: str | None) -> None:
    assert rootfs.made_of(attrs) == expected


def test_what_ldd_says_is_read() -> None:
    said = (
        "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n\t/lib64/ld-linux.so.2 (0x00007f)\n"
    )
    assert linked(said) == ["/lib/libc.so.6", "/lib64/ld-linux.so.2"]
    assert linked("\tstatically linked\n") == []


# --- sources, without an engine ----------------------------------------------------------------------------------


class Recorder:
    """As much of a client as `make` needs: it keeps what was loaded."""

    def __init__(self, architecture: str) -> None:
        self.architecture, self.loaded = architecture, list[bytes]()
        self.images = self

    def version(self) -> dict[str, str]:
        return {"Arch": self.architecture}

    def load(self, archive: bytes) -> None:
        self.loaded.append(archive)


def nothing(client: object) -> Tools:
    raise Unavailable("the shelf is empty")


def something(client: object) -> Tools:
    return Tools(TOOLS, "a toy")


def test_the_first_source_that_has_something_is_used() -> None:
    client = Recorder("amd64")
    sources = [Source("one", nothing, local=False), Source("two", something, local=False)]
    assert make(client, sources) == "a toy"
    assert client.loaded == [rootfs.archive(TOOLS, "amd64", "a toy")]


def test_when_all_fail_every_answer_is_told() -> None:
    with pytest.raises(NoBaseImage, match="one: the shelf is empty; two: the shelf is empty"):
        make(Recorder("amd64"), [Source("one", nothing, local=False), Source("two", nothing, local=False)])


def test_a_source_without_what_a_lesson_needs_is_passed_over() -> None:
    """Programs that are no busybox at all, one that takes its libraries along, and one that links to none."""
    kinds = ("a toy", "busybox with its libraries, found here", "busybox, found here")
    sources = [Source(kind, lambda _, kind=kind: Tools(TOOLS, kind), local=False) for kind in kinds]
    assert [make(Recorder("amd64"), sources, needs=needs) for needs in images.NEEDS] == list(kinds)
    with pytest.raises(NoBaseImage, match=r"a static busybox among them\..* a toy: what it has is no static busybox"):
        make(Recorder("amd64"), sources[:2], needs="static busybox")


def test_this_machines_programs_are_not_sent_to_another_kind_of_machine() -> None:
    with pytest.raises(NoBaseImage, match="the engine runs Linux programs for pdp11"):
        make(Recorder("pdp11"), [Source("here", something)])


# --- on an engine ------------------------------------------------------------------------------------------------


@pytest.fixture
def tag(client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A name of the test's own, so that the image of somebody's lessons stays as it is."""
    name = f"labkit-test/base-{next(numbers)}:latest"
    monkeypatch.setattr(rootfs, "TAG", name)
    yield name
    with contextlib.suppress(ImageNotFound):
        client.images.remove(name, force=True)


CHECK = """
set -e
test "$(id -u)" = 0; test "$PATH" = /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
hostname >/tmp/name; head -n 1 /tmp/name | grep -q check; mkdir /d; mv /tmp/name /d/a; cp /d/a /d/b; ln -s a /d/c
ls /d; rm /d/b; touch /d/e; test -e /d/e; date >/dev/null; env | wc -l >/dev/null; sleep 0; kill -0 $$
echo one | sed s/one/two/; printf abc | sha256sum; tail -n 1 /etc/motd
ps -o pid,args | head -n 1; id learner
"""
EXPECTED = """\
a
b
c
two
ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -
Welcome! You are inside a container made from labkit/base.
PID   COMMAND
uid=1000(learner) gid=1000(learner) groups=1000(learner)
"""


def check(client: docker.DockerClient, tag: str) -> None:
    said = client.containers.run(tag, ["sh", "-c", CHECK], hostname="check", remove=True)
    assert said.decode() == EXPECTED


LOCAL = [source for source in SOURCES if source.local]


@pytest.mark.parametrize("source", LOCAL, ids=[source.find.__name__ for source in LOCAL])
def test_what_a_source_makes_runs_the_lessons_commands(client: docker.DockerClient, tag: str, source: Source) -> None:
    try:
        make(client, [source])
    except NoBaseImage as error:
        backend_missing("busybox", error.said)
    check(client, tag)


def test_a_busybox_is_taken_out_of_the_registrys_image(
    client: docker.DockerClient, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image stands on the engine already here, as if it had been pulled, and stays there."""
    with monkeypatch.context() as patch:
        patch.setattr(rootfs, "TAG", "labkit-test/busybox:musl")
        make(client)
    monkeypatch.setattr(images, "REGISTRY_IMAGE", "labkit-test/busybox:musl")
    try:
        make(client, [source for source in SOURCES if source.find is images.from_registry])
        check(client, tag)
        assert client.images.get("labkit-test/busybox:musl")
    finally:
        client.images.remove("labkit-test/busybox:musl", force=True)


def test_a_registry_that_does_not_answer_is_one_refusal_more(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "REGISTRY_IMAGE", "localhost:1/busybox:musl")
    with pytest.raises(Unavailable, match="the engine said: "):
        images.from_registry(client)


def test_the_image_is_made_once(
    client: docker.DockerClient, tag: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "SOURCES", [Source("a toy", something, local=False)])
    assert images.base_image(client) == tag
    first = client.images.get(tag).id
    assert images.base_image(client) == tag
    assert client.images.get(tag).id == first
    made, found = capsys.readouterr().out.splitlines()
    assert made == f"Image: {tag}, made of a toy."
    assert found == f"Image: {tag}, already here, made of a toy."


def test_an_image_without_what_a_lesson_needs_is_made_anew(
    client: docker.DockerClient, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "SOURCES", [Source("a toy", something, local=False)])
    images.base_image(client)
    busybox = Source("busybox", lambda _: Tools(TOOLS, "busybox, a toy too"), local=False)
    monkeypatch.setattr(images, "SOURCES", [Source("a toy", something, local=False), busybox])
    images.base_image(client)
    assert images.already_there(client) == "a toy"
    images.base_image(client, needs="busybox")
    assert images.already_there(client) == "busybox, a toy too"
    images.base_image(client, needs="static busybox")


def test_its_label_is_handed_on_to_its_containers(
    client: docker.DockerClient, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(client, [Source("a toy", something, local=False)])
    container = client.containers.create(tag)
    try:
        assert container.labels["labkit"] == "course"
    finally:
        container.remove()
    with pytest.raises(NotFound):
        client.containers.get(container.id)
