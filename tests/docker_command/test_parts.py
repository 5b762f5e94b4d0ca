"""The pure parts: options, templates, columns, ages and sizes."""

import contextlib
import io
import tarfile

import pytest

from labkit.docker_command import layout, spec
from labkit.docker_command.copying import unpack
from labkit.docker_command.template import render
from labkit.docker_command.verbs import execute, find
from labkit.docker_command.words import Misused, parse, switch, value, values

OPTIONS = (switch("-a", "--all"), switch("-q", "--quiet"), value("-n", "--last"), values("-e", "--env"))
DATA = {
    "Name": "web",
    "State": {"Running": True, "ExitCode": 0},
    "Cmd": ["sh", "-c"],
    "Labels": {"b": "2", "a": "1"},
    "None": None,
    "Mark": "a<b",
}


# --- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "options", "words"),
    [
        ("-aq x", {"all": ["true"], "quiet": ["true"]}, ["x"]),
        ("--all=false -n5", {"all": ["false"], "last": ["5"]}, []),
        ("-n 5 -e A=1 -eB=2 --env C", {"last": ["5"], "env": ["A=1", "B=2", "C"]}, []),
        ("x -- -a", {}, ["x", "-a"]),
        ("-", {}, ["-"]),
    ],
)
def test_options_as_the_stock_command_reads_them(line, options, words):
    given = parse("ps", OPTIONS, line.split())
    assert (given.options, given.words) == (options, words)


def test_what_follows_the_image_is_the_containers():
    given = parse("run", OPTIONS, ["-a", "image", "ls", "-a"], own_words=1)
    assert given.words == ["image", "ls", "-a"]


@pytest.mark.parametrize(
    ("words", "says"), [(["--al"], "no option --al"), (["-ax"], "no option -x"), (["-n"], "needs an")]
)
def test_an_option_that_is_not_known_is_refused_by_name(words, says):
    with pytest.raises(Misused, match=says):
        parse("ps", OPTIONS, words)


def test_an_unknown_verb_lists_those_that_there_are():
    with pytest.raises(Misused, match=r"no `docker swarm`.* It has: .*commit"):
        find(["swarm", "init"])
    said = []
    assert execute(None, ["swarm"], said.append) == 1
    assert "Install the docker command" in said[0]


@pytest.mark.parametrize(
    ("texts", "ports"),
    [
        (["80"], {"80/tcp": None}),
        (["8080:80"], {"80/tcp": 8080}),
        (["127.0.0.1:8080:80", "9090:80"], {"80/tcp": [("127.0.0.1", 8080), 9090]}),
        (["127.0.0.1::80/udp"], {"80/udp": ("127.0.0.1", None)}),
    ],
)
def test_published_ports(texts, ports):
    assert spec.ports(texts) == ports


@pytest.mark.parametrize("call", [lambda: spec.ports(["x:y"]), lambda: spec.restart_policy("sometimes")])
def test_what_cannot_be_read_is_refused(call):
    with pytest.raises(Misused):
        call()


def test_volumes_and_restart_policies(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert spec.binds(["data:/data", "./here:/x:ro", "/anonymous"]) == ["data:/data", f"{tmp_path}/here:/x:ro"]
    assert spec.restart_policy("on-failure:3") == {"Name": "on-failure", "MaximumRetryCount": 3}


# --- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../out", "link/out", "link"])
def test_nothing_is_written_outside_of_the_folder(name, tmp_path):
    """By its name, or through a link that came before it. A link in a file's own place is replaced."""
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with tarfile.open(fileobj=io.BytesIO(made.getvalue())) as archive, contextlib.suppress(Misused):
        unpack(archive, archive.getmember(name), str(folder), str(folder / name))
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "out").exists()


# --- templates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Name}} is {{.State.Running}}", "web is true"),
        ("{{.Cmd}} {{.Labels}} {{.None}}", "[sh -c] map[a:1 b:2] <no value>"),
        ("{{json .Labels}}{{json .Mark}}", '{"b":"2","a":"1"}"a\\u003cb"'),
        ("{{len .Cmd}} {{index .Cmd 1}} {{index .Labels `a`}}", "2 -c 1"),
        ('{{join .Cmd ", "}} {{upper .Name}} {{.Name | upper | lower}}', "sh, -c WEB web"),
        ("{{range .Cmd}}<{{.}}>{{end}}", "<sh><-c>"),
        ("{{range $k, $v := .Labels}}{{$k}}={{$v}} {{$.Name}};{{end}}", "a=1 web;b=2 web;"),
        ("{{if .State.ExitCode}}bad{{else}}good{{end}}", "good"),
        ("{{if eq .Name `web`}}yes{{end}}{{if not .None}}!{{end}}", "yes!"),
        ("{{with .State}}{{.ExitCode}}{{end}}", "0"),
        ("{{ .Name }}\\t{{- .Name -}} x", "webwebx"),
        ("{{(index .Cmd 0) | upper}}", "SH"),
        ("{{println .Name 1}}", "web 1\n"),
    ],
)
def test_templates(template, text):
    assert render(template, DATA) == text


@pytest.mark.parametrize(
    "template", ["{{.Nope}}", "{{nope .Name}}", "{{if .Name}}", "{{end}}", "{{.Name 1}}", "{{(.Name}}"]
)
def test_a_template_that_cannot_be_read(template):
    with pytest.raises(Misused, match="template parsing error"):
        render(template, DATA)


# --- columns, ages, sizes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        *(
            (0.2, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
        ),
        *(
            (120, "2 minutes"),
            (3600, "About an hour"),
            (5400, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
        ),
        *((14 * 86400, "2 weeks"), (60 * 86400, "2 months"), (730 * 86400, "2 years")),
    ],
)
def test_ages(seconds, says):
    assert layout.age(seconds) == says


@pytest.mark.parametrize(
    ("count", "says"), [(0, "0B"), (59, "59B"), (1984000, "1.98MB"), (2048, "2.05kB"), (123456, "123kB")]
)
def test_sizes(count, says):
    assert layout.size(count) == says


def test_columns_are_as_wide_as_their_widest_cell():
    rows = [("NAME", "STATUS"), ("a-long-name", "Up"), ("b", "")]
    assert layout.columns(rows) == "NAME          STATUS\na-long-name   Up\nb             \n"


def test_a_long_command_is_cut():
    assert layout.quoted('sh -c "a long command line"', 20) == '"sh -c \\"a long comma…"'
