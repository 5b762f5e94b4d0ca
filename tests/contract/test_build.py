"""`docker build` with the classic builder: what it prints, what comes out, and what it leaves behind."""

import contextlib
import gzip
import io
import re
import socket
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.models.images import Image

from tests.contract.conftest import LABELS, MINE
from tests.contract.helpers import eventually, tar_of, unique

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ID = re.compile(r"\b[0-9a-f]{12}\b")


@dataclass
class Built:
    """What a build gave: its last image, and what it printed, ids put aside."""

    image: Image | None
    lines: list[dict]

    @property
    def text(self) -> str:
        return ID.sub("ID", "".join(line.get("stream", "") for line in self.lines))

    @property
    def config(self) -> dict:
        return self.image.attrs["Config"]

    def history(self) -> list[str]:
        """Its own steps, the first one first."""
        return [row["CreatedBy"] for row in self.image.history()[-2::-1]]


class Build:
    """Builds a Dockerfile, in which IMAGE stands for the test image."""

    def __init__(self, client: docker.DockerClient, image: str) -> None:
        self.client, self.image = client, image

    def __call__(self, text: str, /, files: dict[str, bytes] | None = None, **options) -> Built:
        return self.context(tar_of({"Dockerfile": self.text(text), **(files or {})}), **options)

    def text(self, text: str) -> bytes:
        return text.replace("IMAGE", self.image).encode()

    def context(self, tar: bytes, **options) -> Built:
        """Build what is in a tar of the test's own."""
        options = {"rm": True, "tag": unique("lktest-build"), **options}
        try:
            made, lines = self.client.images.build(fileobj=io.BytesIO(tar), custom_context=True, **options)
        except docker.errors.BuildError as error:
            return Built(None, list(error.build_log))
        return Built(made, list(lines))


@pytest.fixture
def build(client, image):
    return Build(client, image)


@pytest.fixture
def output(client):
    """A function that runs a command in what was built, and gives what it prints."""
    return lambda built, command: client.containers.run(built.image.id, ["sh", "-c", command]).decode()


# --- what is printed ---------------------------------------------------------------------------------------------

STEPS = """\
FROM IMAGE
ENV A=1 B="x y"
RUN echo out; sleep 0.2; echo err >&2; sleep 0.2; echo $A
CMD ["sh", "-c"]
"""


def test_the_stream(build, image):
    tag = unique("lktest-build")
    built = build(STEPS, tag=tag)
    assert built.text.splitlines() == [
        f"Step 1/4 : FROM {image}",
        " ---> ID",
        'Step 2/4 : ENV A=1 B="x y"',
        " ---> Running in ID",
        "Removing intermediate container ID",
        " ---> ID",
        "Step 3/4 : RUN echo out; sleep 0.2; echo err >&2; sleep 0.2; echo $A",
        " ---> Running in ID",
        "out",
        "\x1b[91merr",
        "\x1b[0m1",
        "Removing intermediate container ID",
        " ---> ID",
        'Step 4/4 : CMD ["sh", "-c"]',
        " ---> Running in ID",
        "Removing intermediate container ID",
        " ---> ID",
        "Successfully built ID",
        f"Successfully tagged {tag}:latest",
    ]
    assert {"aux": {"ID": built.image.id}} in built.lines
    assert built.lines[1] == {"stream": "\n"} and {"stream": "\x1b[91merr\n\x1b[0m"} in built.lines
    assert built.history() == [
        "/bin/sh -c #(nop)  ENV A=1 B=x y",
        "/bin/sh -c echo out; sleep 0.2; echo err >&2; sleep 0.2; echo $A",
        '/bin/sh -c #(nop)  CMD ["sh" "-c"]',
    ]
    assert built.config["Env"] == [PATH, "A=1", "B=x y"] and built.config["Cmd"] == ["sh", "-c"]


def test_the_second_time_comes_from_the_cache(build):
    steps = STEPS + f"LABEL {unique('k')}=v\n"
    first, second, third = build(steps), build(steps), build(steps, nocache=True)
    assert (first.text.count("Using cache"), second.text.count("Using cache")) == (0, 4)
    assert second.image.id == first.image.id
    assert second.text.splitlines()[3:6] == [" ---> Using cache", " ---> ID", first.text.splitlines()[6]]
    assert "Using cache" not in third.text and third.image.id != first.image.id


def test_quiet(build):
    built = build(STEPS, quiet=True)
    assert built.lines == [{"stream": f"{built.image.id}\n"}]


