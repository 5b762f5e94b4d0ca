"""The button of `labkit.terminal`: what it says, what it types, and that it holds no secret."""

import shlex
import sys
from pathlib import Path

import pytest

import labkit
from labkit import lab_terminal, magic
from labkit.errors import LabkitError
from labkit.lessons import Lesson


@pytest.fixture
def stock(monkeypatch):
    """A machine with the docker command."""
    monkeypatch.setattr(magic, "stock_command", lambda: "/usr/bin/docker")


@pytest.fixture
def none(monkeypatch):
    """A machine without it."""
    monkeypatch.setattr(magic, "stock_command", lambda: None)


def test_its_text_is_the_same_on_every_engine(sleeper, stock):
    text = repr(labkit.terminal(sleeper))
    assert text.splitlines() == [
        f"A terminal in {sleeper.name}: docker exec -it {sleeper.name} sh",
        f"Without the docker command: labkit exec -it {sleeper.name} sh",
    ]


def test_text_and_html_say_the_same(sleeper):
    shown = labkit.terminal(sleeper, "sh", "-c", "echo <hi>")
    assert "<code>docker exec -it" in shown._repr_html_()
    assert "&lt;hi&gt;" in shown._repr_html_()
    bundle, _ = shown._repr_mimebundle_()
    assert bundle["text/plain"] == repr(shown)


def test_what_is_typed_names_the_engine_unless_the_shell_knows_it(client, engine, stock):
    line = lab_terminal.typed(client, "web", ["sh"], {"DOCKER_HOST": engine.address})
    assert line == "docker exec -it web sh"
    line = lab_terminal.typed(client, "web", ["sh"], {"DOCKER_HOST": "unix:///elsewhere.sock"})
    assert line == f"docker --host={engine.address} exec -it web sh"


def test_without_the_docker_command_ours_is_typed(client, engine, none):
    line = lab_terminal.typed(client, "web", ["sh", "-c", "a b"], {"DOCKER_HOST": engine.address})
    assert shlex.split(line) == [sys.executable, "-m", "labkit", "exec", "-it", "web", "sh", "-c", "a b"]


def test_a_name_will_do_where_an_engine_is_connected(client, sleeper, monkeypatch):
    assert sleeper.name in repr(Lesson("00", client).terminal(sleeper.name))
    monkeypatch.setattr(magic, "current_client", lambda: client)
    assert sleeper.name in repr(labkit.terminal(sleeper.name))
    monkeypatch.setattr(magic, "current_client", lambda: None)
    with pytest.raises(LabkitError, match=r"labkit\.connect\(\) first"):
        labkit.terminal(sleeper.name)


def test_a_container_that_has_ended_has_no_terminal(sleeper):
    sleeper.kill()
    sleeper.wait()
    with pytest.raises(LabkitError, match=r"it is exited.*start it first"):
        labkit.terminal(sleeper)


def test_the_script_reads_no_token():
    """The page's own cookie is the login; the token of a Jupyter server is in its page's configuration and address."""
    script = Path(lab_terminal.__file__).with_suffix(".js").read_text()
    code = "\n".join(line for line in script.splitlines() if not line.strip().startswith("//"))
    assert "token" not in code.lower().replace("x-xsrftoken", "")
    assert "location.search" not in code