def test_quiet_says_all_when_it_fails(build):
    built = build("FROM IMAGE\nRUN echo first; exit 4\n", quiet=True)
    assert "first\n" in built.text and built.lines[-1]["errorDetail"]["code"] == 4


def test_a_command_that_fails(build, client):
    tag = unique("lktest-build")
    built = build("FROM IMAGE\nRUN echo before; exit 3\nRUN echo never\n", tag=tag, forcerm=True)
    words = "The command '/bin/sh -c echo before; exit 3' returned a non-zero code: 3"
    assert built.lines[-1] == {"errorDetail": {"code": 3, "message": words}, "error": words}
    assert "before\n" in built.text and "never" not in built.text.replace("RUN echo never", "")
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(tag)


@pytest.mark.parametrize(
    ("options", "failed", "left"),
    [
        ({"rm": True}, False, 0),
        ({"rm": False}, False, 2),
        ({"rm": True}, True, 1),
        ({"rm": False}, True, 2),
        ({"rm": False, "forcerm": True}, True, 0),
    ],
)
def test_which_containers_stay(build, client, options, failed, left):
    built = build(f"FROM IMAGE\nENV A={unique()}\nRUN exit {int(failed)}\n", **options)
    assert (built.image is None) == failed
    assert len(client.containers.list(all=True, filters=MINE)) == left


def test_a_command_that_cannot_be_executed(build):
    built = build('FROM IMAGE\nRUN ["/no-such"]\n', forcerm=True)
    assert "no such file or directory" in built.lines[-1]["error"] and "code" not in built.lines[-1]["errorDetail"]


def test_arguments_that_nobody_asked_for(build):
    built = build("FROM IMAGE\nARG A\n", buildargs={"A": "1", "B": "2", "C": "3"})
    # dockerd names them in whatever order its map has
    said = re.search(r"\[Warning\] One or more build-args \[(.*)\] were not consumed\n", built.text)
    assert said and sorted(said[1].split()) == ["B", "C"]


# --- what is refused ---------------------------------------------------------------------------------------------

REFUSED = {
    "an unknown instruction": ("FROM IMAGE\n\nFOO bar\n", {}, 400, "line 3: unknown instruction: FOO"),
    "an argument is missing": ("FROM IMAGE\nENV\n", {}, 400, "line 2: ENV requires at least one argument"),
    "an empty file": ("", {}, 400, "the Dockerfile (Dockerfile) cannot be empty"),
    "comments alone": ("# a\n", {}, 400, "file with no instructions"),
    "no FROM": ("RUN true\n", {}, 400, "no build stage in current context"),
    "no such target": ("FROM IMAGE\n", {"target": "x"}, 400, "failed to reach build target x in Dockerfile"),
    "no Dockerfile": ("FROM IMAGE\n", {"dockerfile": "x"}, 500, "Cannot locate specified Dockerfile: x"),
    "squash": ("FROM IMAGE\n", {"squash": True}, 400, "squash is only supported with experimental mode"),
}


@pytest.mark.parametrize(("source", "options", "status", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_before_the_first_step(build, source, options, status, words):
    with pytest.raises(docker.errors.APIError) as caught:
        build(source, **options)
    assert caught.value.status_code == status and words in caught.value.explanation


MISSING = "file not found in build context or excluded by .dockerignore: stat no: file does not exist"
UNFINISHED = "unexpected end of statement while looking for matching double-quote"
LATE = {
    "a missing source": ("COPY no /", f"COPY failed: {MISSING}"),
    "a source outside": ("COPY ../a /x/", "COPY failed: forbidden path outside the build context: ../a ()"),
    "no match": ("COPY no* /x/", "COPY failed: no source files were specified"),
    "two sources, no folder": (
        "COPY a b /x",
        "When using COPY with more than one source file, the destination must be a directory and end with a /",
    ),
    "an URL": ("COPY http://127.0.0.1/x /", "COPY failed: source can't be a URL for COPY"),
    "a bad port": ("EXPOSE abc", "Invalid containerPort: abc"),
    "a bad signal": ("STOPSIGNAL FOO", "Invalid signal: FOO"),
    "an open quote": ('USER "x', f'failed to process "\\"x": {UNFINISHED}'),
    "a substitution": ("ENV A=${B:x}", 'failed to process "${B:x}": unsupported modifier (x) in substitution'),
    "this very stage": ("COPY --from=0 /a /", "invalid from flag value 0: refers to current build stage"),
    "no such stage": ("COPY --from=7 /a /", "invalid from flag value 7: index out of bounds"),
}


@pytest.mark.parametrize(("step", "words"), LATE.values(), ids=LATE)
def test_refused_in_the_middle(build, step, words):
    built = build(f"FROM IMAGE\n{step}", {"a": b"1", "b": b"2"})
    assert built.lines[-1] == {"errorDetail": {"message": words}, "error": words}


def test_nothing_comes_out_of_nothing(build):
    assert build("FROM scratch\n").lines[-1]["error"] == "No image was generated. Is your Dockerfile empty?"


# --- the config --------------------------------------------------------------------------------------------------

METADATA = """\
FROM IMAGE
MAINTAINER somebody
LABEL a=b "c d"="e f"
EXPOSE 80 90/udp 100-101
VOLUME ["/v", "/w"]
USER 70
WORKDIR /made/here
WORKDIR deeper
STOPSIGNAL SIGINT
SHELL ["/bin/ash", "-c"]
CMD echo hi
ONBUILD RUN echo trigger
HEALTHCHECK --interval=5s --timeout=3s --retries=2 CMD true
"""


def test_metadata(build):
    built = build(METADATA)
    config = built.config
    assert config["Labels"] == {"a": "b", "c d": "e f", **LABELS}
    assert set(config["ExposedPorts"]) == {"80/tcp", "90/udp", "100/tcp", "101/tcp"}
    assert config["User"] == "70" and config["WorkingDir"] == "/made/here/deeper" and config["StopSignal"] == "SIGINT"
    assert config["Shell"] == ["/bin/ash", "-c"] and config["Cmd"] == ["/bin/ash", "-c", "echo hi"]
    assert config["OnBuild"] == ["RUN echo trigger"] and set(config["Volumes"]) == {"/v", "/w"}
    health = {"Test": ["CMD-SHELL", "true"], "Interval": 5 * 10**9, "Timeout": 3 * 10**9, "Retries": 2}
    assert config["Healthcheck"] == health
    assert built.image.attrs["Author"] == "somebody"
    steps = built.history()
    assert steps[:5] == [
        "/bin/sh -c #(nop)  MAINTAINER somebody",
        "/bin/sh -c #(nop)  LABEL a=b c d=e f",
        "/bin/sh -c #(nop)  EXPOSE 100-101 80 90/udp",
        "/bin/sh -c #(nop)  VOLUME [/v /w]",
        "/bin/sh -c #(nop)  USER 70",
    ]
    assert steps[5:11] == [
        "/bin/sh -c #(nop) WORKDIR /made/here",
        "/bin/sh -c #(nop) WORKDIR /made/here/deeper",
        "/bin/sh -c #(nop)  STOPSIGNAL SIGINT",
        "/bin/ash -c #(nop)  SHELL [/bin/ash -c]",
        '/bin/ash -c #(nop)  CMD ["/bin/ash" "-c" "echo hi"]',
        "/bin/ash -c #(nop)  ONBUILD RUN echo trigger",
    ]


def test_user_and_workdir_hold_for_what_follows(build, output):
    built = build("FROM IMAGE\nWORKDIR /w/x\nRUN pwd > by-root\nUSER postgres\nWORKDIR /w2\nRUN id -u; pwd\n")
    assert "\n70\n/w2\n" in built.text
    assert output(built, "cat /w/x/by-root; pwd; id -u; stat -c %u:%g /w2") == "/w/x\n/w2\n70\n0:0\n"


def test_health_checks_override_each_other(build):
    built = build('FROM IMAGE\nHEALTHCHECK CMD a b\nHEALTHCHECK NONE\nHEALTHCHECK CMD ["c"]\n')
    assert built.text.count("Note: overriding previous HEALTHCHECK: [CMD-SHELL a b]\n") == 1
    assert built.config["Healthcheck"]["Test"] == ["CMD", "c"]


@pytest.mark.parametrize(
    ("steps", "entrypoint", "cmd"),
    [
        ('ENTRYPOINT ["x"]', ["x"], None),
        ('CMD ["a"]\nENTRYPOINT ["x"]', ["x"], ["a"]),
        ('ENTRYPOINT ["x"]\nCMD ["a"]', ["x"], ["a"]),
        ("ENTRYPOINT x y", ["/bin/sh", "-c", "x y"], None),
    ],
)
def test_a_new_entrypoint_drops_the_old_command(build, steps, entrypoint, cmd):
    config = build(f"FROM IMAGE\n{steps}\n").config
    assert config["Entrypoint"] == entrypoint and (config["Cmd"] or None) == cmd


def test_what_a_command_writes_into_a_volume_is_not_in_the_image(build, client, engine):
    before = {volume.name for volume in client.volumes.list()}
    built = build("FROM IMAGE\nRUN mkdir /v && echo 1 > /v/a\nVOLUME /v\nRUN echo 2 > /v/b; ls /v\nRUN echo ; ls /v\n")
    assert "\na\nb\n" in built.text and "\n\na\nRemoving" in built.text
    if engine.name != "dockerd":  # others may be at work there
        assert {volume.name for volume in client.volumes.list()} == before


def test_an_entrypoint_is_nothing_to_run(build):
    assert "\nhi\n" in build('FROM IMAGE\nENTRYPOINT ["/no-such"]\nRUN echo hi\n').text


# --- variables ---------------------------------------------------------------------------------------------------


ENV = (
    "A=1 B=$A",
    r'''C=${A}x D="q $A" E='q $A' F=\$A G=${U:-def} H=${A:+alt} I=a\ b J="\"x\""''',
    'K "a" b',
)


def test_expansion(build):
    built = build("FROM IMAGE\n" + "".join(f"ENV {line}\n" for line in ENV))
    assert built.config["Env"][1:] == [
        "A=1", "B=", "C=1x", "D=q 1", "E=q $A", "F=$A", "G=def", "H=alt", "I=a b", 'J="x"', "K=a b",
    ]  # fmt: skip


SCOPES = """\
ARG BASE=IMAGE
ARG V=1
FROM $BASE AS first
RUN echo "first:$V:"
ARG V
ARG W=$V-w
ARG E=arg
ENV E=env
RUN echo "then:$V:$W:$E:$http_proxy:"
FROM $BASE
RUN echo "second:$V:$W:$E:"
"""


def test_where_an_argument_holds(build):
    built = build(SCOPES, buildargs={"W": "given", "E": "given", "http_proxy": "p"})
    said = [line for line in built.text.splitlines() if re.match("(first|then|second):", line)]
    assert said == ["first::", "then:1:given:env:p:", "second::::"]


def test_arguments_are_in_the_history_of_what_they_were_used_for(build):
    given = {"A": "2", "HTTP_PROXY": "secret"}
    built = build("FROM IMAGE\nRUN true\nARG A=1\nRUN true $A\n", buildargs=given)
    shell = "/bin/sh -c"
    assert built.history() == [f"|0 {shell} true", f"{shell} #(nop)  ARG A=1", f"|1 A=2 {shell} true $A"]
    assert not any(entry.startswith(("A=", "HTTP")) for entry in built.config["Env"])
    again = build("FROM IMAGE\nRUN true\nARG A=1\nRUN true $A\n", buildargs={**given, "A": "3"})
    assert again.text.count("Using cache") == 2  # another value is another command


# --- files -------------------------------------------------------------------------------------------------------

COPIES = """\
FROM IMAGE
COPY dir /d1
COPY dir/ /d2/
COPY a /d3
COPY a /d4/
COPY dir/* /d5/
COPY ["sp ace", "/sp ace/"]
WORKDIR /wd
COPY a .
COPY a rel/b
RUN mkdir /real && ln -s /real /lnk
COPY a /lnk/
"""


def test_copy(build, output):
    files = {"a": b"1", "dir/x": b"2", "dir/deep/y": b"3", "sp ace": b"4"}
    built = build(COPIES, files)
    said = output(built, "cd /; find d? 'sp ace' wd real -type f | sort")
    assert said.splitlines() == [
        "d1/deep/y", "d1/x", "d2/deep/y", "d2/x", "d3", "d4/a", "d5/x", "d5/y", "real/a", "sp ace/sp ace", "wd/a",
        "wd/rel/b",
    ]  # fmt: skip
    steps = [re.sub("[0-9a-f]{64}", "H", step) for step in built.history()]
    assert steps[0] == "/bin/sh -c #(nop) COPY dir:H in /d1 " and steps[3] == "/bin/sh -c #(nop) COPY file:H in /d4/ "
    assert steps[7] == "/bin/sh -c #(nop) COPY file:H in . "
    assert len(built.image.attrs["RootFS"]["Layers"]) == 1 + 11


def test_copy_keeps_the_mode_and_the_time_and_gives_to_root(build, output):
    files = {"Dockerfile": build.text("FROM IMAGE\nCOPY f /f\n"), "f": b"1"}
    built = build.context(tar_of(files, mode=0o640, uid=7))
    assert output(built, "stat -c '%a %u:%g %Y' /f") == "640 0:0 1000000000\n"


def test_chown(build, output):
    steps = "COPY --chown=postgres:staff a /a\nCOPY --chown=postgres a /b\nCOPY --chown=9:8 d /new/d\n"
    built = build(f"FROM IMAGE\n{steps}", {"a": b"1", "d/x": b"2"})
    said = output(built, "stat -c '%u:%g %n' /a /b /new /new/d /new/d/x")
    assert said.splitlines() == ["70:50 /a", "70:70 /b", "0:0 /new", "9:8 /new/d", "9:8 /new/d/x"]


def test_chown_to_nobody(build):
    built = build("FROM IMAGE\nCOPY --chown=no-such a /a\n", {"a": b"1"})
    assert "unable to convert uid/gid chown string to host mapping" in built.lines[-1]["error"]


def test_add_unpacks_archives(build, output):
    inner = tar_of({"x/y": b"1", "z": b"2"}, uid=5)
    built = build("FROM IMAGE\nADD t.tar f /d/\nADD t.tar /e\nCOPY t.tar /c/\nADD bad.tar /b\n",
                  {"t.tar": inner, "f": b"3", "bad.tar": b"text"})  # fmt: skip
    said = output(built, "cd /; find d e c b -type f | sort; stat -c %u d/z d/f")
    assert said.split() == ["b", "c/t.tar", "d/f", "d/x/y", "d/z", "e/x/y", "e/z", "5", "0"]


def test_the_cache_looks_at_contents(build):
    steps = "FROM IMAGE\nCOPY d /d\nRUN true\n"
    name = unique()
    first = build(steps, {"d/a": name.encode(), "other": b"1"})
    same = build(steps, {"d/a": name.encode(), "other": b"2"})
    changed = build(steps, {"d/a": name.encode() + b"!", "other": b"1"})
    assert [one.text.count("Using cache") for one in (first, same, changed)] == [0, 2, 0]


def test_dockerignore_hides_the_files_that_always_come_along(build, output):
    files = {".dockerignore": b"*\n!kept\n", "kept": b"1"}
    assert output(build("FROM IMAGE\nCOPY . /c\n", files), "find /c -type f") == "/c/kept\n"
    files = {".dockerignore": b"no-such\n", "kept": b"1"}
    said = output(build("FROM IMAGE\nCOPY . /c\n", files), "find /c -type f | sort")
    assert said.split() == ["/c/.dockerignore", "/c/Dockerfile", "/c/kept"]


def test_another_dockerfile(build):
    files = {"sub/other": build.text("FROM IMAGE\nLABEL other=1\n")}
    assert build("FROM no-such\n", files, dockerfile="sub/other").config["Labels"]["other"] == "1"


# --- stages ------------------------------------------------------------------------------------------------------

STAGES = """\
FROM IMAGE AS One
RUN mkdir -p /out/s && echo built > /out/f && chown 70:70 /out/f && ln -s f /out/l
FROM IMAGE AS two
RUN echo two
FROM scratch
COPY --from=one /out /
COPY --from=0 /out/f /g
COPY --from=IMAGE /etc/motd /m
COPY --from=oNE /bin/busybox /bin/sh
"""


def test_stages(build, client):
    built = build(STAGES, labels=LABELS)
    assert built.text.count("Step ") == 9 + len(LABELS)
    assert len([line for line in built.lines if "aux" in line]) == 3
    assert built.config["Env"] == [PATH]
    said = client.containers.run(built.image.id, ["/bin/sh", "-c", "cat /f /g /l /m; [ -d /s ] && echo folder"])
    assert said.decode() == "built\nbuilt\nbuilt\nhello from the image\nfolder\n"


def test_a_target(build):
    built = build(STAGES, target="TWO")
    assert "two\n" in built.text and "COPY" not in built.text


def test_a_stage_on_another(build):
    built = build("FROM IMAGE AS base\nENV A=1\nRUN echo x > /x\nFROM base\nRUN cat /x; echo $A\n")
    assert "\nx\n1\n" in built.text


def test_triggers(build):
    parent = build("FROM IMAGE\nONBUILD ENV T=1\nONBUILD RUN echo trigger $T\n")
    name = parent.image.tags[0]
    built = build(f"FROM {name}\nRUN echo mine\n")
    assert "# Executing 2 build triggers\n" in built.text and "\ntrigger 1\n" in built.text
    assert "T=1" in built.config["Env"] and not built.config["OnBuild"]
    assert parent.config["OnBuild"] == ["ENV T=1", "RUN echo trigger $T"]


# --- options -----------------------------------------------------------------------------------------------------


def test_labels(build):
    built = build("FROM IMAGE\nLABEL a=0\n", labels={"b": "x $y", "a": "1"})
    assert {"a": "1", "b": "x $y"}.items() <= built.config["Labels"].items()
    assert built.text.index("Step 3/4 : LABEL a=1") < built.text.index("Step 4/4 : LABEL b=x $y")


def test_cache_from(build, client):
    steps = f"FROM IMAGE\nENV A={unique()}\nRUN true\n"
    first = build(steps)
    hits = build(steps, cache_from=[first.image.tags[0]])
    misses = build(steps, cache_from=["lktest-no-such"])
    assert hits.text.count("Using cache") == 2 and hits.image.id == first.image.id
    assert misses.text.count("Using cache") == 0


def test_cache_from_an_image_that_was_loaded(build, client):
    steps = f"FROM IMAGE\nENV A={unique()}\nRUN echo 1 > /x\n"
    first = build(steps)
    archive = b"".join(first.image.save(named=True))
    client.images.remove(first.image.id, force=True)
    client.images.load(archive)
    again = build(steps, cache_from=[first.image.tags[0]])
    assert again.text.count("Using cache") == 2 and again.image.id == first.image.id


def test_the_network_shm_and_hosts_of_a_build(build):
    built = build(
        "FROM IMAGE\nRUN df -k /dev/shm; cat /etc/hosts; ip addr\n",
        network_mode="none", shmsize=1 << 20, extra_hosts={"some.host": "1.2.3.4"}, nocache=True,
    )  # fmt: skip
    assert re.search(r"shm +1024 ", built.text) and "1.2.3.4\tsome.host" in built.text and "eth0" not in built.text


def test_a_compressed_context(build):
    files = {"Dockerfile": build.text("FROM IMAGE\nCOPY a /a\nRUN cat /a\n"), "a": b"packed"}
    assert "packed" in build.context(gzip.compress(tar_of(files)), encoding="gzip").text


# --- what is left behind -----------------------------------------------------------------------------------------


def test_intermediate_images_are_children_without_a_name(build, client):
    built = build(f"FROM IMAGE\nENV A={unique()}\nENV B=1\n")
    middle = client.images.get(built.image.attrs["Parent"])
    assert middle.tags == []
    assert middle.id not in {one.id for one in client.images.list()}
    assert middle.id in {one.id for one in client.images.list(all=True)}
    with pytest.raises(docker.errors.APIError) as caught:
        client.images.remove(middle.id)
    assert caught.value.status_code == 409 and "dependent child images" in caught.value.explanation
    client.images.remove(built.image.id, force=True)
    with pytest.raises(docker.errors.ImageNotFound):  # it goes with its last child
        client.images.get(middle.id)


def test_a_client_that_leaves_takes_the_build_with_it(client, engine, image):
    context = tar_of({"Dockerfile": f"FROM {image}\nRUN sleep 600\n".encode()})
    name = unique("lktest-build")
    with contextlib.closing(post(engine.address, f"/build?t={name}&nocache=1", context)) as connection:
        seen = b""
        while b"Running in" not in seen.partition(b"Step 2/2")[2]:
            data = connection.recv(4096)
            assert data, seen
            seen += data
        assert eventually(lambda: client.containers.list(filters=MINE, ignore_removed=True))
    eventually(lambda: not client.containers.list(all=True, filters=MINE, ignore_removed=True), 20)
    if engine.state and engine.name == "embedded":
        folders = Path(engine.state, "blobs/sha256")
        eventually(lambda: not [one for one in folders.iterdir() if one.name.startswith(".new.")])


def post(address: str, path: str, body: bytes) -> socket.socket:
    """Send a request by hand, so that the connection can be cut at any moment."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(address.removeprefix("unix://"))
    head = ["Host: docker", "Content-Type: application/x-tar", f"Content-Length: {len(body)}"]
    connection.sendall("\r\n".join([f"POST {path} HTTP/1.1", *head, "", ""]).encode() + body)
    return connection
